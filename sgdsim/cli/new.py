"""The command new: an experiment file to edit, with what else each of its tables takes in comments."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from sgdsim import __version__
from sgdsim.cli import places
from sgdsim.cli.app import main, plain_errors, tell
from sgdsim.cli.completion import complete
from sgdsim.errors import ExperimentError
from sgdsim.experiment.shipped import find_config

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

TEMPLATES = {path.stem: path for path in sorted(Path(__file__).with_name("templates").glob("*.toml"))}
"""Of every system, by its name. The list of systems itself would import JAX."""
_HEADER = re.compile(r"^\[+([a-z_]+)[\].]", re.MULTILINE)
_WIDTH = 34
"""Where the words of a key begin."""


@main.command()
def new(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT",
            parser=places.config,
            autocompletion=complete,
            help=f"A shipped experiment (see `sgdsim list`), or a system: {', '.join(TEMPLATES)}.",
        ),
    ] = "committee",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", parser=places.place, help="The file. Default: the name, here."),
    ] = None,
) -> None:
    """Write an experiment file to edit, from a shipped one or a template of a system. It runs as it is.

    What else its tables take stands in comments, with the defaults.
    """
    with plain_errors():
        from sgdsim.store.files import create_text

        path = output or Path(f"{experiment.rpartition('/')[2].removesuffix('.toml')}.toml")
        text = commented(_text(experiment), experiment)
        if not create_text(path, text):
            raise ExperimentError([f"{path}: is there already; choose another file with -o FILE"])
        tell(f"{path}: edit it, then: sgdsim plan {path}; sgdsim run {path} --quick; sgdsim run {path}")


def _text(experiment: str) -> str:
    """The template of a system, or the text of an experiment file."""
    from sgdsim.experiment.source import read_source

    path = TEMPLATES[experiment] if experiment in TEMPLATES else find_config(experiment)
    read_source(path)  # it says in a line what is wrong with a file that is none
    return path.read_text(encoding="utf-8-sig")


def commented(text: str, name: str) -> str:
    """An experiment's text with a comment behind each table that lists the keys it does not have.

    The tables that it lacks altogether are listed before [quick]. It reads as the same experiment.
    """
    from sgdsim.systems import load_system

    document = tomllib.loads(text)
    system = load_system(document.get("system", ""))
    # A key may be an axis of the grid instead.
    grid = _tables(document.get("grid"))
    axes = dict.fromkeys(key for table in (*grid, *_tables(*(table.get("zip") for table in grid))) for key in table)
    parts, absent = _parts(text), ""
    places = {name: index for index, (name, _) in reversed([*enumerate(parts)])}
    for table, section in system.sections.items():
        known = dict(*_tables(document.get(table)))
        lines = list(_others(section, known | axes if table in system.homes else known))
        block = "".join(f"{line}\n" for line in lines)
        if table in places:
            parts[places[table]] = table, f"{parts[places[table]][1].rstrip()}\n{block}\n"
        elif block:
            absent += f"# [{table}]\n{block}\n"
    parts.insert(places.get("quick", len(parts)), ("", absent))
    return "".join([f"# Written by sgdsim {__version__} from {name}.\n\n", *(part for _, part in parts)])


def _tables(*found: object) -> list[dict[str, Any]]:
    """The tables among some values and in lists among them: what a file has in their place is for `plan` to tell."""
    entries = [entry for value in found for entry in (value if isinstance(value, list) else [value])]
    return [entry for entry in entries if isinstance(entry, dict)]


def _parts(text: str) -> list[tuple[str, str]]:
    """The text, cut where a table begins, together with the comment before it; "" is what stands before all tables.

    Tables such as [fits.NAME] and those of a list are one part with those before of the same first name.
    """
    parts, begin, name = [], 0, ""
    for found in _HEADER.finditer(text):
        if found[1] == name:
            continue
        start = _before_comment(text, found.start())
        parts.append((name, text[begin:start]))
        begin, name = start, found[1]
    return [*parts, (name, text[begin:])]


def _before_comment(text: str, place: int) -> int:
    """Where the comment lines begin that end just before a place."""
    while (line := text.rfind("\n", 0, max(place - 1, 0)) + 1) < place and text[line:place].startswith("#"):
        place = line
    return place


def _others(section: "type[BaseModel]", given: Mapping[str, Any]) -> Iterator[str]:
    """A comment line for each key of a table that is not given."""
    from sgdsim.experiment.schema import variants
    from sgdsim.experiment.wording import show

    chosen: type[BaseModel] | None = section
    if kinds := variants(section):
        yield f"# kind: one of {', '.join(map(show, kinds))}"
        chosen = kinds.get(str(given.get("kind")))
    for key, field in [] if chosen is None else chosen.model_fields.items():
        choices = _choices(field.annotation)
        if key == "kind" and len(choices) > 1:
            yield f"# kind: one of {', '.join(choices)}"
        elif key not in given and key != "kind":
            yield _line(key, field)


def _line(key: str, field: "FieldInfo") -> str:
    """A comment such as "# key = default   # words (range)"."""
    from sgdsim.experiment.wording import show
    from sgdsim.parameters import Parameter

    parameter = next((one for one in field.metadata if isinstance(one, Parameter)), Parameter("", ""))
    value = next(iter(field.examples or []), None) if field.is_required() else field.default
    bounds = parameter.range or ", ".join(_choices(field.annotation))
    words = f"{parameter.words} ({bounds})" if bounds else parameter.words
    return f"# {key} = {'' if value is None else show(value)}".ljust(_WIDTH) + f"# {words}" * bool(words)


def _choices(kind: Any) -> list[str]:
    """The words that a key of this type may be, as in a file; none where it is no choice."""
    from sgdsim.experiment.wording import show

    if get_origin(kind) is Literal:
        return [show(value) for value in get_args(kind)]
    return [choice for part in get_args(kind) for choice in _choices(part)]
