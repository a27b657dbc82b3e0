"""The triangular products of the mean-field theory of signal recovery in C++: what its steps cannot do without."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

_SOURCE = Path(__file__).parent / "loops" / "dmft.cpp"


@lru_cache(maxsize=1)
def _function() -> Callable[..., None] | None:
    """`products` of loops/dmft.cpp, compiled; None without a compiler."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "dmft.so"
        flags = ("-O3", "-march=native", "-ffast-math", "-shared", "-fPIC")
        subprocess.run([compiler, *flags, str(_SOURCE), "-o", str(library)], check=True, capture_output=True)
        return ctypes.CDLL(str(library)).products  # stays loaded without its file


def products(steps: int, seed: int = 0) -> Callable[[], None] | None:
    """A job that makes the products of so many steps, once checked against NumPy's; None without a compiler."""
    function = _function()
    if function is None:
        return None
    rng = np.random.default_rng(seed)
    matrices, vector = np.tril(rng.normal(size=(4, steps, steps))), rng.normal(size=steps)
    results = np.zeros((2, steps))
    pointer = [array.ctypes.data_as(ctypes.c_void_p) for array in (matrices, vector, results)]  # and the arrays live on
    counts = [ctypes.c_size_t(steps)] * 2

    def job() -> None:
        function(pointer[0], *counts, *pointer[1:])

    job()
    np.testing.assert_allclose(results, [vector @ matrices[3], matrices[3] @ vector], rtol=1e-9, atol=1e-9)
    return job
