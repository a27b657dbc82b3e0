"""The fitted laws of a run on its page: each law tells of itself, here they are put in order."""

from sgdsim.laws.catalogue import LAWS, was_made
from sgdsim.laws.text import Statement, Table
from sgdsim.store.stored import Stored


def statements(run: Stored) -> list[tuple[str, Statement]]:
    """The laws that are said at the top of the page, by the names of their fits."""
    return [
        (name, law.statement(found, run.words))
        for kind, law in LAWS.items()
        if len(run.laws(kind)) <= law.said
        for name, found in run.laws(kind).items()
    ]


def tables(run: Stored) -> list[tuple[Table, list[str]]]:
    """A table of each kind of law that there is, with the sentences below it."""
    found = ((law, run.laws(kind)) for kind, law in LAWS.items())
    return [(law.table(fits, run.words), law.notes(fits)) for law, fits in found if fits]


def unfitted(run: Stored) -> list[tuple[str, str]]:
    """Fits that were asked for and could not be made: (name, why)."""
    return [(name, found.problem or "no fit") for name, found in run.summary.fits.items() if not was_made(found)]
