"""Roots of positive semidefinite matrices in plain arithmetic: no batched LAPACK call in a hot loop."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.ensemble.pin import Pinning

PANEL = 8
"""Columns of a panel of `batched_root`."""

Lanes = list[list[Any]]
"""A small matrix as nested lists of lanes: rows of a lower triangle, or full rows."""


def pivot_tolerance(dtype: Any) -> float:
    """A pivot below this fraction of its diagonal element is rounding: its column of the root is zero."""
    return 16 * float(jnp.finfo(dtype).eps)


def _safe_inverse_root(pivot: Float[Array, "*shape"], diagonal: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1/sqrt(pivot), and 0 where the pivot is not distinguishable from zero: never a division by a tiny number."""
    sound = pivot > pivot_tolerance(pivot.dtype) * diagonal
    return jnp.where(sound, jax.lax.rsqrt(jnp.where(sound, pivot, 1)), 0)


def lane_root(matrix: Lanes, pin: Pinning) -> Lanes:
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
    """Lower-triangular B with B B^T = matrix for a batch, by panels of columns; singular matrices allowed.

    The columns of a panel are made one after another; what earlier panels take from it is one matrix product.
    """
    size = matrix.shape[-1]
    diagonal = jnp.diagonal(matrix, axis1=1, axis2=2)
    panels: list[Array] = []
    for first in range(0, size, PANEL):
        columns = slice(first, min(first + PANEL, size))
        rest = matrix[:, first:, columns]
        if panels:
            before = jnp.concatenate([panel[:, first:, :] for panel in panels], axis=2)
            rest = rest - before @ jnp.swapaxes(before[:, : rest.shape[2], :], 1, 2)
        panel = _panel_root(rest, diagonal[:, columns])
        panels.append(jnp.pad(panel, ((0, 0), (first, 0), (0, 0))))
    return jnp.concatenate(panels, axis=2)


def _panel_root(
    panel: Float[Array, "lanes rows columns"], diagonal: Float[Array, "lanes columns"]
) -> Float[Array, "lanes rows columns"]:
    """The first columns of the root of a matrix of which they are given, unrolled."""
    root: list[Array] = []
    rows = jnp.arange(panel.shape[1])
    for j in range(panel.shape[2]):
        rest = panel[:, :, j]
        for column in root:
            rest = rest - column * column[:, j : j + 1]
        scale = _safe_inverse_root(rest[:, j : j + 1], diagonal[:, j : j + 1])
        root.append(jnp.where((rows >= j)[None, :], rest * scale, 0))
    return jnp.stack(root, axis=2)
