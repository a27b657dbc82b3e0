"""The law "onset": where along `against` a scalar observable at the last save time rises through a level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import Field

from sgdsim.analysis.levels import find_onset
from sgdsim.analysis.numbers import plain
from sgdsim.laws.law import Finite, Fit, Fitted, Law, Members, attempt, numbers
from sgdsim.laws.quantities import quantity_of
from sgdsim.laws.text import Held, Name, Number, Statement, Words, headings


class OnsetFit(Fit, frozen=True):
    """`level`: the one that is risen through."""

    law: Literal["onset"] = "onset"
    level: float = Field(gt=0)


class FittedOnset(OnsetFit, Fitted, frozen=True):
    """See `sgdsim.analysis.levels.OnsetBracket`. `points`: against, quantity; `expected`: by theory, None without."""

    onset: Finite = None
    low: Finite = None
    high: Finite = None
    expected: Finite = None


@runtime_checkable
class OnsetExpectation(Protocol):
    """What the theory of a system may expect of an onset."""

    def onset(self, quantity: str, against: str, problems: Sequence[Any]) -> float | None:
        """Where along `against` the quantity of these problems begins to rise; None where theory does not say."""
        ...


@dataclass(frozen=True)
class Onset(Law[OnsetFit, FittedOnset]):
    """Where along `against` a scalar observable at the last save time rises through the level."""

    keys = OnsetFit
    found = FittedOnset
    number = "onset"
    expects = OnsetExpectation
    columns = headings("fit, of, through, against, onset, between, expected, off by")

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """The scalar observables, which have a value at the last save time."""
        return tuple(names)

    def fit(self, fit: OnsetFit, members: Members) -> FittedOnset:
        """An onset between two neighbours, beside the expected one."""
        x = members.x(fit)
        values = [quantity_of(members.system, fit.quantity, fit.level, cell)[0] for cell in members.cells]
        law, problem = attempt(lambda: find_onset(x, values, fit.level))
        expected: OnsetExpectation | None = self.expectation(members.system)
        return FittedOnset(
            **fit.model_dump(),
            **numbers(law),
            expected=expected.onset(fit.quantity, fit.against, members.problems) if expected else None,
            points=sorted([abscissa, value] for abscissa, value in zip(x, values, strict=True)),
            problem=problem,
        )

    def headline(self, found: FittedOnset) -> str:
        """The neighbours, and what is expected."""
        expected = "" if found.expected is None else f", expected {found.expected:.4g}"
        return (
            f"{found.quantity} rises through {plain(found.level)} at {found.against} = {found.onset:.4g}"
            f" [{found.low:.4g}, {found.high:.4g}]{expected}"
        )

    def statement(self, found: FittedOnset, words: Words) -> Statement:
        """The onset; its neighbours and what is expected beside it."""
        onset = plain(found.onset)
        return Statement(
            (Name(found.against), " = ", Number(onset)),
            (f"the {words(found.quantity)} rises through {plain(found.level)} between {_bracket(found)}",),
            (Held("onset", onset, plain(found.expected), _off(found)),),
        )

    def row(self, name: str, found: FittedOnset, words: Words) -> tuple[str, ...]:
        """The onset between its neighbours on the grid, beside what is expected."""
        return (
            name,
            words(found.quantity),
            plain(found.level),
            found.against,
            plain(found.onset),
            _bracket(found),
            plain(found.expected),
            _off(found),
        )

    def notes(self, fits: Mapping[str, FittedOnset]) -> list[str]:
        """What is between which."""
        return ["An onset lies between two neighbouring values of the grid."]


def _off(found: FittedOnset) -> str:
    """By how much the onset is off the expected one."""
    if found.onset is None or not found.expected:
        return "-"
    return f"{100 * (found.onset / found.expected - 1):+.1f} %"


def _bracket(found: FittedOnset) -> str:
    return f"{plain(found.low)} and {plain(found.high)}"
