"""The error that is left of a soft committee: what the label noise costs, to first order in the learning rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sgdsim.committee.averages.activations import Erf, Linear
from sgdsim.committee.problem import Committee


@dataclass(frozen=True)
class SoftCommitteeError:
    """What theory expects of a law of two terms in the learning rate, see `sgdsim.laws.two_term.TwoTermExpectation`."""

    def coefficients(
        self, quantity: str, against: str, second: str, problems: Sequence[Committee]
    ) -> tuple[float | None, float | None] | None:
        """Those of excess_risk = first gamma + second gamma_squared, once it has settled; None where unknown.

        Of a soft committee with a fixed second layer of ones, K students, M orthonormal teachers and L = K - M >= 0,
        whose students have found their teachers or gone to zero (Goldt et al. 2019):

            first = noise (L + M/sqrt(3))/(2 pi) of erf,    noise (L + M)/4 of linear units

        The second coefficient has no such formula.
        """
        first = problems[0]
        if (quantity, against, second) != ("excess_risk", "gamma", "gamma_squared") or not all(map(_is_soft, problems)):
            return None
        if len({(problem.p, problem.k, problem.noise, problem.activation.name) for problem in problems}) > 1:
            return None
        surplus = first.p - first.k
        if surplus < 0:
            return None
        if first.activation == Linear():
            return first.noise * first.p / 4, None
        return first.noise * (surplus + first.k / math.sqrt(3)) / (2 * math.pi), None


def _is_soft(problem: Committee) -> bool:
    """Whether it is a soft committee of ones, of which only the first layer learns, on fresh samples one by one."""
    layer = problem.second
    ones = layer is not None and layer.soft and layer.gamma_a == 0 and set(layer.a0 + layer.a_star) == {1.0}
    known = problem.activation in (Erf(), Linear()) and problem.batch == 1
    other = (problem.target, problem.update, problem.teacher_activation, problem.inputs, problem.schedules)
    return ones and known and all(part is None for part in other)
