"""Shapes of what a kernel observes, from shapes alone: nothing is computed, and equal shapes are looked at once."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sgdsim.contracts import Initial, Kernel

Shape = tuple[tuple[int, ...], np.dtype]


def signature(kernel: Kernel, initial: Initial) -> tuple[Any, tuple[Shape, ...]]:
    """The structure of a kernel and a start, and shapes and types of its leaves: programs of equal ones are the same.

    Hashable.
    """
    leaves, structure = jax.tree.flatten((kernel, initial))
    return structure, tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)


@lru_cache(maxsize=256)
def tile_shapes(structure: Any, shapes: tuple[Shape, ...]) -> tuple[Any, Any]:
    """Shapes and types of a tile's state and of its observables, for a kernel and a start of this `signature`."""
    arguments = structure.unflatten([jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes])
    return jax.eval_shape(_started, *arguments, jax.ShapeDtypeStruct((2, arguments[0].lanes), jnp.uint32))


def bytes_observed(structure: Any, shapes: tuple[Shape, ...]) -> int:
    """Bytes of these observables at one save time."""
    return bytes_of(tile_shapes(structure, shapes)[1])


def bytes_of(shapes: Any) -> int:
    """Bytes of arrays of these shapes and types."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))


def _started(kernel: Kernel, initial: Initial, keys: jax.Array) -> tuple[Any, Any]:
    state = kernel.init(initial, keys)
    return state, kernel.observe(state)
