"""An ensemble: many replicas of one problem, simulated tile by tile on all local devices and held against theory."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import jax
import numpy as np
from jaxtyping import Bool, Float

from sgdsim.checks import integer
from sgdsim.contracts import Curve, Initial, Kernel, Observables, Problem, Simulator, Start, Theory
from sgdsim.cost import KERNEL, UNROLLED, Once, StepCost
from sgdsim.ensemble.batch import Bundle
from sgdsim.ensemble.devices import check_memory, default_batch, most_tiles
from sgdsim.ensemble.doors import check_drawn, check_kernel, check_observed, check_solved
from sgdsim.ensemble.evolution import Evolution, silent
from sgdsim.ensemble.parts import check_parts, check_problem
from sgdsim.ensemble.placed import Piece
from sgdsim.ensemble.programs import make_room
from sgdsim.ensemble.propagate import Progress
from sgdsim.ensemble.random import replica_keys, start_stream
from sgdsim.ensemble.shapes import bytes_observed, bytes_of, signature, tile_shapes
from sgdsim.ensemble.stack import form_of, own_bytes
from sgdsim.ensemble.statistics import divergence_bound
from sgdsim.ensemble.theory import solve_theory
from sgdsim.ensemble.tiles import Tiles
from sgdsim.ensemble.times import check_save_times

COPIES = 4
"""Of a kernel's state, where its simulator does not know better: before and after a step, and what is between."""


@dataclass(frozen=True)
class Ensemble(Evolution):
    """`replicas` trajectories of one problem, saved at `times` and compared with a theory.

    Every replica draws from a key of its own, (seed, cell, replica), also its start where it has one of its own, and
    replicas are averaged in tiles of a fixed size: neither `batch` nor the devices change a bit of the result.

    - `theory`: None for a simulation on its own.
    - `cell`: index of the problem in a grid; it separates the random numbers of different cells, unless the simulator
      pairs them.
    - `batch`: replicas simulated at once, fewer where the devices cannot hold them; the default fits their memory.
    - `followed`: replicas whose order parameters are kept at all save times.

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
    followed: tuple[int, ...] = ()
    unit: ClassVar[str] = "steps"

    def __post_init__(self) -> None:
        check_problem(self.problem)
        check_save_times(self.problem, self.times)
        for name, least, value in (("replicas", 1, self.replicas), ("seed", 0, self.seed), ("batch", 1, self.batch)):
            if name != "batch" or value is not None:
                object.__setattr__(self, name, integer(name, value, least))
        check_parts(self.problem, self.start, self.simulator, self.theory)

    @cached_property
    def kernel(self) -> Kernel:
        """The simulator bound to the problem, checked at the door."""
        kernel = self.simulator.bind(self.problem, self.replicas, float(self.realised_times[-1]))
        check_kernel(kernel, self.simulator, self.lanes)
        check_observed(tile_shapes(*signature(kernel, self._first_start))[1], kernel, self.problem)
        return kernel

    @cached_property
    def outline(self) -> Kernel:
        """The kernel as far as sizes need it: nothing is solved for it."""
        outline = self.simulator.outline(self.problem, self.replicas, float(self.realised_times[-1]))
        check_kernel(outline, self.simulator)
        return outline

    @property
    def lanes(self) -> int:
        """Replicas of a tile."""
        return self.outline.lanes

    def prepare(self) -> None:
        """Binds the simulator and solves the theory, which are kept. **Raises:** ArgumentError where that fails."""
        _ = self.form, self.theory_curve

    def check_memory(self) -> None:
        """Raises ArgumentError where a device cannot hold one tile, or the theory."""
        check_memory(self._state_bytes, self.lanes)
        super().check_memory()

    def work(self, tiles: range) -> int:
        """Steps of SGD are what a progress bar counts."""
        return self.replica_steps(tiles)

    @property
    def memory(self) -> int:
        """Bytes on all devices together for the replicas that are simulated at once, and for solving the theory."""
        return self.bytes_per_replica * self.lanes * self.tiles_at_once + self.theory_memory

    @cached_property
    def step_cost(self) -> StepCost:
        """What a step of one replica takes, for a plan."""
        return self.simulator.step_cost(self.problem)

    @property
    def replica_seconds(self) -> float:
        """Seconds of the simulator's arithmetic, where it must not depend on the machine."""
        return self.simulator.portable_cost(self.problem).arithmetic * self.total_steps

    @property
    def tile_seconds(self) -> float:
        """Seconds that one core takes for a tile; see `cost`."""
        observing = self.simulator.observe_cost(self.problem).on_core(self.lanes) * len(self.realised_times)
        return self.step_cost.on_core(self.lanes) * self.total_steps + observing

    @property
    def cost(self) -> float:
        """Seconds of one core for one replica, empty lanes included."""
        return self.tile_seconds * self.n_tiles / self.replicas

    def once(self) -> tuple[Once, ...]:
        """The kernel, what the simulator solves first, and what the theory does."""
        unrolled = UNROLLED * self.simulator.unrolled(self.problem)
        kernel = Once(self.program, compile=KERNEL + unrolled)
        return (kernel, *self.simulator.once(self.problem, float(self.realised_times[-1])), *super().once())

    @cached_property
    def program(self) -> tuple[Any, Any]:
        """Equal for cells whose kernels are of one shape: see `shapes.signature`."""
        return signature(self.outline, self._first_start)

    @cached_property
    def observed(self) -> Observables:
        """Shapes and types of the observables of a tile, checked at the door."""
        seen = tile_shapes(*self.program)[1]
        check_observed(seen, self.outline, self.problem)
        return seen

    @property
    def bytes_followed(self) -> int:
        """Bytes on the host of the trajectories that are followed."""
        numbers = sum(self.observed[name].size for name in self.problem.order_parameters) // self.lanes
        return 8 * numbers * len(self.times) * len(self.followed)

    @cached_property
    def _state_bytes(self) -> int:
        """Bytes that a replica holds while it runs, beside its observables."""
        told = self.simulator.bytes_per_replica(self.problem)
        return told or COPIES * bytes_of(tile_shapes(*self.program)[0]) // self.lanes

    @cached_property
    def theory_curve(self) -> Observables | None:
        """The theory of a shared start, time axis first; None without a theory or where every replica has its own."""
        if self.theory is None or self.start.per_replica:
            return None
        solved = solve_theory(self.problem, self.start, self.realised_times, self.theory)
        check_solved(solved, self.theory, self.problem, len(self.times), self.observed)
        return solved

    @cached_property
    def form(self) -> Hashable:
        """What ensembles must have in common to be simulated in one `Bundle`.

        Their kernels, starts and theories have the same structure and static fields, and arrays of the same shapes;
        large arrays, as a data set, are the same ones. So all that shapes a program must be equal, e.g. p, k, the batch
        and the activation, the width N of particles, or d where the weights have as many columns; whatever is a number
        in it may differ, e.g. the step size, the noise, d of the exact chain, and the number of steps.
        """
        theory = self.theory and (self.theory.name, form_of(self._own_curve))
        start = (self.start.per_replica, form_of(self._first_start))
        return form_of(self.kernel), start, theory, len(self.times), self.problem.order_parameters

    @cached_property
    def _own_curve(self) -> Curve | None:
        """The theory where every replica has a start of its own."""
        if self.theory is None or not self.start.per_replica:
            return None
        curve = self.theory.bind(self.problem)
        initial = jax.tree.map(lambda part: part[0], self._first_start)
        solved = jax.eval_shape(curve, initial, jax.ShapeDtypeStruct((len(self.times),), np.float64))
        check_solved(solved, self.theory, self.problem, len(self.times), self.observed)
        return curve

    def run(self, tiles: range | None = None, progress: Progress = silent) -> Tiles:
        """Statistics of a range of tiles (default: all). Bitwise the same however the range is divided."""
        make_room()
        return self._bundle(tiles).run(progress)[0]

    def _bundle(self, tiles: range | None) -> Bundle:
        return Bundle([(self, range(self.n_tiles) if tiles is None else tiles)])

    def begin(self, tiles: range) -> Piece:
        """These tiles at t = 0."""
        own = self.start.per_replica
        first, count = tiles.start * self.lanes, len(tiles) * self.lanes
        keys = replica_keys(self.seed, self._stream, first, count).reshape(2, len(tiles), self.lanes)
        return Piece(
            kernel=self.kernel,
            initials=self._own_starts(tiles) if own else self._first_start,
            own=own,
            keys=np.moveaxis(keys, 0, 1),
            valid=np.array([self.replicas_of(range(tile, tile + 1)) for tile in tiles]),
            increments=np.diff(self.steps, prepend=0),
            times=self.realised_times,
            curve=self._own_curve,
            theory_curve=self.theory_curve,
            order_parameters=self.problem.order_parameters,
            bound=divergence_bound(self.problem, self.start, self.total_steps),
            followed=self._followed(first, count).reshape(len(tiles), -1) if self.followed else None,
        )

    def _followed(self, first: int, count: int) -> Bool[np.ndarray, " replicas"]:
        """Whether each of so many replicas from the first on is followed."""
        return np.isin(np.arange(first, first + count), self.followed)

    @property
    def _stream(self) -> int:
        """The cell whose random numbers this one has."""
        return 0 if self.simulator.paired else self.cell

    @cached_property
    def _first_start(self) -> Initial:
        """The start of the first replica or, where they share one, of all; with a leading axis of 1."""
        initial = self._start_of(0)
        check_drawn(self.start, initial)
        return initial

    def _start_of(self, replica: int) -> Initial:
        """The start of one replica, with a leading axis of 1."""
        rng = start_stream(self.seed, self.start.seed, self._stream, replica)
        return self.start.draw(self.problem, rng, 1)

    def _own_starts(self, tiles: range) -> Initial:
        """The start of every replica, with a leading axis of tiles, then one of lanes."""
        starts = map(self._start_of, range(tiles.start * self.lanes, tiles.stop * self.lanes))

        def arranged(*parts: np.ndarray) -> np.ndarray:
            return np.concatenate(parts).reshape(len(tiles), self.lanes, *parts[0].shape[1:])

        return jax.tree.map(arranged, *starts)

    @cached_property
    def room(self) -> int:
        """Tiles of such an ensemble that may be simulated at once, on all devices together."""
        batch = self.batch or default_batch(self.bytes_per_replica, self.lanes)
        return min(max(1, batch // self.lanes), most_tiles(self.bytes_per_replica, self.lanes))

    @property
    def tiles_at_once(self) -> int:
        """Tiles that are simulated at once, on all devices together."""
        return min(self.room, self.n_tiles)

    @cached_property
    def bytes_per_replica(self) -> int:
        """State, float64 observables at every save time, and a tile's copy of what differs from cell to cell."""
        copies = 3 if self.followed else 2
        per_tile = copies * bytes_observed(*self.program) * len(self.times) + own_bytes(self.outline)
        return self._state_bytes + per_tile // self.lanes
