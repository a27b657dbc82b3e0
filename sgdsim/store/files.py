"""Files that are either whole or absent, whatever happens while they are written."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sgdsim.store.worker import HOST, is_running

TEMPORARY = re.compile(r"^\..+\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.tmp$")
STALE_SECONDS = 24 * 3600
"""A temporary file of another host is taken for abandoned after a day without a change."""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""How a file system says that it has no hard links."""


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Yields a temporary path in the folder of `target`, whose file becomes `target` on leaving, or nothing at all.

    The name holds host and process, so that several may write the same folder. The data reach the disk before the name
    does; a name that a crash of the whole machine loses is that of a file which is then made again.
    """
    with _whole(target) as temporary:
        yield temporary
        _sync(temporary)
        temporary.replace(target)


def write_text(target: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    with atomic(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def create_text(target: Path, text: str) -> bool:
    """Writes a text file whole unless it is there already; of several that try at once, one succeeds and is told so."""
    with _whole(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
        _sync(temporary)
        try:
            # A link fails where the name is taken, on network file systems too; a rename would replace it.
            target.hardlink_to(temporary)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if target.exists():
                return False
            temporary.replace(target)
    return True


def remove_stale(folder: Path) -> None:
    """Removes the temporary files in `folder` that no living process can still be writing."""
    for path in folder.glob(".*.tmp"):
        match = TEMPORARY.match(path.name)
        if match and _abandoned(path, match["host"], int(match["pid"])):
            path.unlink(missing_ok=True)


def is_stale(path: Path) -> bool:
    """Whether a file was left unchanged for a day, by the clock that stamps the files of its folder.

    That of a file server may differ from the machine's by any amount: it is read off a file made for the purpose.
    """
    with _whole(path.with_name("clock")) as probe:
        probe.touch()
        now = probe.stat().st_mtime
    try:
        return now - path.stat().st_mtime > STALE_SECONDS
    except FileNotFoundError:
        return False


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    temporary = target.with_name(f".{target.name}.{HOST}.{os.getpid()}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    # Of the file alone: that its name survives a crash of the machine is not needed, see `atomic`.
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _abandoned(path: Path, host: str, pid: int) -> bool:
    # A number of a process of another host says nothing here: its files are told by their age alone.
    mine = host == HOST and (pid == os.getpid() or not is_running(pid))
    return mine or is_stale(path)
