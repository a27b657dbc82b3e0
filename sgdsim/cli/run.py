"""Commands that simulate: run, extend."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sgdsim.cli import places
from sgdsim.cli.app import (
    Config,
    Folder,
    Overrides,
    Quick,
    caution,
    command_line,
    main,
    plain_errors,
    tell,
)
from sgdsim.cli.deadline import deadline
from sgdsim.errors import unwritable
from sgdsim.experiment.shipped import find_config, is_run
from sgdsim.printable import shorten
from sgdsim.run.options import Options
from sgdsim.run.shard import Shard
from sgdsim.run.stop import Exit

if TYPE_CHECKING:
    from sgdsim.run.opened import OpenRun
    from sgdsim.store.summary import Summary

T = TypeVar("T")


def _parsed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A parser whose complaints the command line shows as its own."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return read


def _address(text: str) -> str:
    if "://" not in text:
        raise typer.BadParameter(f"must be an address such as tcp://host:8786, but got {shorten(repr(text))}")
    return text


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless something is wrong.")]
Part = Annotated[
    Shard | None,
    typer.Option("--shard", metavar="I/N", parser=_parsed(Shard.parse), help="Make part I of N of the blocks only."),
]
MaxTime = Annotated[
    float | None,
    typer.Option(
        metavar="TIME",
        # It counts from here: what takes long is imported after it.
        parser=_parsed(deadline),
        help="Stop in good order before 3h30m, 90m, 45s ...; auto: before Slurm ends the job, less 2 min, or auto-10m.",
    ),
]
AcceptCode = Annotated[
    bool,
    typer.Option("--accept-code", help="Let blocks of this code stand beside those of the code that began the run."),
]
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="ADDRESS", parser=_address, help="Run on the Dask cluster at tcp://host:port."),
]
SchedulerFile = Annotated[
    Path | None,
    typer.Option(
        "--scheduler-file",
        metavar="FILE",
        parser=places.place,
        help="Run on the Dask cluster whose scheduler wrote this file.",
    ),
]


@main.command()
def run(
    config: Config,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", parser=places.run_folder, help="Folder of the run. Default: runs/NAME."
        ),
    ] = None,
    overrides: Overrides = None,
    quick: Quick = False,
    shard: Part = None,
    max_time: MaxTime = None,
    scheduler: Scheduler = None,
    scheduler_file: SchedulerFile = None,
    accept_code: AcceptCode = False,
    quiet: Quiet = False,
) -> None:
    """Run an experiment, or what is missing of it, then fit and draw the results.

    The folder of a run stands for the experiment in it. Ctrl-C stops after the blocks in hand; the same command takes
    the run up again. Exit code 75 means the same after SIGTERM, SIGUSR1 or --max-time, 1 that something failed.
    """
    with plain_errors():
        from sgdsim.experiment.experiment import load_experiment
        from sgdsim.run.opened import load_run, open_run
        from sgdsim.store.directory import RunDirectory
        from sgdsim.store.foreign import check_free

        start_devices()
        begun = is_run(Path(config)) and not (overrides or quick)
        if begun:
            experiment = load_run(RunDirectory(Path(config)))
        else:
            experiment = load_experiment(find_config(config), overrides or (), quick)
        target = output or (Path(config) if begun else Path("runs") / experiment.name)
        check_free(RunDirectory(target))
        if not quiet:
            caution(experiment)
        cluster = one_scheduler(scheduler, scheduler_file)
        options = Options(command_line(), shard=shard, limit=max_time, scheduler=cluster, quiet=quiet)
        conduct(open_run(experiment, target, accept_code), options)


@main.command()
def extend(
    folder: Folder,
    replicas: Annotated[int, typer.Option("--replicas", metavar="N", min=1, help="Replicas of every cell, in all.")],
    shard: Part = None,
    max_time: MaxTime = None,
    scheduler: Scheduler = None,
    scheduler_file: SchedulerFile = None,
    accept_code: AcceptCode = False,
    quiet: Quiet = False,
) -> None:
    """Add replicas to a run, up to N in each cell, then fit and draw the results again.

    What the run has is kept, and the results are those of a run that had N from the beginning, bit for bit. The same
    command, or `sgdsim run DIR`, takes an extension up again.
    """
    with plain_errors():
        from sgdsim.run.extend import check_extension
        from sgdsim.run.extend import extend as lay_out
        from sgdsim.run.opened import load_run
        from sgdsim.store.directory import RunDirectory

        directory = RunDirectory(folder)
        start_devices()
        check_extension(directory, replicas)
        experiment = load_run(directory, [f"ensemble.replicas={replicas}"])
        if not quiet:
            caution(experiment)
        cluster = one_scheduler(scheduler, scheduler_file)
        with disk_errors():
            opened = lay_out(experiment, directory, say, accept_code)
        options = Options(command_line(), shard=shard, limit=max_time, scheduler=cluster, quiet=quiet)
        conduct(opened, options)


@contextmanager
def disk_errors() -> Iterator[None]:
    """A full or broken disk is no bad input: it is told in a line, and the exit code is that of a failure."""
    from sgdsim.store.directory import Unwritable

    try:
        yield
    except (Unwritable, OSError) as error:
        say(unwritable(error))
        raise typer.Exit(Exit.FAILED) from None


def one_scheduler(address: str | None, file: Path | None) -> str | None:
    """The scheduler of a cluster as `Options` takes it."""
    if address is not None and file is not None:
        raise typer.BadParameter("must not be given together with --scheduler", param_hint="--scheduler-file")
    return address if file is None else str(file)


def conduct(opened: "OpenRun", options: Options) -> None:
    """Conducts a run, prints what came out, and exits with its code."""
    from sgdsim.run.conductor import Conductor

    conductor = Conductor(opened, options, say)
    code = conductor.run()
    if conductor.summary is not None and not options.quiet:
        for line in headline(conductor.summary):
            tell(line)
        tell(f"report: {opened.directory.path / 'report.html'}")
    raise typer.Exit(code)


def start_devices() -> None:
    """Starts JAX, once there is memory for it on the devices."""
    from sgdsim.run.memory import wait_for_devices

    wait_for_devices(say)


def say(text: str) -> None:
    """Prints a line that is not a result."""
    for line in text.splitlines():
        tell(line, err=True)


def headline(summary: "Summary") -> Iterator[str]:
    """The fits beside what theory expects, and the size and speed of the run."""
    from sgdsim.laws.catalogue import headline
    from sgdsim.run.plan import doubts
    from sgdsim.store.origin import mixture

    for name, fit in summary.fits.items():
        yield f"{name}: {headline(fit)}"
    if told := mixture(summary.origins):
        yield told
    yield from doubts(summary)
    if summary.steps_per_second is None:
        diverged = sum(cell.theory_diverged or False for cell in summary.cells)
        yield f"{len(summary.cells)} cells of theory, {diverged} diverged, in {summary.wall_seconds:.1f} s"
        return
    meaning = f" ({summary.divergence})" if summary.n_diverged else ""
    yield (
        f"{summary.n_replicas} replicas, {summary.n_diverged} diverged{meaning},"
        f" {summary.steps_per_second:.3g} steps/s over {summary.wall_seconds:.1f} s of simulation"
    )
