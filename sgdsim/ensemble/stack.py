"""What differs from cell to cell, stacked, so that one compiled program serves the tiles of many cells at once."""

from collections.abc import Hashable, Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Int

from sgdsim.errors import ArgumentError

LARGEST_OWN = 2**16
"""Numbers of an array at most of which every cell has one of its own; a larger one, as a data set, all must share."""
_LEAST_ROWS = 2
"""Around an axis of length one the compiler would arrange, and round, the same sums otherwise."""


class Stack(eqx.Module):
    """Trees of equal form, one for each of several cells: `stack.at(row)` is the tree of one of them.

    Which arrays are stacked depends on their size alone, not on whether they are equal: a cell's program, and so its
    rounding, is the same in any company. Their number is padded to a power of two, so that programs are few.

    - `own`: arrays that every cell has one of, with a leading axis of rows; `common`: those that all share.
    """

    own: list[Any]
    common: list[Any]
    form: Any = eqx.field(static=True)

    @classmethod
    def of(cls, trees: Sequence[Any], largest: int = LARGEST_OWN) -> "Stack":
        """The stack of these trees. **Raises:** ArgumentError where they are not of equal form."""
        form = form_of(trees[0], largest)
        if any(form_of(tree, largest) != form for tree in trees[1:]):
            raise ArgumentError("trees", "be of equal form, to be stacked", [type(tree).__name__ for tree in trees])
        room = cls.room(len(trees))
        columns = list(zip(*map(jax.tree.leaves, trees), strict=True))
        large = [_size(column[0]) > largest for column in columns]
        return cls(
            own=[_rows(column, room) for column, shared in zip(columns, large, strict=True) if not shared],
            common=[column[0] for column, shared in zip(columns, large, strict=True) if shared],
            form=(form[0], tuple(large), tuple(_kind(column[0]) for column in columns)),
        )

    @staticmethod
    def room(cells: int) -> int:
        """Rows of a stack of so many cells."""
        return max(_LEAST_ROWS, 1 << (cells - 1).bit_length())

    def at(self, row: Int[Array, ""]) -> Any:
        """The tree of one cell. Pure JAX."""
        structure, large, kinds = self.form
        own, common = iter(self.own), iter(self.common)
        leaves = [
            next(common) if shared else _entry(next(own), row, kind) for shared, kind in zip(large, kinds, strict=True)
        ]
        return jax.tree.unflatten(structure, leaves)


def form_of(tree: Any, largest: int = LARGEST_OWN) -> tuple[Hashable, ...]:
    """What trees must have in common to be stacked: structure, shapes and types, and the large arrays themselves."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple(
        id(leaf) if _size(leaf) > largest else (np.shape(leaf), _type_name(leaf)) for leaf in leaves
    )


def own_bytes(tree: Any) -> int:
    """Bytes of what is stacked of a tree: an accelerator holds as much for every tile."""
    return sum(8 * _size(leaf) for leaf in jax.tree.leaves(tree) if _size(leaf) <= LARGEST_OWN)


def _size(leaf: Any) -> int:
    return int(np.prod(np.shape(leaf)))


def _kind(leaf: Any) -> type | None:
    """The type of a plain number, None for an array."""
    return type(leaf) if isinstance(leaf, bool | int | float) else None


def _type_name(leaf: Any) -> str:
    """By name, as NumPy's types are equal to Python's: "float" is another than "float64"."""
    kind = _kind(leaf)
    return str(leaf.dtype) if kind is None else kind.__name__


def _rows(column: Sequence[Any], room: int) -> np.ndarray:
    rows = np.stack([np.asarray(leaf) for leaf in column])
    return np.concatenate([rows, np.repeat(rows[-1:], room - len(rows), axis=0)])


def _entry(rows: Array, row: Int[Array, ""], kind: type | None) -> Array:
    """The entry of one row. What was a plain number stays weakly typed: it takes the precision of its partners."""
    entry = jax.lax.dynamic_index_in_dim(rows, row, keepdims=False)
    if kind not in (int, float):
        return entry
    # Not `full(()).at[...]`: a constant of no number, as its indices are, brings the compiler of jaxlib 0.11.2 down.
    return jax.lax.full((1,), kind(0)).at[0].set(entry)[0]
