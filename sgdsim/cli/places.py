"""Paths of the command line, refused where no file or folder can have them."""

import errno
from pathlib import Path

import typer

from sgdsim.printable import shorten

_BELOW = Path("blocks", "ff", "x" * 130)
"""What a run keeps below its folder has paths that are longer by so much at most."""
_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR)
"""How the system says that nothing is there, which is told by whoever looks for it, with the remedy."""


def place(text: str) -> Path:
    """A path that may be looked at. **Raises:** BadParameter for one too long, with a null character, or closed."""
    _look(Path(text), text)
    return Path(text)


def config(text: str) -> str:
    """An experiment's name or place. **Raises:** BadParameter as `place` does."""
    _look(Path(text), text)
    return text


def run_folder(text: str) -> Path:
    """The place of a run, with room for the names of what it keeps. **Raises:** BadParameter as `place` does."""
    _look(Path(text), text)
    _look(Path(text) / _BELOW, text)
    return Path(text)


def _look(path: Path, given: str) -> None:
    try:
        path.stat()
    except ValueError:
        raise typer.BadParameter(f"must be a path, without a null character, but got {shorten(given)}") from None
    except OSError as error:
        if error.errno not in _NOTHING_THERE:
            reason = f"({error.strerror}: {len(given)} characters)" if error.errno == errno.ENAMETOOLONG else ""
            reason = reason or f"({error.strerror})"
            raise typer.BadParameter(f"must be a path that can be read, but got {shorten(given)} {reason}") from None
