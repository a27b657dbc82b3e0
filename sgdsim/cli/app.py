"""The application and what its commands share: options, tables, and errors said plainly."""

import gc
import json
import math
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from sgdsim import __version__
from sgdsim.cli import places
from sgdsim.cli.completion import complete
from sgdsim.errors import ArgumentError, ExperimentError, unwritable
from sgdsim.printable import printable, shorten
from sgdsim.run.stop import Exit

if TYPE_CHECKING:
    from sgdsim.experiment.experiment import Experiment

WIDEST, LONGEST = 1000, 1000
"""Characters of a line of a table, and of what is said about a command line, at most."""
_USAGE_ERROR: Any = typer.BadParameter.__base__
"""Of click, which typer brings along under one name or another."""

COMMANDS = (
    *("list", "new", "plan", "run", "status"),
    *("extend", "merge", "verify", "report"),
    *("show", "compare", "index", "cite"),
)
"""In the order in which they are used."""
EXIT_CODES = {
    Exit.FINISHED: "done",
    Exit.FAILED: "something failed, or verify found something: look at it",
    Exit.BAD_INPUT: "bad input, nothing was done",
    Exit.RESUMABLE: "stopped in good order by a signal or --max-time: the same command goes on",
    Exit.INTERRUPTED: "stopped by Ctrl-C: the same command goes on",
}
"""What each exit code means; the same table stands in docs/commands.md."""


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
    epilog="Exit codes: " + "; ".join(f"{code:d} {words}" for code, words in EXIT_CODES.items()) + ".",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Config = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        parser=places.config,
        autocompletion=complete,
        help="An experiment file, a shipped one (see `sgdsim list`), or the folder of a run.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set a key of the experiment, e.g. problem.noise=0.01 (repeatable)."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON, for programs.")]
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
    except BrokenPipeError:  # whoever reads the output has enough of it, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes out at its end
        raise typer.Exit(Exit.FAILED) from None
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


def tell_json(value: object) -> None:
    """Prints a value as a line of JSON, in ASCII; a number that is not finite is null."""
    # DEL is the one character that json leaves to the terminal as it is.
    typer.echo(json.dumps(_of_json(value), allow_nan=False).replace("\x7f", r"\u007f"))


def _of_json(value: Any) -> Any:
    """A value in the types that JSON has."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _of_json(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _of_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_of_json(inner) for inner in value]
    value = getattr(value, "item", lambda: value)()  # of a number of NumPy, Python's own
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str | None) else str(value)


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
