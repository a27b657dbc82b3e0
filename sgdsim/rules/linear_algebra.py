"""Roots of positive semidefinite matrices in plain arithmetic: no batched LAPACK call in a hot loop."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.ensemble.pin import Pinning, no_pin

_LEAF = 8
"""Size from which `batched_root` splits a matrix in two."""

Lanes = list[list[Any]]
"""A small matrix as nested lists of lanes: rows of a lower triangle, or full rows."""


def pivot_tolerance(dtype: Any, size: int) -> float:
    """A pivot below this fraction of its diagonal element is rounding: its column of the root is zero."""
    return max(16, size) * float(jnp.finfo(dtype).eps)


def _safe_inverse_root(
    pivot: Float[Array, "*shape"], diagonal: Float[Array, "*shape"], size: int
) -> Float[Array, "*shape"]:
    """1/sqrt(pivot), and 0 where the pivot is not distinguishable from zero: never a division by a tiny number."""
    sound = pivot > pivot_tolerance(pivot.dtype, size) * diagonal
    return jnp.where(sound, jax.lax.rsqrt(jnp.where(sound, pivot, 1)), 0)


def lane_root(matrix: Lanes, pin: Pinning) -> Lanes:
    """Lower-triangular B with B B^T = matrix (lower triangle given), on lanes, unrolled; singular matrices allowed."""
    size = len(matrix)
    root: Lanes = [[] for _ in range(size)]
    for j in range(size):
        pivot = matrix[j][j]
        for m in range(j):
            pivot = pivot - root[j][m] * root[j][m]
        inverse = pin(_safe_inverse_root(pivot, matrix[j][j], size))
        root[j].append(pivot * inverse)
        for i in range(j + 1, size):
            rest = matrix[i][j]
            for m in range(j):
                rest = rest - root[i][m] * root[j][m]
            root[i].append(pin(rest * inverse))
    return root


def batched_root(matrix: Float[Array, "lanes p p"], pin: Pinning = no_pin) -> Float[Array, "lanes p p"]:
    """Lower-triangular B with B B^T = matrix (lower triangle given) for a batch; singular matrices allowed.

    By halves: with A_11 = B_1 B_1^T, the rest is B_21 = A_21 B_1^-T and the root of A_22 - B_21 B_21^T, so that nearly
    all arithmetic is in matrix products. A column of B that is zero has a zero in place of its inverse pivot.
    """
    size = matrix.shape[-1]
    floor = jnp.diagonal(matrix, axis1=1, axis2=2)
    return _root_and_inverse(matrix, floor, size, pin)[0]


def _root_and_inverse(
    matrix: Float[Array, "lanes n n"], diagonal: Float[Array, "lanes n"], size: int, pin: Pinning
) -> tuple[Float[Array, "lanes n n"], Float[Array, "lanes n n"]]:
    """B and B^-T of a diagonal block of a matrix of `size`; the compiler leaves out what nobody uses of B^-T."""
    n = matrix.shape[-1]
    if n <= _LEAF:
        return _leaf(matrix, diagonal, size, pin)
    half = _LEAF
    while 2 * half < n:
        half *= 2
    upper, inverse = _root_and_inverse(matrix[:, :half, :half], diagonal[:, :half], size, pin)
    left = matrix[:, half:, :half] @ inverse
    across = jnp.swapaxes(left, 1, 2)
    lower, inverse_lower = _root_and_inverse(matrix[:, half:, half:] - left @ across, diagonal[:, half:], size, pin)
    corner = -(inverse @ across) @ inverse_lower
    return _triangle(upper, left, lower), jnp.swapaxes(
        _triangle(jnp.swapaxes(inverse, 1, 2), jnp.swapaxes(corner, 1, 2), jnp.swapaxes(inverse_lower, 1, 2)), 1, 2
    )


def _triangle(
    upper: Float[Array, "lanes a a"], left: Float[Array, "lanes b a"], lower: Float[Array, "lanes b b"]
) -> Float[Array, "lanes n n"]:
    """A lower-triangular matrix from its blocks."""
    top = jnp.pad(upper, ((0, 0), (0, 0), (0, lower.shape[1])))
    return jnp.concatenate([top, jnp.concatenate([left, lower], axis=2)], axis=1)


def _leaf(
    matrix: Float[Array, "lanes n n"], diagonal: Float[Array, "lanes n"], size: int, pin: Pinning
) -> tuple[Float[Array, "lanes n n"], Float[Array, "lanes n n"]]:
    """B and B^-T of a small matrix, column by column with the lanes last: the same steps turn [A; 1] into [B; B^-T]."""
    lanes, n, _ = matrix.shape
    unit = jnp.broadcast_to(jnp.eye(n, dtype=matrix.dtype)[:, :, None], (n, n, lanes))
    rows = pin(jnp.concatenate([jnp.transpose(matrix, (2, 1, 0)), unit], axis=1))
    columns: list[Array] = []
    for j in range(n):
        rest = rows[j]
        for column in columns:
            rest = rest - column * column[j][None, :]
        scale = _safe_inverse_root(rest[j], diagonal[:, j], size)
        columns.append(pin(rest * scale[None, :]))
    both = jnp.transpose(jnp.stack(columns), (2, 1, 0))
    return jnp.tril(both[:, :n]), both[:, n:]
