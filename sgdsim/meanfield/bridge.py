"""The theory that has both limits of a teacher-student problem: N -> infinity at fixed d, d -> infinity at fixed N."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from sgdsim.contracts import Start
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.limits.narrow import narrow_cost, narrow_risk
from sgdsim.meanfield.limits.teacher_limit import follows_teacher
from sgdsim.meanfield.problem import MeanField, check_constant
from sgdsim.meanfield.starts import Given
from sgdsim.meanfield.theory import LimitCurve, MeanFieldLimit


class TwoLimitsCurve(LimitCurve):
    """The mean-field limit of one problem, and beside it the risk in high dimension."""

    def solve(self, initial: Given, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """What `LimitCurve` has, and `narrow_risk`."""
        found = super().solve(initial, times)
        return found | {"narrow_risk": narrow_risk(self.problem, np.asarray(times, np.float64))}


@dataclass(frozen=True)
class TwoLimits(MeanFieldLimit):
    """The mean-field limit, N -> infinity at fixed d, and as `narrow_risk` the ODE, d -> infinity at fixed N.

    Both are without noise: beta < 1 and eps = gamma N^(beta - 1) << 1/d. See `limits.teacher_limit`, `limits.narrow`.
    """

    name: ClassVar[str] = "bridge"
    points: ClassVar[bool] = False

    def exists(self, problem: MeanField) -> bool:
        """Where both limits do: of a teacher's data, below beta = 1."""
        return super().exists(problem) and follows_teacher(problem.model) and problem.schedule is None

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError where there is no mean-field limit, and of other data than a teacher's."""
        super().check(problem)
        if not follows_teacher(problem.model):
            raise ArgumentError("model", "be a teacher_model for both limits", problem.model.name)
        check_constant(problem, "both limits")

    def cost(self, problem: MeanField, start: Start, times: Float[np.ndarray, " times"]) -> float:
        """That of the N particles in high dimension."""
        return narrow_cost(problem, float(times[-1]))

    def bind(self, problem: MeanField) -> TwoLimitsCurve:
        """The curves of this problem."""
        return TwoLimitsCurve(problem=problem)
