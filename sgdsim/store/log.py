"""The log of a run: a line for everything that happened, each process in a file of its own."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sgdsim.store.files import MOST_TEXT, NO_FOLLOW, read_bytes
from sgdsim.store.worker import this_worker

Entry = dict[str, Any]
BEGIN, BLOCK, END = "begin", "block", "end"


@dataclass(frozen=True)
class Log:
    """The folder of logs.

    Lines are appended with one call each; one that a kill or a full disk cut short is skipped by the reader, and spoils
    none that follows. Nothing that a result depends on is kept here.
    """

    folder: Path

    def path_of(self, worker: str) -> Path:
        """The log of a process."""
        return self.folder / f"{worker}.jsonl"

    def write(self, event: str, facts: Entry) -> None:
        """Appends a line to this process's log.

        **Raises:** OSError where it cannot be written.
        """
        line = json.dumps({"event": event, "at": now()} | facts)
        # Not through a link: whoever may write in a shared folder would choose what is appended to.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | NO_FOLLOW
        opened = os.open(self.path_of(this_worker().name), flags, 0o666)
        try:
            # The line begins with a line end of its own: one that was cut short before it stays a line of its own.
            os.write(opened, f"\n{line}\n".encode())
        finally:
            os.close(opened)

    def try_to_write(self, event: str, facts: Entry) -> None:
        """Writes a line, or leaves it out where it cannot be written: what it tells is not worth stopping for."""
        with suppress(OSError):
            self.write(event, facts)

    def read(self) -> dict[str, list[Entry]]:
        """The lines of every process, in order, by its name."""
        return {path.stem: _entries(path) for path in self.paths()}

    def paths(self) -> list[Path]:
        """The files, one of every process."""
        return [path for path in sorted(self.folder.glob("*.jsonl")) if path.is_file()]


def now() -> str:
    """The time of day, for a reader; nothing is ever decided by it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _entries(path: Path) -> list[Entry]:
    """The lines of a file that are whole: objects with an event and a time, whatever else they hold."""
    entries = []
    for line in lines_of(path):
        with suppress(ValueError, RecursionError):
            match json.loads(line) if line else None:
                case {"event": str(), "at": str()} as entry:
                    entries.append(entry)
    return entries


def lines_of(path: Path) -> list[str]:
    """The lines of a log as they are; none where it cannot be read."""
    with suppress(OSError):
        return read_bytes(path, MOST_TEXT).decode(errors="replace").splitlines()
    return []
