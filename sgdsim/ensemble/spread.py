"""One function on every device, each with tiles of its own."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from sgdsim.ensemble.devices import AXIS

TILES, EVERYWHERE = PartitionSpec(AXIS), PartitionSpec()
"""Of an argument that has an axis of tiles in front, which is spread; of one that every device has as it is."""


def over_devices(
    function: Callable[..., Any], mesh: Mesh, takes: tuple[PartitionSpec, ...], gives: Any
) -> Callable[..., Any]:
    """`function` on every device of a mesh: `takes` says of each argument, `gives` of the results, how they are spread.

    Arrays of no number, as a state may have, are not handed over but made anew on the device: the compiler of jaxlib
    0.11.2 comes down with a segmentation fault where it finds that one of them is not needed.
    """

    def whole(*arguments: Any) -> Any:
        filled, empty = eqx.partition(arguments, lambda leaf: leaf.size > 0)
        shapes = tuple(
            jax.tree.map(lambda leaf, spec=spec: _on_one(leaf, spec, mesh), tree)
            for tree, spec in zip(empty, takes, strict=True)
        )

        def shard(*filled: Any) -> Any:
            made = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
            return function(*eqx.combine(filled, made))

        return jax.shard_map(shard, mesh=mesh, in_specs=takes, out_specs=gives, check_vma=False)(*filled)

    return whole


def _on_one(leaf: jax.Array, spec: PartitionSpec, mesh: Mesh) -> jax.ShapeDtypeStruct:
    """What one device has of an array."""
    if spec == EVERYWHERE:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
    return jax.ShapeDtypeStruct((leaf.shape[0] // mesh.size, *leaf.shape[1:]), leaf.dtype)
