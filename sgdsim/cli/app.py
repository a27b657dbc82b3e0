"""The application and what its commands share: options, tables, and errors said plainly."""

import gc
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from sgdsim import __version__
from sgdsim.cli import places
from sgdsim.errors import ArgumentError, ExperimentError, unwritable
from sgdsim.printable import printable, shorten
from sgdsim.run.stop import Exit

if TYPE_CHECKING:
    from sgdsim.experiment.experiment import Experiment

WIDEST, LONGEST = 1000, 1000
"""Characters of a line of a table, and of what is said about a command line, at most."""
_USAGE_ERROR: Any = typer.BadParameter.__base__
"""Of click, which typer brings along under one name or another."""

COMMANDS = ("list", "plan", "run", "status", "extend", "merge", "verify", "report")
"""In the order in which they are used."""


class InOrder(TyperGroup):
    """The commands, listed in this order."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, in the order in which help shows them."""
        return sorted(super().list_commands(ctx), key=COMMANDS.index)

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """As typer's, but what is wrong with a command line is said in a line, as all that a user can mend is."""
        try:
            code = super().main(*args, standalone_mode=False, **extra)
        except _USAGE_ERROR as error:
            if not standalone_mode:
                raise
            _tell_usage(error)
            sys.exit(Exit.BAD_INPUT)
        if standalone_mode:
            sys.exit(code)
        return code


def _tell_usage(error: Any) -> None:
    """What is wrong with a command line, and where help is; help itself has been shown where nothing was asked for."""
    if type(error).__name__ != "NoArgsIsHelpError":
        command = "sgdsim" if error.ctx is None else error.ctx.command_path
        words = " ".join(error.format_message().split()).removesuffix(".")
        tell(f"{command}: {shorten(words, LONGEST)}; see {command} --help", err=True)


main = typer.Typer(
    cls=InOrder,
    help="Monte Carlo of SGD in two-layer networks, held against exact theory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        parser=places.config,
        help="An experiment file, a shipped one (see `sgdsim list`), or the folder of a run.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set a key of the experiment, e.g. problem.noise=0.01 (repeatable)."
    ),
]
Quick = Annotated[bool, typer.Option("--quick", help="Run at a reduced size, as the table `quick` of the file says.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", parser=places.run_folder, help="The folder of a run.")]


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
    # Imports and traced programs leave a million objects that stay. With Python's own threshold a tenth of a short run
    # went into looking through them for garbage.
    gc.set_threshold(100_000, 20, 20)


def caution(experiment: "Experiment") -> None:
    """Says what a user should know before running."""
    from sgdsim.run.plan import cautions

    for line in cautions(experiment):
        tell(line, err=True)


def shipped() -> dict[str, Path]:
    """The experiment files that come with sgdsim, by name: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    folder = next((folder for folder in (package / "configs", package.parent / "configs") if folder.is_dir()), package)
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.toml")}


def find_config(config: str) -> Path:
    """The file itself, the experiment of a run directory, or the shipped experiment of that name."""
    path = Path(config)
    if is_run(path):
        return path / "experiment.toml"
    return path if path.exists() else shipped().get(config, path)


def is_run(folder: Path) -> bool:
    """Whether a run was begun in a folder."""
    return (folder / "experiment.toml").is_file() and (folder / "blocks").is_dir()


def command_line() -> str:
    """The command line as it can be given again."""
    return shlex.join(["sgdsim", *sys.argv[1:]])


@contextmanager
def plain_errors() -> Iterator[None]:
    """What a user can mend is said in one line each, without a traceback."""
    try:
        yield
    except ExperimentError as error:
        problems = error.problems
    except ArgumentError as error:
        problems = [str(error)]
    except OSError as error:  # a disk, or rights, that fail where nobody has looked for it
        tell(unwritable(error), err=True)
        raise typer.Exit(Exit.FAILED) from None
    except KeyboardInterrupt:
        tell("Stopped.", err=True)
        raise typer.Exit(Exit.INTERRUPTED) from None
    else:
        return
    for problem in problems:
        tell(problem, err=True)
    raise typer.Exit(Exit.BAD_INPUT)


def tell(text: str, err: bool = False) -> None:
    """Prints a line, with nothing in it that a terminal would obey."""
    typer.echo(printable(text), err=err)


class Rows(Table):
    """A table whose cells are text as it stands: no markup, and nothing that a terminal would obey."""

    def add(self, *cells: str) -> None:
        """Adds a row."""
        self.add_row(*map(shown, cells))


def shown(text: str) -> Text:
    """Text for rich, as it stands."""
    return Text(printable(text))


def table(*columns: str) -> Rows:
    """A plain table with these columns."""
    made = Rows(box=None, pad_edge=False, show_header=bool(columns))
    for column in columns:
        made.add_column(shown(column), justify="right", no_wrap=True)
    return made


def show(title: str, rows: Rows) -> None:
    """Prints a table under its title."""
    console = Console(highlight=False)
    # On a narrow terminal, or in a pipe, numbers are wrapped by whoever shows them, never cut.
    console.width = max(console.width, console.measure(rows, options=console.options.update(width=WIDEST)).maximum)
    console.print(shown(title), soft_wrap=True)
    console.print(rows)


def plain(value: object) -> str:
    """A value as a table shows it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
