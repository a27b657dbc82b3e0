"""The theory of averaged trajectories: in the limit without noise a mean over time of every particle's path."""

from dataclasses import dataclass
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.limits import characteristics
from sgdsim.meanfield.limits.limit import solve_limit
from sgdsim.meanfield.limits.ntk import law_nodes
from sgdsim.meanfield.limits.solution import Limit
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.observables import Positions
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given
from sgdsim.meanfield.theory import LimitCurve, MeanFieldLimit, at_start
from sgdsim.rules.schedule import PowerSchedule

_LONGEST = 0.05
"""Longest step of RK4."""


class PathAndSum(eqx.Module):
    """The velocities of (W, int_0^t W, t): -s(t) h(W, m(t)), W and 1."""

    model: Model
    limit: Limit
    schedule: PowerSchedule | None

    def __call__(self, state: Positions, t: Array) -> Positions:
        """Of W, of its sum and of the time that has passed."""
        W = state[: self.model.dim]
        velocity = characteristics.drift(self.model, W, self.limit.m_at(t)[:, None])
        if self.schedule is not None:
            factor = self.schedule.value(jnp.asarray(t))
            velocity = tuple(factor * one for one in velocity)
        return (*velocity, *W, jnp.ones_like(state[-1]))


class AverageSeen(eqx.Module):
    """m, mean and variance of the law of V = (1/t) int_0^t W."""

    model: Model
    weights: Any

    def __call__(self, state: Positions) -> characteristics.Moments:
        """Of weighted particles; at t = 0 V is W."""
        dim, passed = self.model.dim, state[-1]
        pairs = zip(state[:dim], state[dim : 2 * dim], strict=True)
        V = tuple(jnp.where(passed > 0, total / jnp.where(passed > 0, passed, 1), w) for w, total in pairs)
        return characteristics.moments(self.model, V, self.weights)


class AveragedCurve(LimitCurve):
    """The mean-field limit of one problem, and that of its averaged network."""

    def solve(self, initial: Given, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """What `LimitCurve` has; `m_average`, `excess_risk_average` and `variance_average`."""
        problem, at = at_start(self.problem, initial), np.asarray(times, np.float64)
        W, weights = law_nodes(problem.model)
        path = PathAndSum(problem.model, solve_limit(problem, float(max(at[-1], problem.dt))), problem.schedule)
        start = (*W, *(jnp.zeros_like(w) for w in W), jnp.zeros((1, 1)))
        seen = AverageSeen(problem.model, weights)
        m, _, variance = characteristics.follow(path, start, jnp.asarray(at), seen, _LONGEST)
        risk = np.asarray(self.excess_risk(m))
        found = {"m_average": np.asarray(m), "excess_risk_average": risk, "variance_average": np.asarray(variance)}
        return super().solve(initial, times) | found


@dataclass(frozen=True)
class AveragedLimit(MeanFieldLimit):
    """The mean-field limit for beta < 1, and the network whose weights are means of the limit's paths over [0, t].

    V = (1/t) int_0^t W_s ds, for every particle: the mean over iterates, as these are equally spaced in t = n eps.
    """

    name: ClassVar[str] = "averaged"

    def exists(self, problem: MeanField) -> bool:
        """Below beta = 1, for finitely many atoms."""
        return super().exists(problem) and problem.beta < 1 and problem.model.atoms is not None

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError where there is no limit, or none without noise, or no path of a particle."""
        super().check(problem)
        if problem.beta == 1:
            remedy = 'At beta = 1 noise is left in the limit: take kind = "limit".'
            raise ArgumentError("beta", "be below 1 for averages of the limit's paths", problem.beta, remedy)
        if problem.model.atoms is None:
            raise ArgumentError("model", "have finitely many atoms for averages of paths", problem.model.name)

    def bind(self, problem: MeanField) -> AveragedCurve:
        """The curves of this problem."""
        return AveragedCurve(problem=problem)
