"""Shapes of what a kernel observes, from shapes alone: nothing is computed, and equal shapes are looked at once."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sgdsim.contracts import Initial, Kernel, Observables

Shape = tuple[tuple[int, ...], np.dtype]


def signature(kernel: Kernel, initial: Initial) -> tuple[Any, tuple[Shape, ...]]:
    """The structure of a kernel and a start, and shapes and types of its leaves: programs of equal ones are the same.

    Hashable.
    """
    leaves, structure = jax.tree.flatten((kernel, initial))
    return structure, tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)


@lru_cache(maxsize=256)
def observed(structure: Any, shapes: tuple[Shape, ...]) -> Observables:
    """Shapes and types of the observables of a tile, for a kernel and a start of this `signature`."""
    arguments = structure.unflatten([jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes])
    return jax.eval_shape(_observed, *arguments, jax.ShapeDtypeStruct((2, arguments[0].lanes), jnp.uint32))


def bytes_observed(structure: Any, shapes: tuple[Shape, ...]) -> int:
    """Bytes of these observables at one save time."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(observed(structure, shapes)))


def _observed(kernel: Kernel, initial: Initial, keys: jax.Array) -> Observables:
    return kernel.observe(kernel.init(initial, keys))
