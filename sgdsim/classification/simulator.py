"""The choice of the simulator: SGD of networks, all weights of them."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from sgdsim.classification.network import NetworkKernel, images_at_once
from sgdsim.classification.problem import Classification
from sgdsim.contracts import Problem, Simulator
from sgdsim.cost import StepCost
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Precision

LANES = 4
"""Networks of a tile, at most; two where they are large."""
LARGE = 2**20
"""Weights of a large network's first layer."""
SMALLEST_STEP = 1e-4
"""Of float32: smaller increments are lost in the weights."""


@dataclass(frozen=True)
class Network(Simulator):
    """SGD of all weights of a network; replicas are seeds, which share the data and nothing else.

    Observables are float64 sums.
    """

    precision: Precision = "float32"

    takes: ClassVar[type[Problem]] = Classification
    name: ClassVar[str] = "network"

    def check(self, problem: Classification) -> None:
        """Raises ArgumentError for float32 where a step eps < 1e-4 would be lost."""
        if self.precision == "float32" and problem.eps < SMALLEST_STEP:
            must = f"be float64 for a step eps < {SMALLEST_STEP:g}, here {problem.eps:.2g}"
            raise ArgumentError("precision", must, self.precision)

    def bind(self, problem: Classification, replicas: int, final: float) -> NetworkKernel:
        """The kernel of a problem, with tiles that are no larger than so many replicas need."""
        lanes = min(self._most_lanes(problem), 1 << (replicas - 1).bit_length())
        return NetworkKernel.of(problem, self.precision, lanes)

    def _most_lanes(self, problem: Classification) -> int:
        """Networks of a tile, where there are enough of them."""
        # Large networks fill the machine by themselves: more of them in a tile would only take memory.
        return LANES if problem.N * problem.images.pixels <= LARGE else 2

    def bytes_per_replica(self, problem: Classification) -> int:
        """Weights twice, the hidden layer of a batch, and a replica's part of the data and of a pass over them."""
        images, itemsize = problem.images, jnp.dtype(self.precision).itemsize
        weights = problem.N * (images.pixels + images.classes)
        data = images.train.size + images.test.size
        measured = 3 * images_at_once(problem.N, len(images.train)) * problem.N
        return (2 * weights + 4 * problem.batch * problem.N + (data + measured) // self._most_lanes(problem)) * itemsize

    def step_cost(self, problem: Classification) -> StepCost:
        """4 batch N (d + 1.5 classes) of the products, and the hidden layer."""
        images, hidden = problem.images, problem.batch * problem.N
        return StepCost(5.0 * hidden, 4.0 * hidden * (images.pixels + 1.5 * images.classes), loops=40.0, launches=12.0)
