"""Theory without a simulation, as a sweep takes it: an ensemble of no replica, whose only tile holds the curve."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from sgdsim.contracts import Problem, Start, Theory
from sgdsim.cost import STORING, Once
from sgdsim.ensemble.devices import check_theory_memory
from sgdsim.ensemble.parts import check_parts, check_problem
from sgdsim.ensemble.replicas import silent
from sgdsim.ensemble.theory import solve_unchecked
from sgdsim.ensemble.tiles import Tiles
from sgdsim.ensemble.times import check_save_times
from sgdsim.errors import ArgumentError


@dataclass(frozen=True)
class TheoryAlone:
    """The theory of one problem at the realised save times nu dt, with what a sweep asks of an `Ensemble`.

    A curve that blows up is a result like any other: its values that are not finite are kept.

    **Raises:** ArgumentError where the theory or the start does not fit the problem.
    """

    problem: Problem
    start: Start
    theory: Theory
    times: Float[np.ndarray, " times"]
    unit: ClassVar[str] = "cells"
    replicas: ClassVar[int] = 0
    lanes: ClassVar[int] = 1
    n_tiles: ClassVar[int] = 1
    replica_seconds: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_problem(self.problem)
        check_save_times(self.problem, self.times)
        check_parts(self.problem, self.start, theory=self.theory)
        if self.start.per_replica:
            raise ArgumentError("per_replica", "be false where nothing is simulated", True)

    @cached_property
    def steps(self) -> Int[np.ndarray, " times"]:
        """Steps nu at the save times."""
        return self.problem.steps(np.asarray(self.times, np.float64))

    @property
    def total_steps(self) -> int:
        """Steps to the last save time."""
        return int(self.steps[-1])

    @property
    def memory(self) -> int:
        """Bytes that solving the theory takes."""
        return self.theory.memory(self.problem, self.steps * self.problem.dt)

    @property
    def cost(self) -> float:
        """Seconds by which cells are compared: those of its theory, and of what is stored of it."""
        return self.theory_seconds + STORING

    @property
    def theory_seconds(self) -> float:
        """Seconds that the theory takes; see `cost`."""
        return self.theory.cost(self.problem, self.start, self.steps * self.problem.dt)

    def once(self) -> tuple[Once, ...]:
        """What is compiled and solved for all cells that share it."""
        return self.theory.once(self.problem, self.start, self.steps * self.problem.dt)

    def check_memory(self) -> None:
        """Raises ArgumentError where a device cannot hold the theory."""
        check_theory_memory(self.theory.name, self.memory)

    def replica_steps(self, tiles: range) -> int:
        """Steps of SGD: none."""
        return 0

    def work(self, tiles: range) -> int:
        """What a progress bar counts: the cell itself."""
        return len(tiles)

    def prepare(self) -> None:
        """Compiling, and solving, is the work itself."""

    def run(self, tiles: range | None = None, progress: Callable[[int], None] = silent) -> Tiles:
        """Solves the theory: its curve is the one tile of an ensemble without replicas."""
        curve = solve_unchecked(self.problem, self.start, self.steps * self.problem.dt, self.theory)
        progress(1)
        none = np.zeros(1, np.int64)
        return Tiles(
            count=none,
            diverged=none,
            mean={},
            m2={},
            theory={name: value[None] for name, value in curve.items()},
            sup_deviation=np.empty(0),
            final_deviation=np.empty(0),
        )
