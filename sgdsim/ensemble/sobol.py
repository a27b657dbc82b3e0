"""Standard normals from low-discrepancy points."""

import numpy as np
import scipy
from jaxtyping import Float
from scipy.special import ndtri


def sobol_normals(n: int, log2: int) -> Float[np.ndarray, "points n"]:
    """2^log2 standard normals from scrambled Sobol points of a fixed seed."""
    # scipy.stats takes long to import: by this name it is imported when it is used.
    uniform = scipy.stats.qmc.Sobol(n, scramble=True, rng=0).random_base2(log2)
    return ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
