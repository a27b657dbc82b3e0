"""Theory without a simulation: an ensemble of no replica, whose only tile holds the curve."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from sgdsim.contracts import Problem, Start, Theory
from sgdsim.cost import STORING
from sgdsim.ensemble.evolution import Evolution, silent
from sgdsim.ensemble.parts import check_parts, check_problem
from sgdsim.ensemble.propagate import Progress
from sgdsim.ensemble.theory import solve_unchecked
from sgdsim.ensemble.tiles import Tiles
from sgdsim.ensemble.times import check_save_times
from sgdsim.errors import ArgumentError


@dataclass(frozen=True)
class TheoryAlone(Evolution):
    """The theory of one problem at the realised save times nu dt.

    A curve that blows up is a result like any other: its values that are not finite are kept.

    **Raises:** ArgumentError where there is no theory, or it or the start does not fit the problem.
    """

    problem: Problem
    start: Start
    theory: Theory | None
    times: Float[np.ndarray, " times"]
    replicas: int = field(default=0, init=False)
    unit: ClassVar[str] = "cells"

    def __post_init__(self) -> None:
        check_problem(self.problem)
        check_save_times(self.problem, self.times)
        if self.theory is None:
            raise ArgumentError("theory", "be given where nothing is simulated", None)
        check_parts(self.problem, self.start, theory=self.theory)
        if self.start.per_replica:
            raise ArgumentError("per_replica", "be false where nothing is simulated", True)

    @property
    def lanes(self) -> int:
        """Its one tile is as narrow as a tile can be."""
        return 1

    def work(self, tiles: range) -> int:
        """The cell itself is what a progress bar counts."""
        return len(tiles)

    @property
    def replica_seconds(self) -> float:
        """None: a curve is in one block, however long it takes."""
        return 0.0

    @property
    def cost(self) -> float:
        """Seconds of its theory, and of what is stored of it."""
        return self.theory_seconds + STORING

    def prepare(self) -> None:
        """Compiling, and solving, is the work itself."""

    def run(self, tiles: range | None = None, progress: Progress = silent) -> Tiles:
        """Solves the theory: its curve is the one tile of an ensemble without replicas."""
        assert self.theory is not None  # or it would not have been made
        curve = solve_unchecked(self.problem, self.start, self.realised_times, self.theory)
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
