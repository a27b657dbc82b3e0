"""The theory that has the mean-field limit and the Gaussian fluctuations about it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from sgdsim.contracts import Spread, Start
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.limits.fluctuations import MOST_DIM, Fluctuations, fluctuations
from sgdsim.meanfield.problem import MeanField, check_constant
from sgdsim.meanfield.starts import Given
from sgdsim.meanfield.theory import LimitCurve, MeanFieldLimit

PATHS = 2**13
"""Sampled paths of the predictions, for their largest deviation: it is known to 0.5 %."""


def fluctuations_of(problem: MeanField, times: Float[np.ndarray, " times"]) -> Fluctuations:
    """The coefficients at the save times."""
    return fluctuations(problem.model, float(max(times[-1], problem.dt))).at(np.asarray(times, np.float64))


def strength(problem: MeanField) -> float:
    """eps/batch, of which the noise is made."""
    return problem.eps / problem.dynamics.batch


class CltCurve(LimitCurve):
    """The mean-field limit of one problem, and the covariance of two particles of a run at its N."""

    def solve(self, initial: Given, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """What `LimitCurve` has, `covariance` and `covariance_given_data`: summed over the weights."""
        problem = self.problem
        known, common = fluctuations_of(problem, times), problem.dynamics.common
        found = super().solve(initial, times)
        for name, eps in (("covariance", strength(problem)), ("covariance_given_data", 0.0)):
            found[name] = known.of_two_particles(eps, problem.N, common).sum(axis=1)
        return found


@dataclass(frozen=True)
class Clt(MeanFieldLimit):
    """The mean-field limit for beta < 1, and the Gaussian fluctuations of predictions and mean weights about it.

    See `limits.fluctuations`; their variances over runs are of order eps and 1/N, and the next order is left out.
    """

    name: ClassVar[str] = "clt"
    points: ClassVar[bool] = False

    def exists(self, problem: MeanField) -> bool:
        """Below beta = 1, for finitely many atoms and few weights."""
        model = problem.model
        few = model.atoms is not None and model.dim <= MOST_DIM
        return super().exists(problem) and problem.beta < 1 and few and problem.schedule is None

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError where there is no limit, or none without noise, or too much to linearise."""
        super().check(problem)
        if problem.beta == 1:
            remedy = 'At beta = 1 noise is left in the limit: take kind = "limit".'
            raise ArgumentError("beta", "be below 1 for fluctuations about the limit", problem.beta, remedy)
        check_constant(problem, "fluctuations about the limit")
        if not self.exists(problem):
            must = f"have particles of <= {MOST_DIM} weights and finitely many atoms"
            raise ArgumentError("model", must, problem.model.name)

    def cost(self, problem: MeanField, start: Start, times: Float[np.ndarray, " times"]) -> float:
        """Seconds for sampling the paths of the predictions."""
        return 0.5

    def spread(self, problem: MeanField, start: Start, times: Float[np.ndarray, " times"]) -> Spread:
        """Of m and the mean weights, over runs."""
        known, N = fluctuations_of(problem, times), problem.N
        covariance = known.covariance(strength(problem), N, problem.dynamics.common)
        std = np.sqrt(np.maximum(np.einsum("tvtv->tv", covariance), 0.0))
        J = std.shape[1] - problem.model.dim
        sizes = _sizes(covariance[:, :J][:, :, :, :J])
        return Spread(
            std={"m": std[:, :J], "mean": std[:, J:]},
            deviation=sizes.mean(axis=0),
            sup_deviation=float(sizes.max(axis=1).mean()),
        )

    def bind(self, problem: MeanField) -> CltCurve:
        """The curves of this problem."""
        return CltCurve(problem=problem)


def _sizes(covariance: Float[np.ndarray, "times J times J"]) -> Float[np.ndarray, "paths times"]:
    """max_j |m_j - E m_j| of sampled paths at all times."""
    times, J = covariance.shape[:2]
    values, vectors = np.linalg.eigh(covariance.reshape(times * J, -1))
    # Rounding, and times between those of the grid, leave eigenvalues a little below 0.
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    paths = np.random.default_rng(0).standard_normal((PATHS, times * J)) @ root.T
    return np.abs(paths).reshape(PATHS, times, J).max(axis=2)
