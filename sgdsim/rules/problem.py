"""A problem that is given by the rule of a step, with all constants of its physics beside it."""

import abc
from dataclasses import KW_ONLY, replace
from typing import Annotated, Any, ClassVar

import equinox as eqx

from sgdsim.checks import check_fields
from sgdsim.contracts import Problem
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.rule import Rule

MAX_DIMENSION, MAX_BATCH = 10**15, 10**6
"""The largest in experiment files: d is below 2^53, so that it is a number of every precision that counts it."""


class RuleProblem(Problem):
    r"""SGD whose step is a `Rule`: k fixed vectors and n moving ones in R^d, and numbers.

    A problem of one's own is a class below this one with a `system` name, its constants as fields, and `rule`. Time is
    t = nu dt; dt is 1/d, unless the class has another. Order parameters are M and Q, or what the class says.

        class Perceptron(RuleProblem):
            system: ClassVar[str] = "perceptron"
            eta: Annotated[float, Parameter(r"\eta", "learning rate", above=0, example=1.0)]

            @property
            def rule(self):
                return PerceptronRule(self.eta / self.d)

    `rules.system.rule_system` makes its system.
    """

    order_parameters: ClassVar[tuple[str, ...]] = ("M", "Q")

    _: KW_ONLY
    d: Annotated[int, Parameter("d", "input dimension", least=2, limit=MAX_DIMENSION, example=1000)]
    batch: Annotated[int, Parameter("", "fresh samples per step", least=1, limit=MAX_BATCH)] = eqx.field(
        static=True, default=1
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.rule.sizes.fixed < 1:
            remedy = "Give a rule without a teacher one that its step does not look at."
            raise ArgumentError(f"{type(self).__name__}.rule", "have a fixed vector at least", 0, remedy)

    @property
    @abc.abstractmethod
    def rule(self) -> Rule:
        """What a step does. Its `rate` has the 1/d of the problem's scaling."""

    @property
    def k(self) -> int:
        """Vectors that stay, as a teacher's do."""
        return self.rule.sizes.fixed

    @property
    def p(self) -> int:
        """Vectors that move and are given at t = 0."""
        return self.rule.given

    @property
    def dt(self) -> float:
        """The time 1/d of one step."""
        return 1 / self.d

    @property
    def samples_per_step(self) -> float:
        """The batch: every sample is fresh."""
        return float(self.batch)

    def at(self, d: int) -> Any:
        """The problem in another dimension."""
        return replace(self, d=d)
