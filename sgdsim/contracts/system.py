"""What a system is to the common rooms: its variables, its tables of an experiment file, and what else it knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from sgdsim.contracts.problem import Variable
from sgdsim.contracts.simulator import Simulator
from sgdsim.contracts.theory import Prediction, Theory
from sgdsim.errors import ArgumentError


@dataclass(frozen=True)
class System:
    """What a system hands to the common rooms.

    The sections are pydantic models of the tables [problem], [start], [theory], [simulator] of an experiment file; each
    has `build()`, which returns the object and raises ArgumentError where the values do not fit together.
    """

    name: str
    variables: Mapping[str, Variable]
    """All observables by name."""
    risk: str
    """The variable, without dims, that learning lets fall: plateaus and levels are looked for in it."""
    problem_section: type[BaseModel]
    start_section: type[BaseModel]
    theory_section: type[BaseModel]
    simulator_section: type[BaseModel]
    default_simulator: Simulator
    default_theory: Theory | None
    """None where the system has no theory at all."""
    tables: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    """Further tables by name, e.g. [rule] of systems whose update is chosen apart from the problem, and [data]: `apply`
    of each takes a problem and returns the problem with what the table says. No two of them, and none and [problem],
    have a key in common: axes of a grid are named by the key alone."""
    telling: tuple[str, ...] = ()
    """Derived parameters that a plan shows of every cell, where they are no axis of the grid."""
    figures: tuple[str, ...] = ()
    """Figures of the report that are drawn for this system only."""
    expectations: Mapping[str, object] = field(default_factory=dict)
    """What theory expects of a fitted law, by the law's name: an object with the methods of the Protocol that stands
    beside the law as its `expects`, e.g. `sgdsim.laws.power.PowerExpectation`."""
    prediction: Prediction | None = None
    """Theory beyond a grid, of the systems that have it."""

    def __post_init__(self) -> None:
        if self.risk not in self.scalars:
            remedy = "Name it in `variables` without dims: it is one number for each replica and time."
            raise ArgumentError("risk", f"be a scalar variable of the system {self.name}", self.risk, remedy)

    @property
    def homes(self) -> dict[str, type[BaseModel]]:
        """The tables whose keys may be axes of a grid, by name: [problem] and the further ones."""
        return {"problem": self.problem_section, **self.tables}

    @property
    def sections(self) -> dict[str, type[BaseModel]]:
        """All its tables by name, in the order of a file."""
        others = {"start": self.start_section, "theory": self.theory_section, "simulator": self.simulator_section}
        return self.homes | others

    @property
    def scalars(self) -> tuple[str, ...]:
        """Names of the variables that are single numbers: the risk, then the others in the order of `variables`."""
        names = [name for name, variable in self.variables.items() if not variable.dims]
        return tuple(sorted(names, key=lambda name: name != self.risk))
