"""The contract of a law that a sweep can fit, and what all of them share."""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from sgdsim.analysis.goodness import in_words
from sgdsim.contracts import Problem, System
from sgdsim.errors import ArgumentError
from sgdsim.laws.quantities import Fit

Entry = dict[str, Any]
"""A fit as it stands in summary.json."""
Missing = tuple[str, str, str]
"""A key of a fit, what is wrong with it, and a line that mends it."""


@dataclass(frozen=True)
class Members:
    """The cells that one law runs over: their problems, and their results in the same order."""

    system: System
    problems: Sequence[Problem]
    cells: Sequence[xr.Dataset]

    def x(self, fit: Fit) -> list[float]:
        """The abscissa of every cell."""
        return self.column(fit.against)

    def column(self, parameter: str) -> list[float]:
        """A parameter of every cell."""
        return [float(problem.parameters()[parameter]) for problem in self.problems]


class Law(abc.ABC):
    """A law that can be fitted: which quantities it takes, and what it puts in the summary."""

    takes_log = False
    takes_second = False
    """Whether it is a law in two parameters, `against` and `second`, which may hold for all cells `together`."""
    takes_exponent = False
    """Whether an exponent of `against` may be given."""
    compares = False
    """Whether it holds a simulation against theory, and so needs both."""

    @abc.abstractmethod
    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """The quantities it takes, of a system with these scalar observables."""

    @abc.abstractmethod
    def takes_level(self, quantity: str) -> bool:
        """Whether a level belongs to it with this quantity."""

    def misses(self, fit: Fit, columns: Mapping[str, Sequence[float]]) -> Missing | None:
        """What it cannot do without, and the parameters of the cells, `columns`, do not give."""
        return None

    @abc.abstractmethod
    def fit(self, fit: Fit, members: Members) -> Entry:
        """The fit's own part of the summary; without one, the `problem` says why, and its numbers are None."""

    @abc.abstractmethod
    def headline(self, entry: Entry) -> str:
        """A fit that could be made, in one line."""


def numbers(kind: type[Any], law: Any) -> Entry:
    """The fields of a fitted law, None without one."""
    if law is None:
        return {field.name: None for field in dataclasses.fields(kind)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(law).items()}


def judgement(entry: Entry) -> str:
    """chi2 in words; where the law does not hold, that too, and what was done to its errors."""
    return in_words(entry["chi2"], entry["dof"], entry.get("widening") or 1.0)


def stated(problem: str | None) -> Entry:
    """The reason why there is no fit, if there is one."""
    return {"problem": problem} if problem else {}


def reason(error: ArgumentError) -> str:
    """The same in words."""
    return f"no fit: `{error.argument}` must {error.must}"


def attempt(fit: Callable[[], Any]) -> tuple[Any, str | None]:
    """The law, or why there is none."""
    try:
        return fit(), None
    except ArgumentError as error:
        return None, reason(error)
