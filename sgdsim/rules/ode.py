"""The theory of a problem that is a rule: the ODE of its mean step, and the fluctuations about it."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import jax
import numpy as np
from jaxtyping import Float

from sgdsim.contracts import Problem, Spread, Start, Theory
from sgdsim.cost import Once
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.fluctuations import check_fluctuations, predict_spread
from sgdsim.rules.mean_step import MeanStep, is_closed
from sgdsim.rules.problem import RuleProblem
from sgdsim.rules.rule import Rule
from sgdsim.rules.sample_points import points_log2

SOLVED, SAMPLED, COMPILED, LINEARISED = 0.05, 2.0, 3.0, 8.0
"""Seconds, for a plan: of a solution; of predicted fluctuations; of compiling the ODE, and its linearisation."""
BEGUN, PASSED = 2.5e-6, 6e-7
"""Seconds, for each vector and each point over which averages are taken: of any solution, and of a unit of time."""

RTOL, ATOL = (
    Parameter("", f"{kind} error of a step of the solver", above=0, below=1, must="be between 0 and 1", in_files=False)
    for kind in ("relative", "absolute")
)


@dataclass(frozen=True)
class RuleODE(Theory):
    """The ODE of the mean step at the actual d, see `mean_step`, in float64 by an adaptive method of order 8.

    Averages are the rule's closed forms or, where it has none, over 2^13 points, which leave some 1e-3 of an average,
    or 2^16 where lengths are limited. `rtol` and `atol` bound the error of a step of the solver in every entry.
    `fluctuations` asks for the spread of replicas about it too.
    """

    rtol: Annotated[float, RTOL] = 1e-8
    atol: Annotated[float, ATOL] = 1e-11
    fluctuations: Annotated[bool, Parameter("", "whether the spread of the replicas is predicted too")] = False

    takes: ClassVar[type[Problem]] = RuleProblem
    name: ClassVar[str] = "exact"

    def check(self, problem: RuleProblem) -> None:
        """Raises ArgumentError where fluctuations are asked for that cannot be predicted."""
        if self.fluctuations:
            check_fluctuations(problem.rule, problem.d)

    def check_start(self, problem: RuleProblem, start: Start) -> None:
        """Raises ArgumentError for fluctuations about a curve that is not the same for all replicas."""
        if self.fluctuations and start.per_replica:
            remedy = "Set per_replica = false, or ask for the theory alone."
            raise ArgumentError("fluctuations", "be false where every replica has a start of its own", True, remedy)

    def bind(self, problem: RuleProblem) -> MeanStep:
        """The curve of this problem."""
        return MeanStep.of(
            problem.rule, problem.d, problem.dt, problem.batch, self.rtol, self.atol, points_log2(problem.rule)
        )

    def spread(self, problem: RuleProblem, start: Start, times: Float[np.ndarray, " times"]) -> Spread | None:
        """Fluctuations at `times` (>= 0, not decreasing), if asked for. **Raises:** ArgumentError; see `check`."""
        if not self.fluctuations:
            return None
        self.check(problem)
        self.check_start(problem, start)
        initial = jax.tree.map(lambda part: part[0], start.draw(problem, np.random.default_rng(0), 1))
        return predict_spread(self.bind(problem), problem.order_parameters, initial, times)

    def cost(self, problem: RuleProblem, start: Start, times: Float[np.ndarray, " times"]) -> float:
        """Seconds of one core for a start, by the stages of the solver; see `rule_seconds`."""
        return rule_seconds(problem.rule, float(times[-1]), self.fluctuations)

    def once(self, problem: RuleProblem, start: Start, times: Float[np.ndarray, " times"]) -> tuple[Once, ...]:
        """What is compiled once for all cells of equal shape; see `rule_once`."""
        return rule_once(problem.rule, self.fluctuations)


def rule_seconds(rule: Rule, final: float, fluctuations: bool, series: int = 0) -> float:
    """What solving the ODE of a rule up to a time takes.

    Nearly nothing where averages are closed; over points, the solver's own steps count. Fluctuations are sampled.

    - `series`: points that the closed averages of a rule take as long as.
    """
    points = series if is_closed(rule) else 2 ** points_log2(rule)
    averages = points * (rule.sizes.fixed + rule.sizes.moving) * (BEGUN + PASSED * final)
    return SOLVED + averages + SAMPLED * fluctuations


def rule_once(rule: Rule, fluctuations: bool) -> tuple[Once, ...]:
    """The ODE of this form of a rule, and its linearisation for the fluctuations."""
    form = jax.tree.structure(rule)
    curve = Once(("ode", form), compile=COMPILED)
    return (curve, Once(("fluctuations", form), compile=LINEARISED)) if fluctuations else (curve,)
