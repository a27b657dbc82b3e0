"""Files that are either whole or absent, whatever happens while they are written."""

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname()) or "host"
TEMPORARY = re.compile(r"^\..+\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.tmp$")
STALE_SECONDS = 24 * 3600
"""A temporary file of another host is taken for abandoned after a day without a change."""


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Yields a temporary path in the folder of `target`, whose file becomes `target` on leaving, or nothing at all.

    The name holds host and process, so that several may write the same folder; the data reach the disk before the name
    does, and both before this returns.
    """
    temporary = target.with_name(f".{target.name}.{HOST}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(target: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    with atomic(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sweep_stale(folder: Path) -> None:
    """Removes the temporary files in `folder` that no living process can still be writing."""
    for path in folder.glob(".*.tmp"):
        match = TEMPORARY.match(path.name)
        if match and _abandoned(path, match["host"], int(match["pid"])):
            path.unlink(missing_ok=True)


def _abandoned(path: Path, host: str, pid: int) -> bool:
    if host == HOST and (pid == os.getpid() or not _alive(pid)):
        return True
    try:
        return time.time() - path.stat().st_mtime > STALE_SECONDS
    except FileNotFoundError:
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
