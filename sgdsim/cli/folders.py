"""Commands about the folders of runs: status, report."""

import typer

from sgdsim.cli.app import Folder, main, plain, plain_errors, show, table


@main.command()
def status(folder: Folder) -> None:
    """Show how far a run is, from what is on disk."""
    with plain_errors():
        from sgdsim.engine.status import read_status
        from sgdsim.store.directory import RunDirectory

        directory = RunDirectory(folder)
        cells = read_status(directory)
        rows = table("cell", *cells[0].axes, "blocks", "replicas", "diverged")
        for index, cell in enumerate(cells):
            blocks, replicas = f"{cell.blocks_done}/{cell.blocks}", f"{cell.replicas_done}/{cell.replicas}"
            lost = "theory diverged" if cell.theory_diverged else str(cell.diverged)
            rows.add_row(str(index), *map(plain, cell.axes.values()), blocks, replicas, lost)
        show(directory.read_experiment()["title"], rows)
        done, total = sum(cell.blocks_done for cell in cells), sum(cell.blocks for cell in cells)
        written = "written" if directory.results.is_file() and directory.summary.is_file() else "not written yet"
        typer.echo(f"{done} of {total} blocks; results {written}")


@main.command()
def report(folder: Folder) -> None:
    """Draw the figures and write the page of a finished run again."""
    with plain_errors():
        from sgdsim.report import write_report

        for path in write_report(folder):
            typer.echo(path)
