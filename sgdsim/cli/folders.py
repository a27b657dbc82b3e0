"""Commands about the folders of runs: report, merge, verify."""

import random
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sgdsim.cli import places
from sgdsim.cli.app import Folder, command_line, main, plain_errors, tell
from sgdsim.cli.run import AcceptCode, Quiet, conduct, disk_errors, say, start_devices
from sgdsim.errors import ExperimentError
from sgdsim.run.options import Options
from sgdsim.run.stop import Exit

MOST_PROBLEMS = 20
"""Problems with single blocks that are told one by one."""


@main.command()
def report(folder: Folder) -> None:
    """Draw the figures and write the page of a finished run again."""
    with plain_errors():
        from sgdsim.report import write_report

        with disk_errors():
            for path in write_report(folder):
                tell(str(path))


@main.command()
def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", parser=places.run_folder, help="Folders of the same experiment.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            parser=places.run_folder,
            help="Where all goes: new, or of the same experiment.",
        ),
    ],
    accept_code: AcceptCode = False,
    quiet: Quiet = False,
) -> None:
    """Copy the blocks of several folders of one experiment into one; if none is missing, fit and draw the results."""
    with plain_errors():
        from sgdsim.run.merge import unite
        from sgdsim.run.opened import load_run, open_run
        from sgdsim.run.progress import meter_for
        from sgdsim.store.directory import RunDirectory
        from sgdsim.store.foreign import check_free

        target = RunDirectory(output)
        check_free(target)
        with disk_errors(), meter_for(Console(stderr=True), quiet) as meter:
            union = unite([RunDirectory(folder) for folder in folders], target, meter, say, accept_code)
        for problem in union.problems[:MOST_PROBLEMS]:
            say(problem)
        if len(union.problems) > MOST_PROBLEMS:
            say(f"... and {len(union.problems) - MOST_PROBLEMS} more blocks like these")
        if not quiet:
            copied = f"{_count(union.copied, 'block')} copied to {output}"
            say(f"{copied}, there before: {union.there}, missing: {union.missing}")
        if union.missing:
            say(f"To make those that are missing: sgdsim run {output}")
        else:
            conduct(open_run(load_run(target), output), Options(command_line(), quiet=quiet))


@main.command()
def verify(
    folder: Folder,
    count: Annotated[
        int, typer.Option("--recompute", metavar="K", min=0, help="Blocks, chosen at random, that are made again.")
    ] = 1,
    quiet: Quiet = False,
) -> None:
    """Check every block of a run and its results, and of K random blocks every bit. Exit code 1: look at it.

    The results are merged again from the blocks and compared.
    """
    with plain_errors():
        from sgdsim.run.opened import check_code, look_into
        from sgdsim.run.progress import meter_for
        from sgdsim.run.verify import check_blocks, check_results, recompute
        from sgdsim.store.directory import RunDirectory

        directory = RunDirectory(folder)
        total = sum(len(cell.blocks) for cell in directory.checked_manifest().cells)
        problems: list[str] = []
        differences: list[str] = []
        with meter_for(Console(stderr=True), quiet) as meter:
            sound = check_blocks(directory, meter, problems.append)
        for problem in problems:
            say(problem)
        again, results = [], "results not compared"
        if sound and (count or directory.results.exists()):
            start_devices()
            opened = look_into(directory)
            try:
                check_code(opened)
                results = check_results(opened, sound, differences.append)
                with meter_for(Console(stderr=True), quiet) as meter:
                    again = recompute(opened, sound, count, random.Random(), meter, differences.append)
            except ExperimentError as error:  # e.g. other code, whose numbers cannot be made again here
                differences += error.problems
        for difference in differences:
            say(difference)
        found = len(problems) + len(differences)
        if not quiet:
            made = f"; made again: {', '.join(block.name for block in again)}" if again else ""
            tell(f"{len(sound)} of {total} blocks sound, {results}, {_count(found, 'problem')}{made}")
        raise typer.Exit(Exit.FAILED if found else Exit.FINISHED)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
