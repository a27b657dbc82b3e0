"""SGD on the full weights of a committee: p x d numbers per replica, for any d and p; see `rules.full_weights`."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sgdsim.committee.problem import Committee
from sgdsim.committee.recursion import recursion_of
from sgdsim.committee.rule_of import rule_of
from sgdsim.contracts import Problem
from sgdsim.ensemble.inputs import InputsForm, xla_inputs
from sgdsim.rules.full_weights import AnyWeights
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.recursion import Recursion
from sgdsim.rules.rule import Rule
from sgdsim.rules.weights import RuleWeights


def weights_kernel(
    problem: Committee, dtype: Any, lanes: int, steps: int, form: InputsForm = xla_inputs
) -> RuleWeights:
    """The kernel of a problem, with blocks of `steps` steps and a form of their inputs."""
    return RuleWeights.of(rule_of(problem), problem.d, problem.batch, dtype, lanes, steps, form, recursion_of(problem))


@dataclass(frozen=True)
class Weights(AnyWeights):
    """SGD on the full p x d weights: the choice where p + k > d, and the check on the chain elsewhere.

    The forms of the inputs and their products have the same random numbers, and agree to rounding: `kernel` is "xla" as
    XLA compiles it, "fused" in one pass, "auto" fused where that can be had and is faster.
    """

    takes: ClassVar[type[Problem]] = Committee

    def rule(self, problem: Committee) -> Rule:
        """That of the problem."""
        return rule_of(problem)

    def recursion(self, problem: Committee) -> Recursion:
        """Matrix products for the plain network."""
        return recursion_of(problem)

    def inputs(self, problem: Committee) -> InputBlocks | None:
        """Those of the problem."""
        return problem.input_blocks
