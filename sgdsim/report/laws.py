"""The fitted laws of a run on its page: each law tells of itself, here they are put in order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sgdsim.analysis.goodness import p_value
from sgdsim.analysis.numbers import plain
from sgdsim.laws.catalogue import LAWS, was_made
from sgdsim.laws.law import Fitted, Judged, Law
from sgdsim.laws.quality import holds
from sgdsim.laws.text import Held, Statement, Table
from sgdsim.store.stored import Stored


@dataclass(frozen=True)
class Headline:
    """A law at the top of the page: its fit's name and quantity, what it says, its chi2 in words, whether it holds."""

    name: str
    of: str
    statement: Statement
    quality: str
    holds: bool


WHOLE = 4
"""Laws at the top of a page whose numbers are all told; of more, the first of each."""


@dataclass(frozen=True)
class Told:
    """What the numbers at the top of a page have in common; `of`: the quantities that they belong to."""

    numbers: Sequence[Held]
    of: Sequence[str] = ()

    @property
    def theory(self) -> bool:
        """Whether theory says anything of them."""
        return any(one.theory != "-" for one in self.numbers)

    @property
    def errors(self) -> bool:
        """Whether any has a standard error, in parentheses."""
        return any(re.search(r"\(\d+\)", one.value) for one in self.numbers)

    @property
    def alike(self) -> bool:
        """Whether they are the same number of laws of one quantity, as the exponents of the largest deviation."""
        return len({one.what for one in self.numbers}) == len(set(self.of)) == 1


def headlines(run: Stored) -> list[Headline]:
    """The laws that are said at the top of the page, in the order of the catalogue."""
    return [
        Headline(
            name=name,
            of=run.words(found.quantity),
            statement=law.statement(found, run.words),
            quality=quality(found),
            holds=not isinstance(found, Judged) or holds(found),
        )
        for law in _kinds(run)
        if len(run.laws(law.found)) <= law.said
        for name, found in run.laws(law.found).items()
    ]


def quality(found: Fitted) -> str:
    """chi2 by the degrees of freedom, and its probability: "19.4/8, p = 0.013"; empty for a law without a chi2."""
    if not isinstance(found, Judged) or found.chi2 is None or found.dof is None:
        return ""
    if not found.dof:
        return "no degree of freedom is left"
    return f"{plain(found.chi2, 3)}/{found.dof}, p = {p_value(found.chi2, found.dof):.2g}"


def tables(run: Stored) -> list[tuple[Table, list[str]]]:
    """A table of each kind of law that there is, with the sentences below it."""
    found = ((law, run.laws(law.found)) for law in _kinds(run))
    return [(law.table(fits, run.words), law.notes(fits)) for law, fits in found if fits]


def _kinds(run: Stored) -> list[Law[Any, Any]]:
    """The laws of a run in the order of the catalogue. A package's law that the run does not have is not imported."""
    kinds = {found.law for found in run.summary.fits.values()}
    return [LAWS[kind] for kind in LAWS if kind in kinds]


def unfitted(run: Stored) -> list[tuple[str, str]]:
    """Fits that were asked for and could not be made: (name, why)."""
    return [(name, found.problem or "no fit") for name, found in run.summary.fits.items() if not was_made(found)]
