"""One self-contained page of many runs: what each is, how far it is, its laws, and a link to its own page."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2

from sgdsim.analysis.numbers import plain
from sgdsim.errors import ExperimentError
from sgdsim.laws.catalogue import headline
from sgdsim.printable import printable
from sgdsim.store.directory import RunDirectory
from sgdsim.store.files import read_bytes, read_json, write_text
from sgdsim.store.summary import Summary

NAME = "index.html"
GENERATOR = '<meta name="generator" content="sgdsim index">'
"""What tells such a page from one of somebody else."""


@dataclass(frozen=True)
class Entry:
    """A run on the page, as finished text.

    - `folder`: its path from the page; `link`: the address of its own page, empty where there is none.
    - `state`: "finished", or how far it is; `counts`: cells, replicas and diverged replicas, empty where not known.
    - `laws`: its fits, a line each; `problems`: why a file of it cannot be read.
    """

    folder: str
    link: str
    title: str
    system: str
    state: str
    finished: str
    counts: tuple[str, ...]
    laws: tuple[str, ...]
    problems: tuple[str, ...]


def write_index(folder: Path, runs: Sequence[Path]) -> Path:
    """Writes index.html of some runs below a folder; returns its path. Nothing else is written, and no run is changed.

    **Raises:** ExperimentError where the folder has an index.html that is no such page.
    """
    page = folder / NAME
    if page.exists() and not _is_ours(page):
        raise ExperimentError([f"{page}: was not written by sgdsim index; move it, or give another folder"])
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sgdsim.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    entries = [_entry(folder, run) for run in runs]
    template = environment.get_template("index.html.j2")
    write_text(page, template.render(generator=GENERATOR, folder=printable(folder.resolve().name), entries=entries))
    return page


def _is_ours(page: Path) -> bool:
    with suppress(OSError):
        return GENERATOR.encode() in read_bytes(page)[:1000]
    return False


def _entry(folder: Path, run: Path) -> Entry:
    """What the files of a run say of it; those that cannot be read are told."""
    place, directory = run.relative_to(folder).as_posix(), RunDirectory(run)
    title, system, counts, laws, problems = "", "", (), (), []
    try:
        stored = directory.checked()[1]
        title, system = str(stored.get("title", "")), str(stored.get("system", ""))
        state = _state(directory)
    except ExperimentError as error:
        state, problems = "cannot be read", error.problems
    if not problems and directory.summary.is_file():
        try:
            summary = Summary.load(directory.summary)
            counts, laws = tuple(_counts(summary)), tuple(_laws(summary))
        except ExperimentError as error:
            problems = error.problems
    link = quote(f"{place}/report.html") if (run / "report.html").is_file() else ""
    shown = tuple(map(printable, laws))
    return Entry(
        printable(place),
        link,
        printable(title),
        printable(system),
        state,
        _when(directory),
        counts,
        shown,
        tuple(problems),
    )


def _state(directory: RunDirectory) -> str:
    """How far a run is."""
    blocks = {block.name for cell in directory.read_layout() for block in cell.blocks}
    done = len(blocks & directory.on_disk())
    if done < len(blocks):
        return f"{done} of {len(blocks)} blocks"
    return "finished" if directory.results.is_file() and directory.summary.is_file() else "no results yet"


def _when(directory: RunDirectory) -> str:
    """When it was finished, to the minute; empty where that is not known."""
    try:
        finished = read_json(directory.provenance).get("finished")
    except (OSError, ValueError):
        return ""
    return printable(str(finished or ""))[:16].replace("T", " ")


def _counts(summary: Summary) -> Iterator[str]:
    yield plain(len(summary.cells))
    yield plain(summary.n_replicas)
    yield plain(summary.n_diverged)


def _laws(summary: Summary) -> Iterator[str]:
    for name, found in summary.fits.items():
        yield f"{name}: {headline(found)}"
