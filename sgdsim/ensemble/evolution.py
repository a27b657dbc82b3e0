"""What one cell comes to, tile by tile: an ensemble of replicas of its problem, or its theory alone."""

import abc
import math
from collections.abc import Hashable
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from sgdsim.contracts import Problem, Start, Theory
from sgdsim.cost import Once
from sgdsim.ensemble.devices import check_theory_memory
from sgdsim.ensemble.propagate import Progress
from sgdsim.ensemble.tiles import Tiles


def silent(work: int) -> None:
    """The progress of a run that nobody watches."""


class Evolution(abc.ABC):
    """A problem from its start on, at save times: simulated (`Ensemble`) or solved (`TheoryAlone`).

    - `times`: save times, increasing, >= 0. They are realised as nu dt with nu = round(t/dt).
    - `replicas`: trajectories; none of a theory alone, whose only tile holds the curve.
    - `unit`: what `work` is counted in.
    """

    problem: Problem
    start: Start
    theory: Theory | None
    times: Float[np.ndarray, " times"]
    replicas: int
    unit: ClassVar[str]

    @property
    @abc.abstractmethod
    def lanes(self) -> int:
        """Replicas of a tile."""

    @property
    def n_tiles(self) -> int:
        """Tiles in all; the last may be partly empty."""
        return max(1, math.ceil(self.replicas / self.lanes))

    @cached_property
    def steps(self) -> Int[np.ndarray, " times"]:
        """Steps nu at the save times."""
        return self.problem.steps(np.asarray(self.times, np.float64))

    @property
    def total_steps(self) -> int:
        """Steps to the last save time."""
        return int(self.steps[-1])

    @property
    def realised_times(self) -> Float[np.ndarray, " times"]:
        """nu dt: where simulation and theory are compared."""
        return self.steps * self.problem.dt

    def replicas_of(self, tiles: range) -> int:
        """Replicas in a range of tiles."""
        return min(tiles.stop * self.lanes, self.replicas) - tiles.start * self.lanes

    def replica_steps(self, tiles: range) -> int:
        """Steps of SGD of a range of tiles, summed over their replicas."""
        return self.replicas_of(tiles) * self.total_steps

    @abc.abstractmethod
    def work(self, tiles: range) -> int:
        """What a progress bar counts, in the `unit`."""

    @cached_property
    def form(self) -> Hashable:
        """What must be equal for several to be made in one `Bundle`; None where that cannot be."""
        return None

    @property
    def memory(self) -> int:
        """Bytes on all devices together."""
        return self.theory_memory

    @property
    def theory_memory(self) -> int:
        """Bytes that solving the theory takes."""
        return 0 if self.theory is None else self.theory.memory(self.problem, self.realised_times)

    def check_memory(self) -> None:
        """Raises ArgumentError where a device cannot hold what is made of it at once."""
        if self.theory is not None:
            check_theory_memory(self.theory.name, self.theory_memory)

    @property
    @abc.abstractmethod
    def replica_seconds(self) -> float:
        """Seconds of arithmetic of one replica, reckoned alike on every machine: cells are cut into blocks by them."""

    @property
    @abc.abstractmethod
    def cost(self) -> float:
        """Seconds of one core for one replica, or for the theory alone, by which cells are compared."""

    @property
    def theory_seconds(self) -> float:
        """Seconds that the theory of this cell alone takes; see `cost`."""
        return 0.0 if self.theory is None else self.theory.cost(self.problem, self.start, self.realised_times)

    def once(self) -> tuple[Once, ...]:
        """What is compiled and solved for all cells that share it."""
        return () if self.theory is None else self.theory.once(self.problem, self.start, self.realised_times)

    @abc.abstractmethod
    def prepare(self) -> None:
        """Makes what has to be there before the work begins. **Raises:** ArgumentError where that fails."""

    @abc.abstractmethod
    def run(self, tiles: range | None = None, progress: Progress = silent) -> Tiles:
        """A range of tiles (default: all). Bitwise the same however the range is divided."""
