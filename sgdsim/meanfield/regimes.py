"""The theory of three regimes of training on a quadratic target: the network, its tangent and its random features."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sgdsim.contracts import Problem, Start, Theory
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.limits import characteristics, quadratic_target
from sgdsim.meanfield.limits.scheduled import elapsed
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.quadratic import GaussianQuadratic
from sgdsim.meanfield.starts import Given
from sgdsim.meanfield.theory import HostCurve, check_law_start

STARTS = 16
"""Starts that the flow of a network is a mean over."""
_LONGEST = 0.05
"""Longest step of RK4: the fastest rate, 8 b_1, is below 8."""


class RegimesCurve(HostCurve):
    """The flow of one problem's network on the population risk, and the least risks of all three models."""

    def solve(self, initial: Given, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """Excess risk and m of the flow; `network_risk`, `tangent_risk`, `features_risk`, the same at all times."""
        problem, data = self.problem, _quadratic(self.problem)
        b, at = np.asarray(data.b), elapsed(problem.schedule, np.asarray(times, np.float64))
        normals = np.random.default_rng(0).standard_normal((data.d, STARTS, problem.N))
        W = jnp.moveaxis(problem.model.law(jnp.asarray(normals)), 0, 2)
        flow, seen = quadratic_target.QuadraticFlow(data.b), quadratic_target.QuadraticOrders(data.b)
        m = characteristics.follow(flow, (W,), jnp.asarray(at), seen, _LONGEST)
        least = {
            "network_risk": quadratic_target.best_risk(b, problem.N),
            "tangent_risk": quadratic_target.tangent_risk(b, problem.N),
            "features_risk": quadratic_target.features_risk(b, problem.N),
        }
        constant = {name: np.full(len(at), value) for name, value in least.items()}
        return {"excess_risk": np.asarray(data.risk(problem.model.loss, m.T)), "m": np.asarray(m)} | constant


@dataclass(frozen=True)
class RegimesLimit(Theory):
    """Of the model `quadratic`: gradient flow on the population risk, the mean over starts, and three least risks.

    SGD follows the flow for eps -> 0. See `limits.quadratic_target`.
    """

    takes: ClassVar[type[Problem]] = MeanField
    name: ClassVar[str] = "regimes"

    def exists(self, problem: MeanField) -> bool:
        """Of a quadratic target, at a = 1 and without decay."""
        return isinstance(problem.model.data, GaussianQuadratic) and problem.a == 1 and problem.decay is None

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError for another model or scaling."""
        _quadratic(problem)
        if problem.a < 1 or problem.decay is not None:
            raise ArgumentError("a", "be 1, without decay, for the flow of a network", problem.a)

    def check_start(self, problem: MeanField, start: Start) -> None:
        """Raises ArgumentError for given particles."""
        check_law_start(self, start)

    def bind(self, problem: MeanField) -> RegimesCurve:
        """The curves of this problem."""
        return RegimesCurve(problem=problem)


def _quadratic(problem: MeanField) -> GaussianQuadratic:
    """The data. **Raises:** ArgumentError where they are others."""
    data = problem.model.data
    if not isinstance(data, GaussianQuadratic):
        raise ArgumentError("model", "be a quadratic_model", problem.model.name)
    return data
