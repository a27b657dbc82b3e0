"""How laws are told: pieces of a line, rows of a table, and what a quantity is called."""

from collections.abc import Callable
from dataclasses import dataclass

from sgdsim.analysis.goodness import DOUBT
from sgdsim.analysis.numbers import plain, rounded

Words = Callable[[str], str]
"""What a quantity is called in words."""

WIDENED = f"where chi2 says that a law does not hold (p < {DOUBT:g}), its errors are widened by sqrt(chi2/dof)"
"""What the errors of all laws with a chi2 are."""
DIGITS = f"The digits in parentheses are the standard error of the last digits shown; {WIDENED}."
"""What the digits in a table of such laws mean."""


@dataclass(frozen=True)
class Number:
    """A number, to be typeset; `raised`: as an exponent."""

    text: str
    raised: bool = False


@dataclass(frozen=True)
class Name:
    """A parameter by its name, to be typeset as its symbol."""

    text: str


Line = tuple[str | Number | Name, ...]
"""Words, numbers and parameters, side by side."""


@dataclass(frozen=True)
class Held:
    """A fitted number beside theory's: what it is, its value with error, what theory says, and by how much it is off.

    A dash where theory says nothing, or the value has no error.
    """

    what: str
    value: str
    theory: str = "-"
    off: str = "-"


@dataclass(frozen=True)
class Statement:
    """A law at the top of a page: the law with its numbers, what stands with it, and the numbers one by one.

    chi2 is not among what stands with it: a page tells that of every law that has one.
    """

    head: Line
    note: Line = ()
    numbers: tuple[Held, ...] = ()


@dataclass(frozen=True)
class Table:
    """A heading for each column, and rows of the same length."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def held(what: str, value: float | None, error: float | None, theory: float | None) -> Held:
    """A number with its standard error beside theory's, the difference in standard errors."""
    difference = None if value is None or theory is None else value - theory
    off = in_errors(difference, error)
    off += "" if off == "-" else " s.e."
    return Held(what, rounded(value, error), plain(theory), off)


def headings(text: str) -> tuple[str, ...]:
    """The headings of a table, of one line with commas."""
    return tuple(text.split(", "))


def called(quantity: str, level: float | None, words: Words) -> str:
    """A quantity in words with its level, if it has one: "samples to level 0.001"."""
    return words(quantity) + ("" if level is None else f" {plain(level)}")


def in_errors(value: float | None, error: float | None) -> str:
    """A number in units of its standard error, a dash without one."""
    return "-" if value is None or not error else f"{value / error:+.1f}"
