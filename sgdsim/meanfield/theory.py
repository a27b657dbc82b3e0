"""The theories of wide networks: the mean-field limit, and the lazy one."""

import abc
from dataclasses import dataclass, replace
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.contracts import Curve, Observables, Problem, Start, Theory
from sgdsim.cost import Once
from sgdsim.ensemble.histograms import bin_fractions
from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.data import Atoms
from sgdsim.meanfield.limits.free_energy import entropies
from sgdsim.meanfield.limits.limit import DensitySolution, check_limit, has_drift, limit_cost, may_decay, solution
from sgdsim.meanfield.limits.ntk import check_ntk, solve_ntk
from sgdsim.meanfield.limits.radial import is_radial, risk
from sgdsim.meanfield.model import GaussianLaw
from sgdsim.meanfield.problem import MeanField, check_constant
from sgdsim.meanfield.starts import Given, LawStart, PointStart
from sgdsim.meanfield.teacher import GaussianTeacher

_POINTS_LOG2 = 16
"""Sobol points of a law that stays, as a power of 2."""


class HostCurve(Curve):
    """A curve of the law at t = 0, solved on the host."""

    problem: MeanField

    def __call__(self, initial: Given, times: Float[Array, " times"]) -> Observables:
        """**Raises:** ArgumentError: there is no curve per replica, as all starts share a law."""
        raise ArgumentError("start", "be shared by all replicas", "a start per replica", "Solve it for the law.")

    @abc.abstractmethod
    def solve(self, initial: Given, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """The observables of the limit at `times`, each (times, *dims), by name."""


class LimitCurve(HostCurve):
    """The mean-field limit of one problem."""

    def excess_risk(self, m: Float[Array, "times J"]) -> Float[Array, " times"]:
        """Of predictions, or other order parameters of the data."""
        return _excess_risk(self.problem, m)

    def solve(self, initial: Given, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """Excess risk, m, mean, variance, and the histogram where there are bins."""
        problem, at = at_start(self.problem, initial), np.asarray(times, np.float64)
        # A limit is solved over a time > 0, and t = 0 may be the only save time.
        solved = solution(problem, float(max(at[-1], problem.dt)))
        m = solved.limit.m_at(jnp.asarray(at))
        found = {
            "excess_risk": _excess_risk(problem, m),
            "m": m,
            "mean": solved.limit.mean_at(jnp.asarray(at)),
            "variance": solved.limit.variance_at(jnp.asarray(at)),
        }
        if problem.bins:
            found["histogram"] = jnp.asarray(solved.histogram(at, problem.bin_edges))
        if problem.neighbours is not None and isinstance(solved, DensitySolution):
            found |= entropies(problem, solved.density, at)
        return {name: np.asarray(value) for name, value in found.items()}


class NtkCurve(HostCurve):
    """The lazy limit of one problem: particles stay where they started."""

    def solve(self, initial: Given, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """Excess risk and m, the law's mean and variance, and its histogram where there are bins."""
        problem, model, at = self.problem, self.problem.model, np.asarray(times, np.float64)
        spacing, path = solve_ntk(model, float(max(at[-1], problem.dt)))
        grid = spacing * np.arange(len(path))
        m = np.stack([np.interp(at, grid, column) for column in path.T], axis=1)
        # Particles do not move: mean, variance and histogram are those of the law at t = 0, at every time.
        start = sobol_normals(model.dim, _POINTS_LOG2).T[..., None]
        W = tuple(model.law(jnp.asarray(start)))
        found = {
            "excess_risk": _excess_risk(problem, jnp.asarray(m)),
            "m": m,
            "mean": np.tile([float(jnp.mean(w)) for w in W], (len(at), 1)),
            "variance": np.tile([float(jnp.var(w)) for w in W], (len(at), 1)),
        }
        if problem.bins:
            counts = bin_fractions(model.coordinate(W), jnp.asarray(problem.bin_edges))[:, 0]
            found["histogram"] = np.tile(np.asarray(counts), (len(at), 1))
        return {name: np.asarray(value) for name, value in found.items()}


def _excess_risk(problem: MeanField, m: Float[Array, "times J"]) -> Float[Array, " times"]:
    """Risk of the outputs above the least one."""
    if is_radial(problem.model):
        return risk(m) - problem.model.least_risk
    data = problem.model.data
    assert isinstance(data, Atoms | GaussianTeacher)
    return data.risk(problem.model.loss, m.T) - problem.model.least_risk


def at_start(problem: MeanField, initial: Given) -> MeanField:
    """The problem whose law is that of the start: the model's, or the point where all given particles are."""
    if initial.particles is None:
        return problem
    point = np.asarray(initial.particles).reshape(-1, problem.model.dim)[0]
    law = GaussianLaw(point, np.zeros_like(point))
    return replace(problem, model=eqx.tree_at(lambda model: model.law, problem.model, law))


def check_law_start(theory: Theory, start: Start) -> None:
    """Raises ArgumentError for another start than the model's law."""
    if not isinstance(start, LawStart):
        remedy = "The limit is that of independent particles from the model's law."
        raise ArgumentError("start", f"be the model's law for the theory {theory.name!r}", start, remedy)


@dataclass(frozen=True)
class MeanFieldLimit(Theory):
    """The McKean-Vlasov limit N -> infinity at a = 1; see `limit.solution`.

    At beta = 1 it exists for independent noise only: with common noise, as SGD has it, the limit is random.
    """

    takes: ClassVar[type[Problem]] = MeanField
    name: ClassVar[str] = "limit"
    points: ClassVar[bool] = True
    """Whether the law at t = 0 may be a point that the start gives."""

    def exists(self, problem: MeanField) -> bool:
        """Where the limit is deterministic, and is not that of a lazy network."""
        return problem.a == 1 and not problem.random_limit and has_drift(problem.model) and may_decay(problem)

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError where there is no such limit."""
        check_limit(problem)

    def check_start(self, problem: MeanField, start: Start) -> None:
        """Raises ArgumentError for given particles, unless they are all at one point."""
        if not (self.points and isinstance(start, PointStart)):
            check_law_start(self, start)

    def once(self, problem: MeanField, start: Start, times: Float[np.ndarray, " times"]) -> tuple[Once, ...]:
        """The limit, which all N share."""
        return (limit_cost(problem, float(max(times[-1], problem.dt))),)

    def bind(self, problem: MeanField) -> LimitCurve:
        """The curve of this problem."""
        return LimitCurve(problem=problem)


@dataclass(frozen=True)
class NtkLimit(Theory):
    """The tangent-kernel limit N -> infinity of lazy networks, 1/2 < a < 1; see `ntk`."""

    takes: ClassVar[type[Problem]] = MeanField
    name: ClassVar[str] = "ntk"

    def exists(self, problem: MeanField) -> bool:
        """For 1/2 < a < 1, finitely many atoms, and noise that vanishes."""
        possible = 0.5 < problem.a < 1 and not problem.random_limit and problem.model.atoms is not None
        return possible and problem.schedule is None

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError where there is no such limit, also where E F does not vanish at t = 0."""
        if not 0.5 < problem.a < 1:
            raise ArgumentError("a", "be above 1/2 and below 1 for the lazy limit", problem.a)
        if problem.random_limit:
            raise ArgumentError("beta", "be below 1 for a deterministic limit with common noise", problem.beta)
        check_constant(problem, "the lazy limit")
        check_ntk(problem.model)

    def check_start(self, problem: MeanField, start: Start) -> None:
        """Raises ArgumentError for given particles."""
        check_law_start(self, start)

    def bind(self, problem: MeanField) -> NtkCurve:
        """The curve of this problem."""
        return NtkCurve(problem=problem)
