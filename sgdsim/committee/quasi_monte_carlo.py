"""Gaussian averages over all fields at once, for what has neither closed form nor smoothness."""

from collections.abc import Callable
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.linear_algebra import batched_root
from sgdsim.ensemble.sobol import sobol_normals

POINTS_LOG2 = 15
POINTS = 2**POINTS_LOG2
_CHUNK = 2**11
"""Points at a time, so that memory stays small where many covariances are averaged side by side."""


@lru_cache(maxsize=4)
def normal_points(n: int) -> Float[np.ndarray, "points n"]:
    """POINTS standard normals: `sobol_normals` and their negatives; covariance exactly 1."""
    half = sobol_normals(n, POINTS_LOG2 - 1)
    points = np.concatenate([half, -half])
    root = np.linalg.cholesky(points.T @ points / POINTS)
    return np.linalg.solve(root, points.T).T


def mean_products(
    C: Float[Array, "n n"], function: Callable[[Float[Array, "points n"]], Float[Array, "points p"]]
) -> Float[Array, "p p"]:
    """E[v v^T] of v = function(l), l ~ N(0, C), where the function works on rows of fields. C may be singular."""
    n = C.shape[0]
    root = batched_root(C[None])[0]
    points = jnp.asarray(normal_points(n).reshape(-1, _CHUNK, n))

    def chunk(rows: Float[Array, "points n"]) -> Float[Array, "p p"]:
        vectors = function(rows @ root.T)
        return vectors.T @ vectors

    return jnp.sum(jax.lax.map(chunk, points), axis=0) / POINTS
