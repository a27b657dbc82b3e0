"""The independent entries of overlaps in a row, as linear theory wants them."""

from typing import TypeVar

import numpy as np
from jaxtyping import Array, Float

Values = TypeVar("Values", Array, np.ndarray)


def independent(M: Float[Values, "*points p k"], Q: Float[Values, "*points p p"]) -> Float[Values, "*points n"]:
    """The independent entries of (M, Q), n = p k + p (p+1)/2: M by rows, then the upper triangle of Q by rows."""
    p, k = M.shape[-2:]
    row, column = np.triu_indices(p)
    # On the host this is NumPy's: each operation of JAX outside a compiled function is a program to compile.
    return M.__array_namespace__().concat([M.reshape(*M.shape[:-2], p * k), Q[..., row, column]], axis=-1)


def full(
    entries: Float[Values, "*points n"], p: int, k: int
) -> tuple[Float[Values, "*points p k"], Float[Values, "*points p p"]]:
    """(M, Q) from their independent entries."""
    row, column = np.triu_indices(p)
    place = np.zeros((p, p), np.int64)
    place[row, column] = place[column, row] = p * k + np.arange(row.size)
    return entries[..., : p * k].reshape(*entries.shape[:-1], p, k), entries[..., place]
