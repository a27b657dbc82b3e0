"""The simulators: particles alone, beside their limit, averages, copies, SDE, or the linearised network."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from sgdsim.contracts import Kernel, Problem, Simulator
from sgdsim.cost import Once, StepCost
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.dynamics import Sgd
from sgdsim.meanfield.kernels.approximation import COPIES, FOLDS, ApproximationKernel
from sgdsim.meanfield.kernels.averaged import AveragedKernel
from sgdsim.meanfield.kernels.copies import COUNT, CopiesKernel
from sgdsim.meanfield.kernels.linearised import LinearisedKernel
from sgdsim.meanfield.kernels.pair import PairKernel
from sgdsim.meanfield.kernels.particle import ParticleKernel
from sgdsim.meanfield.kernels.regimes import RegimesKernel
from sgdsim.meanfield.limits.drives import atoms_of
from sgdsim.meanfield.limits.limit import limit_cost
from sgdsim.meanfield.observables import UNROLLED
from sgdsim.meanfield.problem import MeanField, check_plain
from sgdsim.meanfield.quadratic import GaussianQuadratic
from sgdsim.parameters import Precision

SMALLEST_STEP = 1e-4
"""Steps below this lose their increments in float32: W + eps H is rounded to 1e-7 of W."""
_NUMBERS = 2**16
"""Weights of a tile, about: they stay in a core's cache."""
_LEAST_LANES, _LEAST_LANES_OF_SUMS = 8, 16
"""Replicas of a tile at least, with SGD on shared data, and where sums over many inputs are to be vectorised."""
_MOST_LANES = 256


@dataclass(frozen=True)
class Particles(Simulator):
    """N particles per replica. SGD with steps below 1e-4 needs float64."""

    precision: Precision = "float32"

    takes: ClassVar[type[Problem]] = MeanField
    name: ClassVar[str] = "particles"

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError where the increments of SGD would be lost in float32."""
        self._check_step(problem, problem.dt)

    def bind(self, problem: MeanField, replicas: int, final: float) -> Kernel:
        """The kernel of a problem, with tiles that are no larger than so many replicas need."""
        self._check_last(problem, final)
        return ParticleKernel.of(problem, self.precision, self.most_lanes(problem, replicas))

    def _check_step(self, problem: MeanField, step: float) -> None:
        if isinstance(problem.dynamics, Sgd) and step < SMALLEST_STEP and self.precision == "float32":
            remedy = f'Steps of eps = {step:.2g} lose their increments in float32: set precision = "float64".'
            raise ArgumentError("precision", f"be float64 for steps below {SMALLEST_STEP:g}", self.precision, remedy)

    def _check_last(self, problem: MeanField, final: float) -> None:
        """Raises ArgumentError where the last of steps that fall would be lost in float32."""
        if problem.schedule is not None:
            self._check_step(problem, problem.dt * float(problem.schedule.value(jnp.asarray(final))))

    def most_lanes(self, problem: MeanField, replicas: int) -> int:
        """Replicas of a tile: a power of two, so many that a tile's weights stay in the cache."""
        shared = isinstance(problem.dynamics, Sgd) and problem.dynamics.common
        least = _LEAST_LANES if shared else _LEAST_LANES_OF_SUMS
        room = min(_MOST_LANES, max(least, _NUMBERS // (problem.N * problem.model.dim)))
        # No more lanes than replicas, rounded up: what goes beyond is simulated and thrown away.
        return min(1 << (room.bit_length() - 1), 1 << (replicas - 1).bit_length())

    def bytes_per_replica(self, problem: MeanField) -> int:
        """The weights before and after a step, and what is not fused: a few numbers per particle and unrolled atom.

        Atoms beyond `UNROLLED` are taken one at a time: never an array of replicas times particles times atoms.
        """
        rows = min(len(atoms_of(problem.model).points), UNROLLED) if not isinstance(problem.dynamics, Sgd) else 2
        return (4 * problem.model.dim + 3 * rows) * problem.N * jnp.dtype(self.precision).itemsize

    def step_cost(self, problem: MeanField) -> StepCost:
        """F and its gradient at every atom, or at those drawn; a normal for each particle with noise of its own."""
        shared = isinstance(problem.dynamics, Sgd) and problem.dynamics.common
        points = problem.dynamics.batch if shared else len(atoms_of(problem.model).points)
        normals = 0 if problem.dynamics.common else problem.N * problem.model.dim
        return StepCost(self._feature(problem, points) + 30.0 * normals, loops=40.0, launches=8.0)

    def _feature(self, problem: MeanField, points: int) -> float:
        """Operations of F and its gradient for all particles at so many points: 18 for one weight or two (measured)."""
        if problem.model.joined:
            # `sgdsim run meanfield/mei`: 1.4 ns a weight in float64. Float32, not measured, has vectors twice as wide.
            each = problem.model.dim * (18.0 if self.precision == "float64" else 9.0)
        else:
            each = 18.0 * max(1, problem.model.dim // 3)
        return each * problem.N * points


@dataclass(frozen=True)
class Pair(Particles):
    """The particles and their limits, which share the start and the noise: how far they are apart."""

    name: ClassVar[str] = "pair"

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError as `Particles`, for data from a sampler, and for a < 1, where there is no such limit."""
        super().check(problem)
        _check_atoms(problem, self.name)
        if problem.a < 1:
            remedy = 'Use kind = "linearised" for the lazy scaling.'
            raise ArgumentError("a", "be 1 for particles beside their mean-field limit", problem.a, remedy)

    def bind(self, problem: MeanField, replicas: int, final: float) -> Kernel:
        """The kernel of a problem, with its limit up to the time `final`."""
        self._check_last(problem, final)
        return PairKernel.of(problem, self.precision, self.most_lanes(problem, replicas), final)

    def outline(self, problem: MeanField, replicas: int, final: float) -> Kernel:
        """The kernel as `bind` makes it, but for the limit, which would have to be solved."""
        return PairKernel.outline(problem, self.precision, self.most_lanes(problem, replicas))

    def bytes_per_replica(self, problem: MeanField) -> int:
        """Twice the particles, and the largest distance of each."""
        return 2 * super().bytes_per_replica(problem) + 2 * problem.N * jnp.dtype(self.precision).itemsize

    def step_cost(self, problem: MeanField) -> StepCost:
        """The particles' own, and the drift of their limits over all atoms."""
        own = super().step_cost(problem)
        drift = self._feature(problem, len(atoms_of(problem.model).points))
        return StepCost(own.operations + drift, loops=2 * own.loops, launches=2 * own.launches)

    def once(self, problem: MeanField, final: float) -> tuple[Once, ...]:
        """The limit, which all N share."""
        # A random limit is no curve: it is followed beside the particles, in the same loop.
        return () if problem.random_limit else (limit_cost(problem, final),)


@dataclass(frozen=True)
class Linearised(Particles):
    """The particles beside the network linearised about their start: the lazy scaling, a < 1."""

    name: ClassVar[str] = "linearised"

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError as `Particles`, for data from a sampler, and for noise that is not common.

        The linearised network has no particles that could feel a noise of their own.
        """
        super().check(problem)
        _check_atoms(problem, self.name)
        check_plain(problem, f"the simulator {self.name!r}")
        if not problem.dynamics.common:
            remedy = "The linearised network has no particles that could feel a noise of their own."
            raise ArgumentError("noise", "be common beside the linearised network", "independent", remedy)

    def bind(self, problem: MeanField, replicas: int, final: float) -> Kernel:
        """The kernel of a problem."""
        return LinearisedKernel.of(problem, self.precision, self.most_lanes(problem, replicas))

    def bytes_per_replica(self, problem: MeanField) -> int:
        """The particles, their start, and the kernel."""
        kernel = 2 * len(atoms_of(problem.model).points) ** 2 * jnp.dtype(self.precision).itemsize
        return super().bytes_per_replica(problem) + 2 * problem.model.dim * problem.N * 8 + kernel


@dataclass(frozen=True)
class Averaged(Particles):
    """The particles beside their running means: Polyak and Ruppert's average of the weights over all steps so far."""

    name: ClassVar[str] = "averaged"

    def bind(self, problem: MeanField, replicas: int, final: float) -> Kernel:
        """The kernel of a problem."""
        self._check_last(problem, final)
        return AveragedKernel.of(problem, self.precision, self.most_lanes(problem, replicas))

    def bytes_per_replica(self, problem: MeanField) -> int:
        """Twice the particles."""
        return 2 * super().bytes_per_replica(problem)


@dataclass(frozen=True)
class Regimes(Particles):
    """A network of quadratic units beside the two models that are linear about its start, fitted to the population."""

    name: ClassVar[str] = "regimes"

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError as `Particles`, for another target, and for more features than there are matrices."""
        super().check(problem)
        if not isinstance(problem.model.data, GaussianQuadratic):
            raise ArgumentError("model", "be quadratic for the simulator 'regimes'", problem.model.name)
        most = problem.model.dim * (problem.model.dim + 1) // 2
        if most <= problem.N:
            raise ArgumentError("N", f"be below d (d + 1)/2 = {most}: more features have no unique fit", problem.N)

    def bind(self, problem: MeanField, replicas: int, final: float) -> Kernel:
        """The kernel of a problem."""
        self._check_last(problem, final)
        return RegimesKernel.of(problem, self.precision, self.most_lanes(problem, replicas))


@dataclass(frozen=True)
class Copies(Particles):
    """Seven runs a replica, four of their own and three on the data of the first: how independent two particles are."""

    name: ClassVar[str] = "copies"

    def bind(self, problem: MeanField, replicas: int, final: float) -> Kernel:
        """The kernel of a problem."""
        self._check_last(problem, final)
        return CopiesKernel.of(problem, self.precision, self.most_lanes(problem, replicas))

    def bytes_per_replica(self, problem: MeanField) -> int:
        """Seven times the particles."""
        return COUNT * super().bytes_per_replica(problem)

    def step_cost(self, problem: MeanField) -> StepCost:
        """Seven times the particles' own."""
        own = super().step_cost(problem)
        return StepCost(COUNT * own.operations, loops=own.loops, launches=own.launches)


@dataclass(frozen=True)
class Approximation(Particles):
    """Runs of SGD and of its SDE from the start of a replica: how far their laws are apart."""

    name: ClassVar[str] = "approximation"

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError as `Particles`, and unless particles of one weight learn finitely many atoms by SGD."""
        super().check(problem)
        _check_atoms(problem, self.name)
        check_plain(problem, f"the simulator {self.name!r}")
        if not isinstance(problem.dynamics, Sgd):
            raise ArgumentError("dynamics", "be SGD: its SDE is simulated beside it", problem.dynamics.name)
        if problem.model.dim > 1 or problem.a < 1:
            remedy = "In one dimension the best assignment is that of sorted particles."
            raise ArgumentError("model", "have particles of one weight, and a = 1", problem.model.name, remedy)

    def bind(self, problem: MeanField, replicas: int, final: float) -> Kernel:
        """The kernel of a problem."""
        return ApproximationKernel.of(problem, self.precision, self.most_lanes(problem, replicas))

    def most_lanes(self, problem: MeanField, replicas: int) -> int:
        """One: the runs of a replica fill the vectors of a core, and its cache."""
        return 1

    def bytes_per_replica(self, problem: MeanField) -> int:
        """The particles of all runs of both, sorted too."""
        return 4 * FOLDS * COPIES * super().bytes_per_replica(problem)

    def step_cost(self, problem: MeanField) -> StepCost:
        """Of all runs: SGD's own, and five passes over the atoms."""
        own, atoms = super().step_cost(problem), self._feature(problem, len(atoms_of(problem.model).points))
        return StepCost(FOLDS * COPIES * (own.operations + 5 * atoms), loops=2 * own.loops, launches=2 * own.launches)


def _check_atoms(problem: MeanField, name: str) -> None:
    if problem.model.atoms is None:
        raise ArgumentError("model", f"have finitely many atoms for the simulator {name!r}", problem.model.name)
