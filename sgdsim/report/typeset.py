"""Text and numbers as HTML: raised exponents, true minus signs, and nothing of a user's text that is not seen."""

import html
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sgdsim.laws.text import Name, Number, Table
from sgdsim.printable import printable
from sgdsim.report.symbols import parameter

_EXPONENT = re.compile(r"(-?\d[\d.]*(?:\(\d+\))?)e(-?\d+)")
"""A number with an exponent, and nothing else: a page shows words of users too, such as a command line."""
_NUMBER = re.compile(r"(?:[+-]?\d[\d.]*(?:\(\d+\))?(?:e-?\d+)?(?: (?:s\.e\.|%))?|-)")


FAR = 3.0
"""Standard errors; beyond as many a difference stands out on the page."""


def typeset(text: str) -> Markup:
    """A number for a reader: 1.35(1)e-3 with a raised exponent, and real minus signs. Other text stays as it is."""
    minus = "&minus;"
    exponent = _EXPONENT.fullmatch(text)
    if exponent:
        mantissa, power = (part.replace("-", minus) for part in exponent.groups())
        return Markup(f"{mantissa}&thinsp;&times;&thinsp;10<sup>{power}</sup>")
    if text == "-":
        return Markup("&ndash;")
    return Markup(re.sub(r"^-(?=\d)", minus, html.escape(printable(text))))


@dataclass(frozen=True)
class Typesetter:
    """Text of a table: parameters as their symbols, observables with theirs, and all else as `typeset` has it.

    - `parameters`: their names; `symbols`: by the words of an observable, its symbol behind them.
    """

    parameters: Set[str]
    symbols: Mapping[str, Markup]

    def __call__(self, text: str) -> Markup:
        """The text as HTML."""
        if text in self.symbols:
            return Markup("{} {}").format(printable(text), self.symbols[text])
        return parameter(text) if text in self.parameters else typeset(text)


def piece(part: str | Number | Name) -> Markup:
    """A piece of a line: words as they stand, a number or a parameter typeset."""
    if isinstance(part, Name):
        return parameter(part.text)
    if isinstance(part, str):
        return Markup(html.escape(printable(part), quote=False))
    number = typeset(part.text)
    return Markup(f"<sup>{number}</sup>") if part.raised else number


def numeric_columns(table: Table) -> list[bool]:
    """Of every column, whether all that stands in it is numbers, some of which may be missing."""
    columns = [[row[index] for row in table.rows] for index in range(len(table.columns))]
    return [all(map(_NUMBER.fullmatch, one)) and any(text != "-" for text in one) for one in columns]


def fit_name(name: str) -> Markup:
    """The name of a fit with its place in the grid typeset: scaling, kappa = 0.5 of scaling[kappa=0.5]."""
    head, bracket, place = name.removesuffix("]").partition("[")
    axes = [axis.partition("=") for axis in place.split(", ")]
    if not bracket or not all(equals for _, equals, _ in axes):
        return typeset(name)
    values = [Markup("{} = {}").format(parameter(axis), typeset(value)) for axis, _, value in axes]
    return Markup(", ").join([Markup(html.escape(printable(head))), *values])


def greek(text: str) -> str:
    """Our own words with chi2 as it is written."""
    return re.sub(r"\bchi2(?=\W)", "\N{GREEK SMALL LETTER CHI}\N{SUPERSCRIPT TWO}", text)


def far(off: str) -> bool:
    """Whether a difference in standard errors, as text, is one that chance does not explain."""
    number, _, unit = off.partition(" ")
    return unit == "s.e." and abs(float(number)) >= FAR


def visible(value: Any) -> Any:
    """What the page shows of a text: its lines, with what cannot be seen in them as escapes. Markup is ours."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(map(printable, value.split("\n")))
    return value
