"""What a reader should know before believing the numbers: the cautions at the top of the page."""

from collections.abc import Iterable
from dataclasses import dataclass

from sgdsim.analysis.goodness import DOUBT
from sgdsim.analysis.numbers import plain
from sgdsim.laws.law import Judged, judgement
from sgdsim.laws.quality import holds
from sgdsim.printable import alike
from sgdsim.report.laws import unfitted
from sgdsim.store.origin import mixture
from sgdsim.store.stored import Stored

FEW_REPLICAS = 20
"""Below so many replicas errors are uncertain by 16 % and more, and chi2 comes out too large."""
_MOST = 8
"""Cells that are named one by one."""


@dataclass(frozen=True)
class Caution:
    """What is in doubt, in a sentence or two; `fit`: the name of the fit that it is about, empty for other things."""

    words: str
    fit: str = ""


def cautions(run: Stored) -> list[Caution]:
    """Everything that is in doubt, the worst first; nothing where all is well."""
    looks = (_failed, _diverged, _blown_up, _doubts, _laws, _replicas, _origins)
    return [caution for look in looks for caution in look(run)]


def all_well(run: Stored) -> str:
    """What was looked at where there is nothing to warn of."""
    judged = [found for found in run.summary.fits.values() if isinstance(found, Judged) and found.chi2 is not None]
    looked = [
        "no replica diverged" if run.simulated else "theory stayed finite in every cell",
        *([f"every law holds by its chi2 (p > {DOUBT:g})"] if judged else []),
        *(["all blocks have one origin"] if run.simulated else []),
    ]
    return f"Nothing to warn of: {', '.join(looked)}."


def _failed(run: Stored) -> Iterable[Caution]:
    for cell in run.summary.cells:
        if cell.error:
            yield Caution(f"Cell {cell.cell} failed and has no numbers: {cell.error}")


def _diverged(run: Stored) -> Iterable[Caution]:
    cells = [cell for cell in run.summary.cells if cell.n_diverged]
    if cells:
        many, total = plain(run.summary.n_diverged), plain(run.summary.n_replicas)
        measure = f" ({run.summary.divergence})" if run.summary.divergence else ""
        where = _named([cell.cell for cell in cells])
        yield Caution(f"{many} of {total} replicas diverged{measure}, in {where}: averages there are over the others.")


def _blown_up(run: Stored) -> Iterable[Caution]:
    cells = [cell.cell for cell in run.summary.cells if cell.theory_diverged]
    if cells:
        yield Caution(f"Theory became infinite in {_named(cells)}.")


def _doubts(run: Stored) -> Iterable[Caution]:
    for words, cells in alike((words, cell.cell) for cell in run.summary.cells for words in cell.doubts):
        yield Caution(f"{words} ({_named(cells)})")


def _laws(run: Stored) -> Iterable[Caution]:
    for name, why in unfitted(run):
        yield Caution(f"{why}.", name)
    for name, found in run.summary.fits.items():
        if isinstance(found, Judged) and not holds(found):
            yield Caution(f"{judgement(found)}.", name)


def _replicas(run: Stored) -> Iterable[Caution]:
    few = [cell.cell for cell in run.summary.cells if 0 < cell.n_replicas < FEW_REPLICAS]
    if few:
        words = f"Fewer than {FEW_REPLICAS} replicas in {_named(few)}: the errors are uncertain themselves."
        yield Caution(words)


def _origins(run: Stored) -> Iterable[Caution]:
    if mixed := mixture(run.summary.origins):
        yield Caution(f"{mixed[:1].upper()}{mixed[1:]}.")
    if str(run.provenance.get("git_commit") or "").endswith("+changes"):
        yield Caution("The source tree had been edited since the commit that is named under Provenance.")


def _named(cells: list[int]) -> str:
    """Cells by their numbers, e.g. "cells 3, 4 and 7", or how many where they are more."""
    if len(cells) == 1:
        return f"cell {cells[0]}"
    if len(cells) > _MOST:
        return f"{len(cells)} cells"
    *most, last = map(str, cells)
    return f"cells {', '.join(most)} and {last}"
