"""Commands that print the results of runs: show, compare."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sgdsim.cli import places
from sgdsim.cli.app import Folder, main, plain_errors, table, tell
from sgdsim.cli.app import show as show_table
from sgdsim.cli.run import headline

if TYPE_CHECKING:
    from sgdsim.laws.text import Table

Run = Annotated[Path, typer.Argument(metavar="RUN", parser=places.run_folder, help="The folder of a finished run.")]


@main.command()
def show(folder: Folder) -> None:
    """Print the results of a finished run: its cells with their deviations from theory, and its fits."""
    with plain_errors():
        from sgdsim.report import tables
        from sgdsim.store.stored import Stored

        run = Stored.load(folder)
        _print(run.summary.title, tables.cells(run))
        for line in headline(run.summary):
            tell(line)


@main.command()
def compare(first: Run, second: Run) -> None:
    """Print what sets two runs apart: parameters that differ, and quantities with their difference in its error.

    Cells are compared that have the same coordinates. The errors are taken for independent.
    """
    with plain_errors():
        from sgdsim.report import comparison
        from sgdsim.store.stored import Stored

        runs = Stored.load(first), Stored.load(second)
        for title, rows in (
            (f"first: {first}, second: {second}", comparison.parameters(*runs)),
            ("cells", comparison.quantities(*runs)),
            ("fits", comparison.fits(*runs)),
        ):
            _print(title, rows)
        for line in comparison.notes(*runs):
            tell(line)


def _print(title: str, found: "Table") -> None:
    """A table of finished text under its title; of one without rows, the title and that there is nothing."""
    if not found.rows:
        tell(f"{title}: none")
        return
    rows = table(*found.columns)
    for row in found.rows:
        rows.add(*row)
    show_table(title, rows)
