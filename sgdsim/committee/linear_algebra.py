"""Roots of positive semidefinite matrices in plain arithmetic: no batched LAPACK call in a hot loop."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.ensemble.pin import Pin

Lanes = list[list[Any]]
"""A small matrix as nested lists of lanes: rows of a lower triangle, or full rows."""


def pivot_tolerance(dtype: Any) -> float:
    """A pivot below this fraction of its diagonal element is rounding: its column of the root is zero."""
    return 16 * float(jnp.finfo(dtype).eps)


def _safe_inverse_root(pivot: Float[Array, "*shape"], diagonal: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1/sqrt(pivot), and 0 where the pivot is not distinguishable from zero: never a division by a tiny number."""
    sound = pivot > pivot_tolerance(pivot.dtype) * diagonal
    return jnp.where(sound, jax.lax.rsqrt(jnp.where(sound, pivot, 1)), 0)


def lane_root(matrix: Lanes, pin: Pin) -> Lanes:
    """Lower-triangular B with B B^T = matrix (lower triangle given), on lanes, unrolled; singular matrices allowed."""
    size = len(matrix)
    root: Lanes = [[] for _ in range(size)]
    for j in range(size):
        pivot = matrix[j][j]
        for m in range(j):
            pivot = pivot - root[j][m] * root[j][m]
        inverse = pin(_safe_inverse_root(pivot, matrix[j][j]))
        root[j].append(pivot * inverse)
        for i in range(j + 1, size):
            rest = matrix[i][j]
            for m in range(j):
                rest = rest - root[i][m] * root[j][m]
            root[i].append(pin(rest * inverse))
    return root


def batched_root(matrix: Float[Array, "lanes p p"]) -> Float[Array, "lanes p p"]:
    """Lower-triangular B with B B^T = matrix for a batch, column by column; singular matrices allowed."""
    size = matrix.shape[-1]
    rows = jnp.arange(size)
    diagonal = jnp.diagonal(matrix, axis1=1, axis2=2)

    def column(j: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        rest, root = carry
        pivots = jax.lax.dynamic_index_in_dim(rest, j, axis=2, keepdims=False)
        pivot = jax.lax.dynamic_index_in_dim(pivots, j, axis=1)
        scale = _safe_inverse_root(pivot, jax.lax.dynamic_index_in_dim(diagonal, j, axis=1))
        new = jnp.where((rows >= j)[None, :], pivots * scale, 0)
        rest = rest - new[:, :, None] * new[:, None, :]
        return rest, jax.lax.dynamic_update_index_in_dim(root, new, j, axis=2)

    return jax.lax.fori_loop(0, size, column, (matrix, jnp.zeros_like(matrix)))[1]
