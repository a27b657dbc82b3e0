"""Processes that work in run directories: their names, and whether they live."""

import hashlib
import os
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sgdsim.store import windows


def _place() -> str:
    """Where numbers of processes mean something: this boot of this machine, and the PID namespace of this process."""
    known = []
    # Two containers of one pod may have one host name, and each a process 7 of its own; so may two machines.
    with suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        known.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.blake2b("\n".join(known).encode(), digest_size=4).hexdigest()


WINDOWS = os.name == "nt"
HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname()) or "host"
PLACE = _place()
NAME = r"(?P<host>[A-Za-z0-9-]+)\.(?P<place>[0-9a-f]{8})\.(?P<pid>\d{1,10})"
"""A process as far as the names of its files tell it."""


@dataclass(frozen=True)
class Worker:
    """One process in one place.

    Numbers of processes are used again, and so are those of a cluster's jobs: only with the time of its start is a
    process told from a later one.

    - `host`: the name of its host, for a reader.
    - `place`: eight digits that stand for one boot of one machine and one namespace of process numbers on it.
    - `started`: ticks of the host's clock at which it started.
    """

    host: str
    place: str
    pid: int
    started: int

    @property
    def name(self) -> str:
        """As it stands in file names and claims."""
        return f"{self.host}.{self.place}.{self.pid}.{self.started}"

    @classmethod
    def parse(cls, name: str) -> "Worker":
        """The inverse of `name`.

        **Raises:** ValueError where it is none.
        """
        found = re.fullmatch(NAME + r"\.(?P<started>\d{1,20})", name)
        if found is None:
            raise ValueError(f"must be HOST.PLACE.PID.STARTED, but got {name!r}")
        return cls(found["host"], found["place"], int(found["pid"]), int(found["started"]))

    @property
    def here(self) -> bool:
        """Whether its number means the same here: then its life can be looked up."""
        return (self.host, self.place) == (HOST, PLACE)

    @property
    def running(self) -> bool:
        """Whether it lives; asked of a process that is `here` only."""
        return is_running(self.pid) and start_of(self.pid) in (None, self.started)


def this_worker() -> Worker:
    """The process that asks."""
    return _worker(os.getpid())


@cache
def _worker(pid: int) -> Worker:
    # Without /proc the time of first asking stands for that of the start: nobody else has the same.
    return Worker(HOST, PLACE, pid, start_of(pid) or time.time_ns() // 1_000_000)


def is_running(pid: int) -> bool:
    """Whether a process of this number lives on this host."""
    if WINDOWS:  # where no signal asks, and 0 is Ctrl-C
        return windows.lives(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    # A zombie answers signals and does nothing more.
    return _state(pid) != "Z"


def start_of(pid: int) -> int | None:
    """When a process started, in ticks since the host did; None where the system does not tell.

    On Windows, tenths of a microsecond since 1601.
    """
    if WINDOWS:
        return windows.started(pid)
    fields = _fields(pid)
    return int(fields[19]) if fields else None


def _state(pid: int) -> str | None:
    fields = _fields(pid)
    return fields[0] if fields else None


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name, which may hold spaces and parentheses itself."""
    try:
        # After the last parenthesis: the name of a program may hold blanks and parentheses itself.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
