"""From save time to save time: the compiled call that advances tiles, and the pace of these calls."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int, UInt32

from sgdsim.contracts import Initial, Kernel, Observables
from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.spread import move_every_tile, on_every_tile
from sgdsim.ensemble.stack import Stack
from sgdsim.ensemble.vectors import compiler_options

_SECONDS_PER_CALL = 0.4
"""A call is meant to last so long: progress moves, and an interrupt is heard."""
GROWTH = 8
"""How much longer one call may be than the one before."""
_OVER_LEAST = 4
"""How much longer a call is meant to last than the shortest one, which moves the whole state for hardly a step."""


Progress = Callable[[int], None]
"""Told the number of replica-steps just done, a few times a second."""


@lru_cache(maxsize=16)
def make_starter(mesh: Mesh, times: int) -> Callable[..., tuple[Any, Observables]]:
    """The compiled function ((kernels, shared), counts, cells, initials, keys) -> (state, saved).

    State and saved are those of every tile at t = 0: zeros for its observables at every save time, time axis first.

    - `kernels`: of all cells, as a `Stack`; `shared`: of the starts that all replicas of a cell share, None where each
      has its own.
    - `counts`: tiles of each device; `cells`: the row of each tile in the stacks.
    - `initials`: of every tile's replicas, None where they share one.
    """

    def tile(
        common: tuple[Stack, Stack | None], cell: Array, initial: Initial, keys: UInt32[Array, "2 lanes"]
    ) -> tuple[Any, Observables]:
        kernels, shared = common
        kernel: Kernel = kernels.at(cell)
        state = kernel.init(initial if shared is None else shared.at(cell), keys)
        shapes = jax.eval_shape(kernel.observe, state)
        return state, {name: jnp.zeros((times, *shape.shape), shape.dtype) for name, shape in shapes.items()}

    return jax.jit(on_every_tile(tile, mesh))


@lru_cache(maxsize=16)
def make_propagator(mesh: Mesh, small_products: bool) -> Callable[..., tuple[Any, Observables]]:
    """The compiled function ((kernels, increments, first, stop, extra), counts, cells, state, saved) -> (state, saved).

    On each tile it makes increments[i] steps of the tile's cell and saves the observables, for first <= i < stop, and
    then `extra` steps of the cell more. Numbers of steps are traced: one compilation serves all problems of the same
    shapes. `kernels`, `cells` and `counts` are those of `make_starter`; `small_products` is that of the kernels.
    """

    def tile(
        common: tuple[Stack, Array, Array, Array, Array],
        cell: Array,
        state: Any,
        saved: Observables,
        at: tuple[Array, ...],
    ) -> tuple[Any, Observables]:
        kernels, increments, first, stop, extra = common
        kernel: Kernel = kernels.at(cell)
        own = increments[cell]
        advance = _traced_once if on_cpu() else _advance

        def to_save_time(i: Array, carry: tuple[Any, Observables]) -> tuple[Any, Observables]:
            state, saved = carry
            state = advance(kernel, state, own[i])
            seen = kernel.observe(state)
            return state, {name: saved[name].at[(*at, i)].set(seen[name]) for name in saved}

        state, saved = jax.lax.fori_loop(first, stop, to_save_time, (state, saved))
        return advance(kernel, state, extra[cell]), saved

    options = compiler_options(small_products)
    return jax.jit(move_every_tile(tile, mesh), donate_argnums=(3, 4), compiler_options=options)


def _advance(kernel: Kernel, state: Any, steps: Int[Array, ""]) -> Any:
    return kernel.advance(state, steps)


_traced_once = jax.jit(_advance)
"""For a propagator, which makes steps at two places. On CPUs alone: it may hand over arrays of no number, which is to
be avoided on a GPU, see `on_every_tile`."""


@dataclass(frozen=True)
class Call:
    """One call of the propagator: all cells get to the save time `stop`, and each some steps further."""

    increments: Int[np.ndarray, "cells times"]
    first: int
    stop: int
    extra: Int[np.ndarray, " cells"]

    @property
    def steps(self) -> Int[np.ndarray, " cells"]:
        """Steps that a replica of each cell makes."""
        return self.increments[:, self.first : self.stop].sum(axis=1) + self.extra

    def arguments(self, rows: int) -> tuple[np.ndarray, np.int64, np.int64, np.ndarray]:
        """What the propagator takes, for stacks of so many rows.

        As NumPy has them: `jnp.asarray` would compile a program of its own for every shape.
        """
        room = rows - len(self.extra)
        increments = np.pad(self.increments, ((0, room), (0, 0)))
        return increments, np.int64(self.first), np.int64(self.stop), np.pad(self.extra, (0, room))


class Pace:
    """Divides trajectories into calls of about the same duration, by the speed of the calls before.

    A call takes all cells to one save time, and on from there each the same part of its way to the next: a multiple of
    its own `segments` steps, where a division changes no bit of the result.

    - `increments`: steps of a replica of each cell before each save time.
    - `tiles`: tiles of each cell, as the budget of a call is one of the steps of all tiles.
    """

    def __init__(
        self,
        increments: Int[np.ndarray, "cells times"],
        segments: Int[np.ndarray, " cells"],
        tiles: Int[np.ndarray, " cells"],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._left = increments.astype(np.int64)
        self._clock = clock
        self._segments = [int(steps) for steps in segments]
        self._tiles = [int(count) for count in tiles]
        self._least = sum(steps * count for steps, count in zip(self._segments, self._tiles, strict=True))
        self._first = 0
        self._budget = self._least
        self._began = clock()
        self._shortest = math.inf

    @property
    def done(self) -> bool:
        """Whether the last save time has been reached."""
        return self._first == self._left.shape[1]

    def next_call(self) -> Call:
        """The next call: as many save times as the budget of steps allows, or a part of the way to the next one."""
        stop, spare = self._first, self._budget
        while stop < self._left.shape[1] and (steps := self._steps_to(stop)) <= spare:
            stop, spare = stop + 1, spare - steps
        extra = np.zeros(len(self._tiles), np.int64)
        if stop < self._left.shape[1]:
            extra += [self._part(cell, stop, spare) for cell in range(len(extra))]
        self._began = self._clock()
        return Call(self._left.copy(), self._first, stop, extra)

    def _steps_to(self, place: int) -> int:
        """Steps of all tiles that are left to a save time from the one before."""
        return sum(int(left) * count for left, count in zip(self._left[:, place], self._tiles, strict=True))

    def _part(self, cell: int, place: int, spare: int) -> int:
        """The cell's part of a number of steps of all tiles, less than all the way to a save time.

        Where the budget is a segment of every tile or more, one cell at least makes a segment.
        """
        left, segment = int(self._left[cell, place]), self._segments[cell]
        return min(left * spare // self._steps_to(place), left - 1) // segment * segment if left else 0

    def record(self, call: Call) -> None:
        """Takes note that a call has been made, and sets the budget of the next by its duration."""
        if call.stop < self._left.shape[1]:
            self._left[:, call.stop] -= call.extra
        self._first = call.stop
        elapsed = max(self._clock() - self._began, 1e-6)
        # Large states, and observables at many save times, are copied in every call: calls that were cut short for
        # taking long would do nothing else.
        self._shortest = min(self._shortest, elapsed)
        wanted = max(_SECONDS_PER_CALL, _OVER_LEAST * self._shortest)
        # The first call may compile; its duration says nothing.
        growth = GROWTH if self._budget == self._least else min(GROWTH, wanted / elapsed)
        self._budget = max(int(self._budget * growth), 2 * self._least)
