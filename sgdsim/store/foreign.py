"""Folders that hold something of somebody else's: no run is begun there, as it would write over files of its names."""

import os
import re
from contextlib import suppress

from sgdsim.errors import ExperimentError
from sgdsim.store.directory import OTHER_FOLDER, RunDirectory

_SHOWN = 3
_EMPTY, _ANY = ("blocks", "logs", "failed"), ("live", "aside")
"""What a run makes before it says which experiment it is: one that was killed then is begun again there.

In `live` a script of a cluster puts its scheduler's file and keys, and in `aside` is what stood in a run's way.
"""
_NOBODYS = re.compile(r"\..*|lost\+found|tmp\w{8}", re.DOTALL)
"""Hidden files (.gitkeep, .DS_Store), what every volume has, and what `RunDirectory.make` tries to write."""


def check_free(directory: RunDirectory) -> None:
    """That a run may be begun in a folder: there is one already, it is empty, or there is none of that name.

    **Raises:** ExperimentError naming what else is there; nothing has been changed then.
    """
    names: list[str] = []
    with suppress(OSError):  # no folder, or a closed one: whoever makes it says so
        names = sorted(entry.name for entry in os.scandir(directory.path) if not _is_ours(entry))
    # Asked last: of several processes that begin at once, another may just have made it a run.
    if names and not directory.exists:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        found = f"{', '.join(names[:_SHOWN])}{more}"
        raise ExperimentError([f"{directory.path}: is no run, and not empty (there: {found}); {OTHER_FOLDER}"])


def _is_ours(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is what a run leaves that was killed as it began, or nothing of anybody's."""
    if _NOBODYS.fullmatch(entry.name):
        return True
    if not entry.is_dir():
        return False
    below = (name for _, _, files in os.walk(entry.path) for name in files)
    return entry.name in _ANY or (entry.name in _EMPTY and all(map(_NOBODYS.fullmatch, below)))
