"""An ensemble: many replicas of one problem, simulated tile by tile on all local devices and held against theory."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from sgdsim.ensemble.contracts import Initial, Kernel, Observables, Problem, Simulator, Start, Theory
from sgdsim.ensemble.devices import default_batch, tile_mesh
from sgdsim.ensemble.propagate import Call, Pace, buffer_for, make_propagator
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
        return Tiles.concatenate([self._begin(chunk).run(progress) for chunk in self._chunks(tiles)])

    def compile(self, tiles: range | None = None) -> None:
        """Compiles what `run` needs for these tiles, so that a clock started afterwards times the simulation alone."""
        for chunk in {len(chunk): chunk for chunk in self._chunks(tiles)}.values():
            self._begin(chunk).compile()

    def _chunks(self, tiles: range | None) -> list[range]:
        tiles = range(self.n_tiles) if tiles is None else tiles
        return [tiles[i : i + self.tiles_at_once] for i in range(0, len(tiles), self.tiles_at_once)]

    def _begin(self, tiles: range) -> "_Batch":
        """Tiles that are simulated at once, at t = 0, spread over the local devices."""
        devices = min(jax.local_device_count(), len(tiles))
        each = math.ceil(len(tiles) / devices)
        # A device has room for two tiles at least: around an axis of length one the compiler would arrange, and round,
        # the same sums otherwise. Room that is left over holds copies of the last tile, which are dropped.
        room = max(each, 2)
        slots = [device * each + min(slot, each - 1) for device in range(devices) for slot in range(room)]
        padded = [tiles[min(slot, len(tiles) - 1)] for slot in slots]
        mesh, place = tile_mesh(devices)
        initials = [self._initial(tile, self.lanes) for tile in padded]
        keys = [replica_keys(self.seed, self.cell, tile * self.lanes, self.lanes) for tile in padded]
        states = [self.kernel.init(start, key) for start, key in zip(initials, keys, strict=True)]
        saved = buffer_for(self.kernel, initials[0], keys[0], len(self.times))
        valid = [np.arange(self.lanes) + tile * self.lanes < self.replicas for tile in padded]
        return _Batch(
            ensemble=self,
            tiles=tiles,
            each=each,
            mesh=mesh,
            state=place(_stack(states)),
            saved=place(_stack([saved] * len(padded))),
            initials=place(_stack(initials)),
            valid=np.array(valid),
        )

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


@dataclass(frozen=True)
class _Batch:
    """`each` tiles on each device of a mesh, at t = 0. The last may be copies that fill up the mesh."""

    ensemble: Ensemble
    tiles: range
    each: int
    mesh: Mesh
    state: Any
    saved: Observables
    initials: Initial
    valid: Bool[np.ndarray, "tiles lanes"]

    def run(self, progress: Progress) -> Tiles:
        """The trajectories of these tiles, as statistics."""
        ensemble, state, saved = self.ensemble, self.state, self.saved
        propagate = make_propagator(self.mesh)
        pace = Pace(np.diff(ensemble.steps, prepend=0), int(ensemble.kernel.segment))
        while not pace.done:
            call = pace.next_call()
            state, saved = jax.block_until_ready(propagate(ensemble.kernel, state, saved, self.each, *call.arguments))
            pace.record(call)
            progress(call.steps * ensemble.replicas_of(self.tiles))
        return self._tiles(self._summary(saved, self.each))

    def compile(self) -> None:
        """Runs the compiled functions on no tile and for no step."""
        call = Call(np.zeros(len(self.ensemble.times), np.int64), first=0, stop=0, extra=0)
        _, saved = make_propagator(self.mesh)(self.ensemble.kernel, self.state, self.saved, 0, *call.arguments)
        jax.block_until_ready(self._summary(saved, 0))

    def _summary(self, saved: Observables, each: int) -> dict[str, Any]:
        """Averages over the replicas of each tile, and every replica's deviation from theory."""
        ensemble = self.ensemble
        own = ensemble.theory is not None and ensemble.start.per_replica
        return make_summary(self.mesh, ensemble.problem.order_parameters)(
            saved,
            tile_mesh(self.mesh.size)[1](self.valid),
            each,
            ensemble.theory_curve,
            ensemble.theory.bind(ensemble.problem) if ensemble.theory is not None and own else None,
            self.initials if own else None,
            jnp.asarray(ensemble.realised_times),
        )

    def _tiles(self, summary: dict[str, Any]) -> Tiles:
        """The summary on the host, without the copies and the lanes that hold no replica."""
        room = len(self.valid) // self.mesh.size
        keep = [device * room + slot for device in range(self.mesh.size) for slot in range(self.each)][
            : len(self.tiles)
        ]
        fields = jax.tree.map(lambda array: np.asarray(array)[keep], summary)
        for name in ("sup_deviation", "final_deviation"):
            fields[name] = fields[name][self.valid[keep]]
        return Tiles(**fields)


def _stack(trees: list[Any]) -> Any:
    """Trees of arrays as one, with a leading axis of tiles."""
    return jax.tree.map(lambda *parts: np.stack([np.asarray(part) for part in parts]), *trees)
