"""The system of a problem that is a rule: its starts, simulators, theory and tables, made at once."""

from collections.abc import Mapping
from typing import Any

from sgdsim.contracts import System, Variable
from sgdsim.ensemble.section import TIME_WORDS, section_of, section_of_kinds, section_of_starts
from sgdsim.rules.chain import RuleChain
from sgdsim.rules.full_weights import RuleFullWeights
from sgdsim.rules.ode import RuleODE
from sgdsim.rules.problem import RuleProblem
from sgdsim.rules.starts import AlignedRuleStart, ExplicitRuleStart

OVERLAPS = {
    "M": Variable("overlaps with the fixed vectors", "M", ("moving", "fixed")),
    "Q": Variable("overlaps of the moving vectors", "Q", ("moving", "moving_2")),
}
"""The variables M and Q."""


def rule_system(problem: type[RuleProblem], variables: Mapping[str, Variable], *, risk: str, **more: Any) -> System:
    """The system of a class of problems, which carry it from then on: `own_system` of the class.

    The keys of [problem] are the parameters that the class declares. [start] is `explicit` or `overlap`, [simulator]
    `chain`, `weights` or `none`, [theory] `exact` or `none`.

    - `variables`: all that the rule observes beside M and Q. `risk`: see `System`.
    - `more`: other fields of `System`, e.g. `figures` or `expectations`.
    """
    problem_section = section_of(problem)
    problem_section.words = TIME_WORDS
    system = System(
        name=problem.system,
        variables={**OVERLAPS, **variables},
        risk=risk,
        problem_section=problem_section,
        start_section=section_of_starts({"overlap": AlignedRuleStart, "explicit": ExplicitRuleStart}),
        theory_section=section_of_kinds({"exact": RuleODE, "none": None}),
        simulator_section=section_of_kinds({"chain": RuleChain, "weights": RuleFullWeights, "none": None}),
        default_simulator=RuleChain(),
        default_theory=RuleODE(),
        **more,
    )
    problem.own_system = lambda self: system
    return system
