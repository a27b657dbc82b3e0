"""Where tiles run: a mesh of the local devices, and how many replicas fit."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from sgdsim.errors import ArgumentError

AXIS = "tiles"
_CPU_BYTES = 2**29
"""Memory given to one batch on a CPU, whose devices do not report any."""
_CPU_TILES = 16
"""Tiles in a row on one CPU device: enough to hide the cost of a call."""
_WIDEST = 2**18
"""Replicas of one batch on one accelerator: enough to fill it."""


@lru_cache(maxsize=16)
def tile_mesh(devices: int) -> tuple[Mesh, Callable[[Any], Any]]:
    """A mesh of the first `devices` local devices, and a function that spreads leading axes over it."""
    mesh = Mesh(np.array(jax.local_devices()[:devices]), (AXIS,))
    sharding = NamedSharding(mesh, PartitionSpec(AXIS))
    return mesh, lambda tree: jax.device_put(tree, sharding)


def over_tiles(function: Callable[..., Any], count: Int[Array, ""], *arguments: Any) -> Any:
    """`function` of one tile, on each of the `count` tiles of the leading axes of the arguments.

    An accelerator takes all tiles at once; a CPU core takes one after another, so that each stays in its cache. There
    the traced count keeps the compiler from unrolling a loop over one tile, which would round differently.
    """
    if jax.default_backend() != "cpu":
        return jax.vmap(function)(*arguments)

    def tile(index: Array) -> Any:
        return function(
            *jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False), arguments)
        )

    def one(index: Array, results: Any) -> Any:
        return jax.tree.map(
            lambda all_tiles, here: jax.lax.dynamic_update_index_in_dim(all_tiles, here, index, 0), results, tile(index)
        )

    shapes = jax.eval_shape(tile, jax.ShapeDtypeStruct((), jnp.int64))
    tiles = jax.tree.leaves(arguments)[0].shape[0]
    empty = jax.tree.map(lambda shape: jnp.zeros((tiles, *shape.shape), shape.dtype), shapes)
    return jax.lax.fori_loop(0, count, one, empty)


def default_batch(bytes_per_replica: int, lanes: int) -> int:
    """Replicas to simulate at once on all local devices, from the memory that they have.

    **Raises:** ArgumentError where not even one tile fits on a device.
    """
    device = jax.local_devices()[0]
    on_cpu = device.platform == "cpu"
    memory = _CPU_BYTES if on_cpu else (device.memory_stats() or {}).get("bytes_limit", _CPU_BYTES)
    tiles = int(memory / 2 // (bytes_per_replica * lanes))
    if tiles < 1 and not on_cpu:
        need = f"{bytes_per_replica * lanes / 2**30:.1f} GiB on a device of {memory / 2**30:.1f} GiB"
        raise ArgumentError("problem", f"fit on one device (one tile of {lanes} replicas needs {need})", "less memory")
    per_device = min(max(tiles, 1), _CPU_TILES if on_cpu else max(1, _WIDEST // lanes))
    return per_device * lanes * jax.local_device_count()
