"""Links from the page to all that a run keeps beside it."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sgdsim.printable import printable
from sgdsim.store.directory import RunDirectory

MOST = 60
"""Files of one kind that are named one by one; of more, their folder is."""


@dataclass(frozen=True)
class Link:
    """A file or folder: its address from the page on, and what it is called there."""

    address: str
    name: str


@dataclass(frozen=True)
class Files:
    """What the files are for, and where they are."""

    what: str
    links: Sequence[Link]


def files_of(directory: Path) -> list[Files]:
    """All files of a run but the page and the signs of life of those at work, in the order of use."""
    run = RunDirectory(directory)
    kinds = (
        ("all numbers: means, standard errors, theory, values of each replica", [run.results]),
        ("fits, errors, counts, speed", [run.summary]),
        ("the experiment, every default filled in", [run.experiment]),
        ("versions, devices, seed, when and how it was run", [run.provenance]),
        ("figures, as PDF for a paper and PNG for a talk", _inside(run.figures)),
        ("how the run is cut into blocks, and its digests", [run.index]),
        (
            "statistics of the replicas, a file for each block",
            [path for path in _inside(run.blocks) if path != run.index],
        ),
        ("what each process did", _inside(run.log.folder)),
        ("cells that failed", _inside(run.failures.folder)),
        ("damaged files that were put aside", _inside(run.aside)),
    )
    found = [(what, [path for path in paths if _is_there(path)]) for what, paths in kinds]
    return [Files(what, _links(directory, paths)) for what, paths in found if paths]


def _links(directory: Path, paths: list[Path]) -> list[Link]:
    if len(paths) > MOST:
        (top,) = {path.relative_to(directory).parts[0] for path in paths}
        return [Link(f"{top}/", f"{top}/ ({len(paths)} files)")]
    names = [path.relative_to(directory).as_posix() for path in paths]
    # The bytes of a name that is no text are its address all the same.
    return [Link(quote(os.fsencode(name)), printable(name)) for name in names]


def _inside(folder: Path) -> list[Path]:
    """Files of a folder and its subfolders, in an order that no file system changes; none that are being written."""
    return sorted(path for path in _walk(folder) if not path.name.startswith("."))


def _walk(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):  # which skips what cannot be read, and follows no link to a folder
        yield from (Path(place) / name for name in names)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # e.g. a loop of links
        return False
