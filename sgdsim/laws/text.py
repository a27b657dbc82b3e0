"""How laws are told: pieces of a line, rows of a table, and what a quantity is called."""

from collections.abc import Callable
from dataclasses import dataclass

from sgdsim.analysis.goodness import DOUBT
from sgdsim.analysis.numbers import plain

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


Line = tuple[str | Number, ...]
"""Words and numbers, side by side."""


@dataclass(frozen=True)
class Statement:
    """A law at the top of a page: its numbers, and what stands with them."""

    head: Line
    note: Line


@dataclass(frozen=True)
class Table:
    """A heading for each column, and rows of the same length."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def equations(values: dict[str, str]) -> Line:
    """Numbers by their symbols: a = 1.2(1), b = 3.4(2)."""
    pieces = [piece for symbol, value in values.items() for piece in (f", {symbol} = ", Number(value))]
    return (str(pieces[0]).removeprefix(", "), *pieces[1:])


def headings(text: str) -> tuple[str, ...]:
    """The headings of a table, of one line with commas."""
    return tuple(text.split(", "))


def called(quantity: str, level: float | None, words: Words) -> str:
    """A quantity in words with its level, if it has one: "samples to level 0.001"."""
    return words(quantity) + ("" if level is None else f" {plain(level)}")


def in_errors(value: float | None, error: float | None) -> str:
    """A number in units of its standard error, a dash without one."""
    return "-" if value is None or not error else f"{value / error:+.1f}"
