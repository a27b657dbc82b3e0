"""The command index: one page of all runs in a folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from sgdsim.cli import places
from sgdsim.cli.app import main, plain_errors, tell
from sgdsim.errors import ExperimentError
from sgdsim.experiment.shipped import is_run

Above = Annotated[Path, typer.Argument(metavar="FOLDER", parser=places.place, help="A folder with runs in it.")]


@main.command()
def index(folder: Above = Path("runs")) -> None:
    """Write FOLDER/index.html, one page of all runs in a folder and its subfolders, with links to their own."""
    with plain_errors():
        from sgdsim.report.index import write_index

        runs = sorted(_runs(folder))
        if not runs:
            what = "has no run in it" if folder.is_dir() else "there is no such folder"
            raise ExperimentError([f"{folder}: {what}; a run is what sgdsim run CONFIG -o DIR makes"])
        if runs == [folder]:
            raise ExperimentError([f"{folder}: is a run itself; give the folder around it"])
        tell(f"{write_index(folder, runs)}: {len(runs)} {'run' if len(runs) == 1 else 'runs'}")


def _runs(folder: Path) -> Iterator[Path]:
    """The runs below a folder. Hidden folders and links are left out, and no run is looked into."""
    for place, folders, _ in os.walk(folder):
        if is_run(Path(place)):
            folders.clear()
            yield Path(place)
        folders[:] = [name for name in folders if not name.startswith(".")]
