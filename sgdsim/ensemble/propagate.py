"""From save time to save time: the compiled call that advances tiles, and the pace of these calls."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Int, UInt32

from sgdsim.ensemble.contracts import Initial, Kernel, Observables
from sgdsim.ensemble.devices import AXIS, over_tiles

_SECONDS_PER_CALL = 0.4
"""A call is meant to last so long: progress moves, and an interrupt is heard."""
GROWTH = 8
"""How much longer one call may be than the one before."""


Progress = Callable[[int], None]
"""Told the number of replica-steps just done, a few times a second."""


def start_tile(kernel: Kernel, initial: Initial, keys: UInt32[Array, "2 lanes"], times: int) -> tuple[Any, Observables]:
    """One tile at t = 0, and zeros for its observables at every save time, time axis first."""
    state = kernel.init(initial, keys)
    shapes = jax.eval_shape(kernel.observe, state)
    return state, {name: jnp.zeros((times, *shape.shape), shape.dtype) for name, shape in shapes.items()}


@lru_cache(maxsize=16)
def make_starter(mesh: Mesh, own: bool, times: int) -> Callable[..., tuple[Any, Observables]]:
    """The compiled function (kernel, tiles, initials, keys) -> (state, saved), on `tiles` tiles per device.

    `initials` is one start for all tiles, or, `own`, has a leading axis of tiles.
    """

    def shard(kernel: Kernel, count: Array, initials: Initial, keys: Array) -> tuple[Any, Observables]:
        if own:
            return over_tiles(lambda start, keys: start_tile(kernel, start, keys, times), count, initials, keys)
        return over_tiles(lambda keys: start_tile(kernel, initials, keys, times), count, keys)

    tiles, everywhere = PartitionSpec(AXIS), PartitionSpec()
    spread = jax.shard_map(
        shard,
        mesh=mesh,
        in_specs=(everywhere, everywhere, tiles if own else everywhere, tiles),
        out_specs=(tiles, tiles),
        check_vma=False,
    )
    return jax.jit(spread)


@lru_cache(maxsize=16)
def make_propagator(mesh: Mesh) -> Callable[..., tuple[Any, Observables]]:
    """The compiled function (kernel, state, saved, tiles, increments, first, stop, extra) -> (state, saved).

    On each of `tiles` tiles per device it makes increments[i] steps and saves the observables, for first <= i < stop,
    and then `extra` steps more. Counts are traced: one compilation serves every problem of the same shapes.
    """

    def tile(kernel: Kernel, state: Any, saved: Observables, *counts: Array) -> tuple[Any, Observables]:
        increments, first, stop, extra = counts

        def to_save_time(i: Array, carry: tuple[Any, Observables]) -> tuple[Any, Observables]:
            state, saved = carry
            state = kernel.advance(state, increments[i])
            seen = kernel.observe(state)
            return state, {name: saved[name].at[i].set(seen[name]) for name in saved}

        state, saved = jax.lax.fori_loop(first, stop, to_save_time, (state, saved))
        return kernel.advance(state, extra), saved

    def shard(kernel: Kernel, state: Any, saved: Observables, count: Array, *counts: Array) -> tuple[Any, Observables]:
        return over_tiles(lambda state, saved: tile(kernel, state, saved, *counts), count, state, saved)

    tiles, everywhere = PartitionSpec(AXIS), PartitionSpec()
    spread = jax.shard_map(
        shard,
        mesh=mesh,
        in_specs=(everywhere, tiles, tiles, *[everywhere] * 5),
        out_specs=(tiles, tiles),
        check_vma=False,
    )
    return jax.jit(spread, donate_argnums=(1, 2))


@dataclass(frozen=True)
class Call:
    """One call of the propagator."""

    increments: Int[np.ndarray, " times"]
    first: int
    stop: int
    extra: int

    @property
    def steps(self) -> int:
        """Steps that it makes."""
        return int(self.increments[self.first : self.stop].sum()) + self.extra

    @property
    def arguments(self) -> tuple[Array, Array, Array, Array]:
        """What the propagator takes."""
        first, stop, extra = (jnp.asarray(number, jnp.int64) for number in (self.first, self.stop, self.extra))
        return jnp.asarray(self.increments), first, stop, extra


class Pace:
    """Divides a trajectory into calls of about the same duration, by the speed of the calls before.

    A division falls at a save time or a multiple of `segment` steps after one, where it changes no bit of the result.
    """

    def __init__(
        self, increments: Int[np.ndarray, " times"], segment: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._left = increments.astype(np.int64)
        self._clock = clock
        self._segment = segment
        self._first = 0
        self._budget = segment
        self._began = clock()

    @property
    def done(self) -> bool:
        """Whether the last save time has been reached."""
        return self._first == len(self._left)

    def next_call(self) -> Call:
        """The next call: as many save times as the budget of steps allows, or a part of the way to the next one."""
        sums = np.cumsum(self._left[self._first :])
        stop = self._first + int(np.searchsorted(sums, self._budget, side="right"))
        spare = self._budget - (int(sums[stop - self._first - 1]) if stop > self._first else 0)
        extra = 0
        if stop < len(self._left):
            extra = min(spare, int(self._left[stop]) - 1) // self._segment * self._segment
        self._began = self._clock()
        return Call(self._left.copy(), self._first, stop, extra)

    def record(self, call: Call) -> None:
        """Takes note that a call has been made, and sets the budget of the next by its duration."""
        if call.stop < len(self._left):
            self._left[call.stop] -= call.extra
        self._first = call.stop
        elapsed = max(self._clock() - self._began, 1e-6)
        # The first call may compile; its duration says nothing.
        growth = GROWTH if self._budget == self._segment else min(GROWTH, _SECONDS_PER_CALL / elapsed)
        self._budget = max(int(self._budget * growth), 2 * self._segment)
