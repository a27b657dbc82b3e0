"""The frame that vectors begin in: the first coordinates or, one of no mark."""

from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.rules.overlaps import Overlaps

Frame = Float[Array | np.ndarray, "frame d"]
"""Orthonormal rows."""


def vectors_in(start: Overlaps, frame: Frame) -> tuple[Float[Array, "*replicas k d"], Float[Array, "*replicas n d"]]:
    """(W*, W0) with exactly these overlaps in the span of the frame's rows, in place of the first coordinates."""
    count, d = frame.shape
    teacher, moving = (jnp.asarray(part)[..., :count] @ jnp.asarray(frame) for part in start.frame_weights(d))
    return teacher, moving


@lru_cache(maxsize=16)
def spread_frame(count: int, d: int) -> Float[np.ndarray, "count d"]:
    """Rows of which no direction is marked, the same at every call: a draw from Haar's law.

    They are the orthogonal factor of a normal matrix, with signs that make the triangular one's diagonal positive.
    """
    Q, R = np.linalg.qr(np.random.default_rng([count, d]).normal(size=(d, count)))
    return np.ascontiguousarray((Q * np.sign(np.diagonal(R))).T)
