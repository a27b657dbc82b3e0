"""Where tiles run: a mesh of the local devices, and how many replicas fit."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sgdsim.cgroups import usable_memory
from sgdsim.errors import ArgumentError

AXIS = "tiles"
_CPU_SHARE = 2**28
"""Memory that one batch may take on one CPU device, where more does not make it faster."""
_UNKNOWN = 2**30
"""Memory of an accelerator that does not say how much it has."""
_CPU_TILES = 16
"""Tiles in a row on one CPU device: enough to hide the cost of a call."""
_WIDEST = 2**18
"""Replicas of one batch on one accelerator: enough to fill it."""


@lru_cache(maxsize=16)
def tile_mesh(devices: int) -> tuple[Mesh, Callable[[Any], Any], Callable[[Any], Any]]:
    """A mesh of the first `devices` local devices, and functions that spread leading axes over it, or copy to all."""
    mesh = Mesh(np.array(jax.local_devices()[:devices]), (AXIS,))
    spread, everywhere = (NamedSharding(mesh, spec) for spec in (PartitionSpec(AXIS), PartitionSpec()))
    return mesh, lambda tree: jax.device_put(tree, spread), lambda tree: jax.device_put(tree, everywhere)


def device_memory() -> int:
    """Bytes of memory of one local device that are free; CPU devices share all that the process may use."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return usable_memory() // jax.local_device_count()
    known = device.memory_stats() or {}
    return known.get("bytes_limit", _UNKNOWN) - known.get("bytes_in_use", 0)


def check_memory(bytes_per_replica: int, lanes: int) -> None:
    """**Raises:** ArgumentError where a device cannot hold a single tile of `lanes` replicas."""
    need, memory = bytes_per_replica * lanes, device_memory()
    if need > memory:
        raise ArgumentError(
            "simulator",
            f"hold {lanes} replica{'s' if lanes > 1 else ''} at once on a device of {memory / 2**30:.1f} GiB",
            f"a problem that takes {need / 2**30:.1f} GiB for them",
            "Lower p or d, or take a device with more memory.",
        )


def check_theory_memory(theory: str, need: int) -> None:
    """**Raises:** ArgumentError where a device cannot hold the `need` bytes that solving a theory takes."""
    memory = device_memory()
    if need > memory:
        must = f"leave the theory `{theory}` within a device of {memory / 2**30:.1f} GiB"
        raise ArgumentError(
            "times", must, f"times that take {need / 2**30:.1f} GiB", "End earlier, or in larger steps."
        )


def most_tiles(bytes_per_replica: int, lanes: int) -> int:
    """Tiles that all local devices together have memory for, at least one each."""
    return max(1, device_memory() // (bytes_per_replica * lanes)) * jax.local_device_count()


def default_batch(bytes_per_replica: int, lanes: int) -> int:
    """Replicas to simulate at once on all local devices: as many as fill them, in half of their memory.

    **Raises:** ArgumentError where not even one tile fits on a device.
    """
    check_memory(bytes_per_replica, lanes)
    on_cpu = jax.local_devices()[0].platform == "cpu"
    share = min(device_memory() // 2, _CPU_SHARE) if on_cpu else device_memory() // 2
    most = _CPU_TILES if on_cpu else max(1, _WIDEST // lanes)
    tiles = min(max(share // (bytes_per_replica * lanes), 1), most)
    return tiles * lanes * jax.local_device_count()
