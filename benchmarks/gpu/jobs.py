"""Tiles of replicas on one device, apart from the ensemble that a run makes of them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sgdsim.committee import Chain, Committee, OverlapStart
from sgdsim.contracts import Kernel, Simulator
from sgdsim.ensemble.devices import default_batch
from sgdsim.ensemble.random import replica_keys
from sgdsim.ensemble.spread import over_tiles

FORMS = {"xla": Chain(kernel="xla"), "fused": Chain(kernel="fused")}
"""The forms of the chain."""
START = OverlapStart(0.5, 1)


class Job:
    """Replicas of one problem, as many as fit at once, which go on from where the call before left them."""

    def __init__(self, simulator: Simulator, problem: Committee, replicas: int) -> None:
        simulator.check(problem)
        self.kernel: Kernel = simulator.bind(problem, replicas, 1.0)
        lanes = self.kernel.lanes
        at_once = min(replicas, default_batch(simulator.bytes_per_replica(problem), lanes))
        self.tiles = -(-at_once // lanes)
        self.replicas = self.tiles * lanes
        keys = np.moveaxis(replica_keys(0, 0, 0, self.replicas).reshape(2, self.tiles, lanes), 0, 1)
        initial = START.draw(problem, np.random.default_rng(0), 1)
        begin = jax.jit(lambda kernel, initial, keys: jax.vmap(lambda keys: kernel.init(initial, keys))(keys))
        self.state: Any = begin(self.kernel, initial, jnp.asarray(keys))

    def __call__(self, steps: int) -> Any:
        """The state after so many more steps."""
        each = jnp.full(self.tiles, steps, jnp.int64)
        self.state = _advance(self.kernel, self.state, jnp.int64(self.tiles), each)
        return jax.block_until_ready(self.state)


def _over_all(kernel: Kernel, state: Any, tiles: jax.Array, steps: jax.Array) -> Any:
    # Every tile has a number of steps of its own, as in a run of many cells.
    return over_tiles(kernel.advance, tiles, state, steps)


_advance: Callable[..., Any] = jax.jit(_over_all, donate_argnums=1)
