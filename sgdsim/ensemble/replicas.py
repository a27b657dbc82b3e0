"""An ensemble: many replicas of one problem, simulated tile by tile on all local devices and held against theory."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from sgdsim.ensemble.contracts import Initial, Kernel, Observables, Problem, Simulator, Start, Theory
from sgdsim.ensemble.devices import default_batch, tile_mesh
from sgdsim.ensemble.propagate import Pace, buffer_for, make_propagator
from sgdsim.ensemble.random import replica_keys
from sgdsim.ensemble.statistics import make_summary
from sgdsim.ensemble.theory import solve_theory
from sgdsim.ensemble.tiles import Tiles
from sgdsim.errors import ArgumentError

Progress = Callable[[int], None]
"""Told the number of replica-steps just done, a few times a second."""


def silent(replica_steps: int) -> None:
    """The progress of a run that nobody watches."""


@dataclass(frozen=True)
class Ensemble:
    """`replicas` trajectories of one problem, saved at `times` and compared with a theory.

    Every replica draws from a key of its own, (seed, cell, replica), and replicas are averaged in tiles of a fixed
    size: neither `batch` nor the devices change a bit of the result.

    - `times`: save times, increasing, > 0. They are realised as nu dt with nu = round(t/dt).
    - `theory`: None for a simulation on its own.
    - `cell`: index of the problem in a grid; it separates the random numbers of different cells.
    - `batch`: replicas simulated at once; the default fits the memory of the devices.

    **Raises:** ArgumentError where the simulator, the theory or the start does not fit the problem.
    """

    problem: Problem
    start: Start
    simulator: Simulator
    theory: Theory | None
    times: Float[np.ndarray, " times"]
    replicas: int
    seed: int
    cell: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        times = np.asarray(self.times, np.float64)
        if times.ndim != 1 or not len(times) or not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
            raise ArgumentError("times", "be finite and strictly increasing", self.times)
        if times[0] <= 0 or self.steps[-1] < 1:
            raise ArgumentError("times", f"be > 0 and reach at least one step, dt = {self.problem.dt:g}", self.times)
        for name, least, value in (("replicas", 1, self.replicas), ("seed", 0, self.seed)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ArgumentError(name, f"be an integer >= {least}", value)
        if self.batch is not None and self.batch < 1:
            raise ArgumentError("batch", "be an integer >= 1", self.batch)
        self.simulator.check(self.problem)
        self.start.check(self.problem)
        if self.theory is not None:
            self.theory.check(self.problem)

    @cached_property
    def kernel(self) -> Kernel:
        """The simulator bound to the problem."""
        return self.simulator.bind(self.problem, self.replicas)

    @property
    def lanes(self) -> int:
        """Replicas of a tile."""
        return self.kernel.lanes

    @property
    def n_tiles(self) -> int:
        """Tiles of the ensemble; the last may be partly empty."""
        return math.ceil(self.replicas / self.lanes)

    @property
    def steps(self) -> Int[np.ndarray, " times"]:
        """Steps nu at the save times."""
        return self.problem.steps(np.asarray(self.times, np.float64))

    @property
    def total_steps(self) -> int:
        """Steps of one replica."""
        return int(self.steps[-1])

    @property
    def realised_times(self) -> Float[np.ndarray, " times"]:
        """nu dt: where simulation and theory are compared."""
        return self.steps * self.problem.dt

    def replicas_of(self, tiles: range) -> int:
        """Replicas in a range of tiles."""
        return min(tiles.stop * self.lanes, self.replicas) - tiles.start * self.lanes

    @cached_property
    def theory_curve(self) -> Observables | None:
        """The theory of a shared start, time axis first; None without a theory or where every replica has its own."""
        if self.theory is None or self.start.per_replica:
            return None
        return solve_theory(self.problem, self.start, self.realised_times, self.theory)

    def run(self, tiles: range | None = None, progress: Progress = silent) -> Tiles:
        """Statistics of a range of tiles (default: all). Bitwise the same however the range is divided."""
        tiles = range(self.n_tiles) if tiles is None else tiles
        chunks = [tiles[i : i + self.tiles_at_once] for i in range(0, len(tiles), self.tiles_at_once)]
        return Tiles.concatenate([self._run_batch(chunk, progress) for chunk in chunks])

    def _run_batch(self, tiles: range, progress: Progress) -> Tiles:
        """Tiles that are simulated at once, spread over the local devices."""
        devices = min(jax.local_device_count(), len(tiles))
        # The last device may have less to do: it repeats the last tile, and the copy is dropped.
        each = math.ceil(len(tiles) / devices)
        padded = [min(tile, tiles[-1]) for tile in range(tiles.start, tiles.start + devices * each)]
        mesh, place = tile_mesh(devices)
        initials = [self._initial(tile, self.lanes) for tile in padded]
        keys = [replica_keys(self.seed, self.cell, tile * self.lanes, self.lanes) for tile in padded]
        state = place(_stack([self.kernel.init(start, key) for start, key in zip(initials, keys, strict=True)]))
        saved = place(_stack([buffer_for(self.kernel, initials[0], keys[0], len(self.times))] * len(padded)))

        propagate = make_propagator(mesh)
        pace = Pace(np.diff(self.steps, prepend=0), int(self.kernel.segment))
        while not pace.done:
            call = pace.next_call()
            state, saved = jax.block_until_ready(propagate(self.kernel, state, saved, each, *call.arguments))
            pace.record(call)
            progress(call.steps * self.replicas_of(tiles))
        return self._summarise(mesh, tiles, padded, saved, initials)

    def _summarise(self, mesh: Any, tiles: range, padded: list[int], saved: Any, initials: list[Initial]) -> Tiles:
        """Averages over the replicas of each tile, and every replica's deviation from theory."""
        valid = np.array([np.arange(self.lanes) + tile * self.lanes < self.replicas for tile in padded])
        reference, own_theory = self.theory_curve, None
        if self.theory is not None and self.start.per_replica:
            own_theory = self.theory.bind(self.problem)
        place = tile_mesh(mesh.size)[1]
        summary = make_summary(mesh, self.problem.order_parameters)
        numbers = summary(
            place(saved),
            place(valid),
            len(padded) // mesh.size,
            reference,
            own_theory,
            place(_stack(initials)) if own_theory is not None else None,
            jnp.asarray(self.realised_times),
        )
        keep = slice(0, len(tiles))
        parts = jax.tree.map(lambda array: np.asarray(array)[keep], numbers)
        for name in ("sup_deviation", "final_deviation"):
            parts[name] = parts[name][valid[keep]]
        return Tiles(**parts)

    def _initial(self, tile: int, size: int) -> Initial:
        """Starts of the first `size` replicas of a tile; a per-replica start draws from (seed, cell, tile)."""
        return self.start.draw(self.problem, np.random.default_rng([self.seed, self.cell, tile]), size)

    @cached_property
    def tiles_at_once(self) -> int:
        """Tiles that are simulated at once, on all devices together."""
        batch = self.batch or default_batch(self.bytes_per_replica, self.lanes)
        return min(max(1, batch // self.lanes), self.n_tiles)

    @cached_property
    def bytes_per_replica(self) -> int:
        """State, and float64 observables at every save time."""
        key = jax.ShapeDtypeStruct((2, self.lanes), jnp.uint32)
        saved = jax.eval_shape(
            lambda keys: buffer_for(self.kernel, self._initial(0, self.lanes), keys, len(self.times)), key
        )
        per_tile = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(saved))
        return self.simulator.bytes_per_replica(self.problem) + 2 * per_tile // self.lanes


def _stack(trees: list[Any]) -> Any:
    """Trees of arrays as one, with a leading axis of tiles."""
    return jax.tree.map(lambda *parts: np.stack([np.asarray(part) for part in parts]), *trees)
