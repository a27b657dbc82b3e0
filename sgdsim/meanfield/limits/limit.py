"""The McKean-Vlasov limit N -> infinity: one particle driven by the law of all.

beta < 1: W' = -h(W, lam_t). beta = 1, independent noise: dW = -h dt + sqrt(gamma/batch) Sigma^(1/2) dB. beta = 1 with
noise common to all particles has a random limit, which is not here.
"""

import math
from collections.abc import Hashable
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array

from sgdsim.checks import positive
from sgdsim.cost import Once
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.dynamics import Sde
from sgdsim.meanfield.kernels.particle import drive_of
from sgdsim.meanfield.limits import characteristics, radial, sobol_particles
from sgdsim.meanfield.limits.density import CELLS, Density, solve_density
from sgdsim.meanfield.limits.radial import is_radial
from sgdsim.meanfield.limits.scheduled import ScheduledSolution, elapsed
from sgdsim.meanfield.limits.solution import SPACING, Limit, Solution, identity, refined, rounded_up
from sgdsim.meanfield.limits.teacher_limit import TeacherSolution, follows_teacher
from sgdsim.meanfield.model import GaussianLaw, Model, first_weight
from sgdsim.meanfield.observables import Positions
from sgdsim.meanfield.problem import MeanField

_COARSE = 0.1
"""Step of RK4 for many particles; a spline then gives the times between."""
_MOST_SAVES = 2000
"""Times that a law with weight decay is kept at."""
_KEPT = 16
"""Limits that are kept in memory."""


class LimitDrift(eqx.Module):
    """The velocity -h(W, m(t)) of a particle in the limit without noise."""

    model: Model
    limit: Limit

    def __call__(self, W: Positions, t: Array) -> Positions:
        """The drift -h(w, m) of a particle."""
        return characteristics.drift(self.model, W, self.limit.m_at(t)[:, None])


class CharacteristicSolution(Solution):
    """beta < 1, particles of one weight: 200 Gauss-Hermite nodes by RK4."""

    seconds = 0.05

    def __init__(self, problem: MeanField, final: float) -> None:
        self.model = model = problem.model
        steps = max(1, math.ceil(final / SPACING))
        nodes, weights = characteristics.hermite_nodes(model)
        self.limit = Limit(final / steps, *characteristics.evolve(model, nodes, weights, final / steps, steps))

    def histogram(self, times: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """From starts at known quantiles, whose order the flow keeps."""
        z, below = characteristics.quantile_grid()
        starts = np.asarray(self.model.law(jnp.asarray(z)[None, :, None]))
        moved = characteristics.follow(LimitDrift(self.model, self.limit), tuple(starts), jnp.asarray(times))
        values = np.asarray(jax.vmap(self.model.coordinate)(moved))[..., 0]
        return characteristics.fractions(values, below, edges)


class DensitySolution(Solution):
    """beta = 1 with independent noise, particles of one weight: the Fokker-Planck equation."""

    seconds = 0.5

    def __init__(self, problem: MeanField, final: float) -> None:
        model, noise, extras = problem.model, problem.limit_noise, (problem.schedule, problem.decay)
        # Decay is slow: over long times the law is kept at fewer of them.
        spacing = SPACING if problem.decay is None else max(SPACING, final / _MOST_SAVES)
        self.density: Density = solve_density(model, noise, final, spacing, CELLS, *extras)
        columns = (jnp.asarray(values)[:, None] for values in (self.density.mean, self.density.variance))
        self.limit = Limit(self.density.spacing, jnp.asarray(self.density.m), *columns)

    def histogram(self, times: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """Histogram of the limit's density."""
        return self.density.histogram(times, edges)


class ParticleSolution(Solution):
    """2^17 particles from Sobol points: by RK4 for beta < 1, else by the steps of the problem's own drive."""

    seconds = 0.7

    def __init__(self, problem: MeanField, final: float) -> None:
        self.model, self.start = problem.model, sobol_particles.sobol_start(problem.model)
        self.drive = None if problem.beta < 1 else drive_of(problem)
        if self.drive is None:
            # A spline without knots next to its ends is more than one cubic from five points on.
            steps = max(4, math.ceil(final / _COARSE))
            weights = 1 / len(self.start[0])
            found = characteristics.evolve(self.model, self.start, weights, final / steps, steps)
            self.limit = refined(final / steps, found)
        else:
            steps = max(1, math.ceil(final / self.drive.dt))
            self.limit = Limit(self.drive.dt, *sobol_particles.evolve(self.model, self.drive, self.start, steps))

    def histogram(self, times: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """By counting the particles, a second time on their way."""
        if self.drive is not None:
            at = jnp.asarray(np.rint(times / self.drive.dt).astype(np.int64))
            return np.asarray(sobol_particles.histograms(self.model, self.drive, self.start, at, jnp.asarray(edges)))
        drift = LimitDrift(self.model, self.limit)
        counts = Partial(sobol_particles.binned, self.model, jnp.asarray(edges))
        return np.asarray(characteristics.follow(drift, self.start, jnp.asarray(times), counts, _COARSE))


class RadialSolution(Solution):
    """Two Gaussians told apart by |w|, d -> infinity: m = (Q+, Q-)."""

    seconds = 0.5

    def __init__(self, problem: MeanField, final: float) -> None:
        self.model = model = problem.model
        steps = max(1, math.ceil(final / SPACING))
        Q, square = radial.evolve(*radial.start_nodes(model), final / steps, steps)
        each = jnp.broadcast_to(square[:, None] / model.dim, (steps + 1, model.dim))
        self.limit = Limit(final / steps, Q, jnp.zeros_like(each), each)

    def histogram(self, times: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """Of r, from starts at known quantiles, whose order the flow keeps."""
        starts, below = radial.start_quantiles(self.model)
        (moved,) = characteristics.follow(RadialDrift(self.limit), starts, jnp.asarray(times))
        return characteristics.fractions(np.asarray(moved)[..., 0], below, edges)


class RadialDrift(eqx.Module):
    """The velocity -psi'(r) at (Q+, Q-) of a limit."""

    limit: Limit

    def __call__(self, r: Positions, t: Array) -> Positions:
        """The velocity -psi'(r) of a radius."""
        return radial.velocity(r, self.limit.m_at(t))


def solve_limit(problem: MeanField, final: float) -> Limit:
    """The limit up to `final`, for all N alike; see `solution`."""
    return solution(problem, final).limit


def solution(problem: MeanField, final: float) -> Solution:
    """The limit of a problem, solved up to `final` or a little beyond, and kept: it does not depend on N.

    **Raises:** ArgumentError where the limit is random, or of a lazy network (a < 1), or where a sampler of data gives
    no drift, and unless final > 0.
    """
    check_limit(problem)
    key = _key(problem, positive("final", final))
    if key not in _solved:
        if len(_solved) >= _KEPT:
            # The oldest: a grid goes through its models in turn and does not come back.
            del _solved[next(iter(_solved))]
        _solved[key] = _solve(problem, key[-1])
    return _solved[key]


def limit_cost(problem: MeanField, final: float) -> Once:
    """What solving the limit up to `final` takes, for a plan: once for all N that share it."""
    kind = kind_of(problem)
    return Once((kind, _key(problem, final)), compile=kind.compiling, solve=kind.seconds * final)


def _key(problem: MeanField, final: float) -> tuple[Hashable, Hashable, float]:
    """What a solution depends on: model and schedule, at beta = 1 the dynamics, and the last time it is solved to."""
    dynamics = (problem.gamma, problem.dynamics) if problem.beta == 1 else None
    schedule = problem.schedule and (problem.schedule.t0, problem.schedule.exponent)
    return identity(problem.model), (dynamics, schedule, problem.decay), rounded_up(final)


_solved: dict[Hashable, Solution] = {}


def check_limit(problem: MeanField) -> None:
    """Raises ArgumentError as `solution`."""
    if problem.a < 1:
        raise ArgumentError("a", "be 1 for the mean-field limit", problem.a, 'Take the theory "ntk" for a < 1.')
    if problem.random_limit:
        remedy = "With noise common to all particles, as SGD has it, the limit at beta = 1 is random."
        raise ArgumentError("beta", "be below 1 for a deterministic limit", problem.beta, remedy)
    if not may_decay(problem):
        remedy = 'It is solved for particles of one weight at beta = 1, with dynamics = "sde" and noise of their own.'
        raise ArgumentError("decay", "be left out for this limit", problem.decay, remedy)
    if not has_drift(problem.model):
        remedy = "Of samplers the drift is known for radial_model and teacher_model, from a symmetric law."
        raise ArgumentError("model", "have finitely many atoms for its limit", problem.model.name, remedy)


def may_decay(problem: MeanField) -> bool:
    """Whether there is no weight decay, or a limit with it."""
    return problem.decay is None or kind_of(problem) is DensitySolution


def has_drift(model: Model) -> bool:
    """Whether the mean step is known in closed form."""
    return model.atoms is not None or is_radial(model) or follows_teacher(model)


def kind_of(problem: MeanField) -> type[Solution]:
    """How a limit is solved."""
    model = problem.model
    if model.atoms is None:
        return RadialSolution if is_radial(model) else TeacherSolution
    if model.dim > 1 or model.coordinate is not first_weight:
        return ParticleSolution
    if problem.beta < 1:
        return CharacteristicSolution
    wide = isinstance(model.law, GaussianLaw) and float(model.law.std[0]) > 0
    return DensitySolution if isinstance(problem.dynamics, Sde) and wide else ParticleSolution


def _solve(problem: MeanField, final: float) -> Solution:
    if problem.schedule is not None and problem.beta < 1:
        last = float(elapsed(problem.schedule, np.asarray(final)))
        return ScheduledSolution(solution(replace(problem, schedule=None), last), problem.schedule, final)
    return kind_of(problem)(problem, final)
