"""Processes that work in run directories: their names, and whether they live."""

import os
import re
import socket
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname()) or "host"


@dataclass(frozen=True)
class Worker:
    """One process on one host.

    Numbers of processes are used again, and so are those of a cluster's jobs: only with the time of its start is a
    process told from a later one.

    - `started`: ticks of the host's clock at which it started.
    """

    host: str
    pid: int
    started: int

    @property
    def name(self) -> str:
        """As it stands in file names and claims."""
        return f"{self.host}.{self.pid}.{self.started}"

    @classmethod
    def parse(cls, name: str) -> "Worker":
        """The inverse of `name`.

        **Raises:** ValueError where it is none.
        """
        host, pid, started = name.rsplit(".", 2)
        return cls(host, int(pid), int(started))

    @property
    def here(self) -> bool:
        """Whether it runs, or ran, on this host: then its life can be looked up."""
        return self.host == HOST

    @property
    def running(self) -> bool:
        """Whether it lives; asked of a process of this host only."""
        return is_running(self.pid) and start_of(self.pid) in (None, self.started)


def this_worker() -> Worker:
    """The process that asks."""
    return _worker(os.getpid())


@cache
def _worker(pid: int) -> Worker:
    # Without /proc the time of first asking stands for that of the start: nobody else has the same.
    return Worker(HOST, pid, start_of(pid) or time.time_ns() // 1_000_000)


def is_running(pid: int) -> bool:
    """Whether a process of this number lives on this host."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    # A zombie answers signals and does nothing more.
    return _state(pid) != "Z"


def start_of(pid: int) -> int | None:
    """When a process started, in ticks since the host did; None where the system does not tell."""
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
