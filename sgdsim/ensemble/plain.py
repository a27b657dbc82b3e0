"""A plain system: one start, one simulator and one theory, whose tables follow from their parameters."""

from collections.abc import Mapping
from typing import Any

from sgdsim.contracts import Problem, Simulator, Start, System, Theory, Variable
from sgdsim.ensemble.section import TIME_WORDS, section_of, section_of_kinds


def plain_system(
    problem: type[Problem],
    start: type[Start],
    simulator: type[Simulator],
    theory: type[Theory] | None = None,
    *,
    variables: Mapping[str, Variable],
    risk: str,
    **more: Any,
) -> System:
    """The system of these classes, of which every parameter of the last two has a default.

    The keys of [problem], [start], [simulator] and [theory] are the parameters that the classes declare; `kind` is the
    `name` of the simulator or theory, or "none", and of the start the name of its class in small letters. The classes
    are told of one another: the parts take this problem, which carries the system.

    - `variables`, `risk`: see `System`. - `more`: its other fields, e.g. `figures` or `expectations`.
    """
    problem_section = section_of(problem)
    problem_section.words = TIME_WORDS
    theories: dict[str, type[Theory] | None] = {} if theory is None else {theory.name: theory}
    system = System(
        name=problem.system,
        variables=variables,
        risk=risk,
        problem_section=problem_section,
        start_section=section_of_kinds({start.__name__.lower(): start}),
        theory_section=section_of_kinds({**theories, "none": None}),
        simulator_section=section_of_kinds({simulator.name: simulator, "none": None}),
        default_simulator=simulator(),
        default_theory=None if theory is None else theory(),
        **more,
    )
    for part in filter(None, (start, simulator, theory)):
        part.takes = problem
    problem.own_system = lambda self: system
    return system
