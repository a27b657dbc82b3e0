"""The simulators: particles on their own, beside their limit, and beside the linearised network."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import jax.numpy as jnp

from sgdsim.ensemble.contracts import Simulator
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.dynamics import Sgd
from sgdsim.meanfield.observables import UNROLLED
from sgdsim.meanfield.particle_kernel import ParticleKernel
from sgdsim.meanfield.problem import MeanField

SMALLEST_STEP = 1e-4
"""Steps below this lose their increments in float32: W + eps H is rounded to 1e-7 of W."""
_NUMBERS = 2**17
"""Weights of a tile, about: they stay in a core's cache."""
_MOST_LANES = 256


@dataclass(frozen=True)
class Particles(Simulator):
    """N particles per replica.

    - `precision`: of the loop. SGD with steps below 1e-4 needs float64.
    """

    precision: Literal["float32", "float64"] = "float32"

    name: ClassVar[str] = "particles"

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError where the increments of SGD would be lost in float32."""
        if isinstance(problem.dynamics, Sgd) and problem.dt < SMALLEST_STEP and self.precision == "float32":
            remedy = f'Steps of eps = {problem.dt:.2g} lose their increments in float32: set precision = "float64".'
            raise ArgumentError("precision", f"be float64 for steps below {SMALLEST_STEP:g}", self.precision, remedy)

    def bind(self, problem: MeanField, replicas: int, final: float) -> ParticleKernel:
        """The kernel of a problem, with tiles that are no larger than so many replicas need."""
        return ParticleKernel.of(problem, self.precision, self.most_lanes(problem, replicas))

    def most_lanes(self, problem: MeanField, replicas: int) -> int:
        """Replicas of a tile: a power of two, so many that a tile's weights stay in the cache."""
        room = min(_MOST_LANES, max(16, _NUMBERS // (problem.N * problem.model.dim)))
        return min(1 << (room.bit_length() - 1), 1 << (replicas - 1).bit_length())

    def bytes_per_replica(self, problem: MeanField) -> int:
        """The weights before and after a step, and a number per particle and unrolled atom that is not fused."""
        rows = min(len(problem.model.data.points), UNROLLED) if not isinstance(problem.dynamics, Sgd) else 2
        return (4 * problem.model.dim + rows) * problem.N * jnp.dtype(self.precision).itemsize

    def flops_per_step(self, problem: MeanField) -> float:
        """About 20 operations for each evaluation of F or its gradient: twice for every atom, or for those drawn."""
        shared = isinstance(problem.dynamics, Sgd) and problem.dynamics.common
        points = problem.dynamics.batch if shared else len(problem.model.data.points)
        return 40.0 * problem.N * points * max(1, problem.model.dim // 3)
