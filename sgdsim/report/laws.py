"""The fitted laws of a run on its page: each law tells of itself, here they are put in order."""

from typing import Any

from sgdsim.laws.catalogue import LAWS, was_made
from sgdsim.laws.law import Law
from sgdsim.laws.text import Statement, Table
from sgdsim.store.stored import Stored


def statements(run: Stored) -> list[tuple[str, Statement]]:
    """The laws that are said at the top of the page, by the names of their fits."""
    return [
        (name, law.statement(found, run.words))
        for law in _kinds(run)
        if len(run.laws(law.found)) <= law.said
        for name, found in run.laws(law.found).items()
    ]


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
