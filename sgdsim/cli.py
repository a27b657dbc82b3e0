"""The command line: run, plan, status, report, list. Whatever takes long to import is imported by the command."""

import os
import shlex
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sgdsim import __version__
from sgdsim.errors import ArgumentError, ExperimentError

if TYPE_CHECKING:
    from sgdsim.sweep.engine import Sweep
    from sgdsim.sweep.experiment import Experiment

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
WIDEST = 1000

main = typer.Typer(
    help="Monte Carlo of SGD in two-layer networks, held against exact theory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[str, typer.Argument(help="An experiment file, or the name of a shipped one (see `sgdsim list`).")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set a key of the experiment, e.g. problem.noise=0.01 (repeatable)."
    ),
]
Quick = Annotated[bool, typer.Option("--quick", help="Run at a reduced size, as the table `quick` of the file says.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")]


def _show_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"sgdsim {__version__}")
        raise typer.Exit
    return wanted


@main.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@main.command()
def run(
    config: Config,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder of the run. Default: runs/NAME.")
    ] = None,
    overrides: Overrides = None,
    quick: Quick = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless something is wrong.")] = False,
) -> None:
    """Run an experiment, or what is missing of it, then fit and draw the results.

    Ctrl-C stops after the block in hand; the same command takes the run up again.
    """
    with _plain_errors():
        from sgdsim.sweep.engine import open_sweep
        from sgdsim.sweep.experiment import load_experiment
        from sgdsim.sweep.provenance import begin_session

        experiment = load_experiment(_find_config(config), overrides or (), quick)
        if not quiet:
            _caution(experiment)
        sweep = open_sweep(experiment, output or Path("runs") / experiment.name)
        begin_session(sweep.directory, experiment.name, experiment.seed, _command())
        _simulate(sweep, quiet)
        _finish(sweep, quiet)


def _caution(experiment: "Experiment") -> None:
    from sgdsim.sweep.plan import cautions

    for line in cautions(experiment):
        typer.echo(line, err=True)


def _simulate(sweep: "Sweep", quiet: bool) -> None:
    """Runs the missing blocks; on an interrupt, says how to take the run up again and exits."""
    from sgdsim.sweep.progress import meter_for
    from sgdsim.sweep.provenance import end_session

    console = Console(stderr=True)
    done = sum(sweep.directory.done(block) for block in sweep.blocks)
    if not quiet:
        console.print(
            f"{sweep.experiment.name}: {len(sweep.layout)} cells, {len(sweep.blocks)} blocks, {done} of them on disk"
            f" in {sweep.directory.path}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
    status = "failed"
    try:
        with meter_for(console, quiet) as meter:
            status = "finished" if sweep.run(meter) else "interrupted"
    except KeyboardInterrupt:
        status = "stopped"
    finally:
        if status != "finished":
            end_session(sweep.directory, status)
    if status != "finished":
        done = sum(sweep.directory.done(block) for block in sweep.blocks)
        typer.echo(f"Stopped with {done} of {len(sweep.blocks)} blocks on disk. To go on: {_command()}", err=True)
    if status == "stopped":
        # XLA's threads still work on the block given up; to take the interpreter down under them would crash.
        os._exit(EXIT_INTERRUPTED)
    if status == "interrupted":
        raise typer.Exit(EXIT_INTERRUPTED)


def _finish(sweep: "Sweep", quiet: bool) -> None:
    """Merges, fits, draws, and prints what came out."""
    from sgdsim.report import write_report
    from sgdsim.sweep.provenance import end_session
    from sgdsim.sweep.results import write_results

    summary = write_results(sweep)
    end_session(sweep.directory, "finished")
    write_report(sweep.directory.path)
    if not quiet:
        for line in _headline(summary):
            typer.echo(line)
        typer.echo(f"report: {sweep.directory.path / 'report.html'}")


def _headline(summary: dict[str, Any]) -> Iterator[str]:
    """The fits beside what theory expects, and the size and speed of the run."""
    from sgdsim.sweep.laws import headline

    for name, fit in summary["fits"].items():
        yield f"{name}: {headline(fit)}"
    if summary["steps_per_second"] is None:
        diverged = sum(cell["theory_diverged"] for cell in summary["cells"])
        yield f"{len(summary['cells'])} cells of theory, {diverged} diverged, in {summary['wall_seconds']:.1f} s"
        return
    yield (
        f"{summary['n_replicas']} replicas, {summary['n_diverged']} diverged,"
        f" {summary['steps_per_second']:.3g} steps/s over {summary['wall_seconds']:.1f} s of simulation"
    )


@main.command()
def plan(config: Config, overrides: Overrides = None, quick: Quick = False) -> None:
    """Show what an experiment would take: cells, steps, memory, estimated time. Runs and writes nothing."""
    with _plain_errors():
        from sgdsim.sweep.experiment import load_experiment
        from sgdsim.sweep.plan import make_plan, memory_text
        from sgdsim.sweep.progress import duration

        experiment = load_experiment(_find_config(config), overrides or (), quick)
        cells = make_plan(experiment)
        first = cells[0]
        labels = [*first.axes, *first.parameters]
        table = _table("cell", *labels, "dt", "theory", "steps", "replicas", "blocks", "memory", "time (estimate)")
        for index, cell in enumerate(cells):
            values = [_plain(value) for value in (cell.axes | cell.parameters).values()]
            work = (str(cell.steps), str(cell.replicas), str(cell.blocks), memory_text(cell.memory))
            table.add_row(str(index), *values, f"{cell.dt:.3g}", cell.theory, *work, duration(cell.seconds))
        _print(experiment.title, table)
        steps = float(sum(cell.steps * cell.replicas for cell in cells))
        total = duration(sum(cell.seconds for cell in cells))
        work = f"{steps:.3g} steps of SGD in all" if steps else "theory alone"
        typer.echo(f"{len(cells)} cells, {work}, about {total} on this machine (an estimate)")
        _caution(experiment)


@main.command()
def status(folder: Folder) -> None:
    """Show how far a run is, from what is on disk."""
    with _plain_errors():
        from sgdsim.sweep.status import read_status
        from sgdsim.sweep.store import RunDirectory

        directory = RunDirectory(folder)
        cells = read_status(directory)
        table = _table("cell", *cells[0].axes, "blocks", "replicas", "diverged")
        for index, cell in enumerate(cells):
            blocks, replicas = f"{cell.blocks_done}/{cell.blocks}", f"{cell.replicas_done}/{cell.replicas}"
            lost = "theory diverged" if cell.theory_diverged else str(cell.diverged)
            table.add_row(str(index), *map(_plain, cell.axes.values()), blocks, replicas, lost)
        _print(directory.read_experiment()["title"], table)
        done, total = sum(cell.blocks_done for cell in cells), sum(cell.blocks for cell in cells)
        written = "written" if directory.results.is_file() and directory.summary.is_file() else "not written yet"
        typer.echo(f"{done} of {total} blocks; results {written}")


@main.command()
def report(folder: Folder) -> None:
    """Draw the figures and write the page of a finished run again."""
    with _plain_errors():
        from sgdsim.report import write_report

        for path in write_report(folder):
            typer.echo(path)


@main.command("list")
def list_experiments() -> None:
    """Show the experiments that come with sgdsim."""
    table = _table()
    for name, path in sorted(_shipped().items()):
        table.add_row(name, tomllib.loads(path.read_text(encoding="utf-8")).get("title", ""))
    _print("sgdsim run NAME", table)


def _shipped() -> dict[str, Path]:
    """The experiment files that come with sgdsim, by name: in the package, or beside it in a checkout."""
    package = Path(__file__).parent
    folder = next((folder for folder in (package / "configs", package.parent / "configs") if folder.is_dir()), package)
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.toml")}


def _find_config(config: str) -> Path:
    """The file itself, or the shipped experiment of that name."""
    path = Path(config)
    return path if path.exists() else _shipped().get(config, path)


def _command() -> str:
    """The command line as it can be given again."""
    return shlex.join(["sgdsim", *sys.argv[1:]])


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What a user can mend is said in one line each, without a traceback."""
    try:
        yield
    except ExperimentError as error:
        problems = error.problems
    except ArgumentError as error:
        problems = [str(error)]
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    else:
        return
    for problem in problems:
        typer.echo(problem, err=True)
    raise typer.Exit(EXIT_BAD_INPUT)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, show_header=bool(columns))
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _print(title: str, table: Table) -> None:
    console = Console(highlight=False)
    # On a narrow terminal, or in a pipe, numbers are wrapped by whoever shows them, never cut.
    console.width = max(console.width, console.measure(table, options=console.options.update(width=WIDEST)).maximum)
    console.print(title, markup=False, soft_wrap=True)
    console.print(table)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
