"""Files that are either whole or absent, whatever happens while they are written, and never written through a link."""

import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from sgdsim.store.worker import HOST, NAME, PLACE, is_running

TEMPORARY = re.compile(r"^\..+\." + NAME + r"\.[0-9a-f]{8}\.tmp$")
STALE_SECONDS = 24 * 3600
"""A temporary file of another host is taken for abandoned after a day without a change."""
MOST_TEXT = 2**28
"""Bytes of a file of text that is read as a whole; the manifest of 1e5 cells has 2^24."""
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
"""For opening what must not be a link, where the system can tell."""
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""How a file system says that it has no links."""


@contextmanager
def atomic(target: Path) -> Iterator[BinaryIO]:
    """Yields a stream to a temporary file beside `target` that becomes `target` on leaving, or nothing at all.

    The name holds host and process, so that several may write the same folder, and a part that nobody can guess. The
    data reach the disk before the name does; a name that a crash of the whole machine loses is that of a file which is
    then made again.
    """
    with _whole(target) as (temporary, stream):
        yield stream
        _finish(stream)
        temporary.replace(target)


def write_text(target: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    with atomic(target) as stream:
        stream.write(text.encode())


def create_text(target: Path, text: str) -> bool:
    """Writes a text file whole unless it is there already; of several that try at once, one succeeds and is told so."""
    if os.path.lexists(target):
        return False  # before anything is written: the disk may be full, and what is there enough
    with _whole(target) as (temporary, stream):
        stream.write(text.encode())
        _finish(stream)
        try:
            # A link fails where the name is taken, on network file systems too; a rename would replace it.
            target.hardlink_to(temporary)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if target.exists():
                return False
            temporary.replace(target)
    return True


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """The content of a regular file.

    - `most`: bytes that it may have; None for any number.

    **Raises:** OSError where it cannot be read, is larger or too large for the memory, or is something else: to open a
    pipe would wait for whoever fills it.
    """
    # A folder can be opened, but not as a stream.
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    found = os.fstat(opened)
    if stat.S_ISDIR(found.st_mode):
        os.close(opened)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with os.fdopen(opened, "rb") as stream:
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        if most is not None and found.st_size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        try:
            return stream.read()
        except MemoryError:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), str(path)) from None


def read_text(path: Path) -> str:
    """The content of a text file.

    **Raises:** OSError where it cannot be read; ValueError where it is not text.
    """
    return read_bytes(path, MOST_TEXT).decode()


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    **Raises:** OSError where it cannot be read; ValueError where it holds none.
    """
    try:
        content = json.loads(read_text(path))
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("is not a JSON object")
    return content


def put_aside(path: Path, aside: Path) -> Path:
    """Moves whatever has a name that is needed into the folder `aside`; returns where it is now.

    **Raises:** OSError where it cannot be moved.
    """
    aside.mkdir(exist_ok=True)
    kept = aside / path.name
    if os.path.lexists(kept):
        kept = aside / f"{path.name}.{secrets.token_hex(4)}"
    path.rename(kept)
    return kept


def remove_stale(folder: Path) -> None:
    """Removes the temporary files in `folder` that no living process can still be writing."""
    for path in folder.glob(".*.tmp"):
        match = TEMPORARY.match(path.name)
        if match and _abandoned(path, (match["host"], match["place"]), int(match["pid"])):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def is_stale(path: Path) -> bool:
    """Whether a file was left unchanged for a day, by the clock that stamps the files of its folder.

    That of a file server may differ from the machine's by any amount: it is read off a file made for the purpose.
    """
    with _whole(path.with_name("clock")) as (_, stream):
        now = os.fstat(stream.fileno()).st_mtime
    try:
        return now - path.lstat().st_mtime > STALE_SECONDS
    except FileNotFoundError:
        return False


@contextmanager
def _whole(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    token = secrets.token_hex(4)
    temporary = target.with_name(f".{target.name}.{HOST}.{PLACE}.{os.getpid()}.{token}.tmp")
    # Created here or not at all: a link that somebody has put there would be written through.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | getattr(os, "O_BINARY", 0)
    opened = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(opened, "wb") as stream:
            yield temporary, stream
    except OSError as error:
        # A full disk does not say which file it was that had no room.
        error.filename = error.filename or str(target)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _finish(stream: BinaryIO) -> None:
    # Of the file alone: that its name survives a crash of the machine is not needed, see `atomic`.
    stream.flush()
    os.fsync(stream.fileno())
    stream.close()


def _abandoned(path: Path, place: tuple[str, str], pid: int) -> bool:
    # A number of a process of another place says nothing here: its files are told by their age alone.
    mine = place == (HOST, PLACE) and (pid == os.getpid() or not is_running(pid))
    return mine or is_stale(path)
