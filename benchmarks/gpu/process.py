"""A process that is followed line by line, and ended with all that it started when its time is over."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_MOST = 40
"""Last lines of stderr that are shown of a process that failed."""


@dataclass(frozen=True)
class Outcome:
    """What a process printed, and how it ended: `code` is its exit code, negative for a signal."""

    code: int
    lines: list[str] = field(default_factory=list)


def follow(command: Sequence[str], environment: Mapping[str, str], folder: Path, seconds: float) -> Outcome:
    """Runs a command, printing what it prints, and in a last line that it was cut or failed; stderr has the rest."""
    lines, cut = [], threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    pipe, apart = subprocess.PIPE, {"env": dict(environment), "cwd": folder, "start_new_session": True}
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(command, stdout=pipe, stderr=complaints, text=True, **apart) as process,
    ):

        def end() -> None:
            # The group, as a section that hangs may hang in a process that it started.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        def cut_short() -> None:
            cut.set()
            end()

        clock = threading.Timer(max(seconds, 0), cut_short)
        clock.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                say(line.rstrip("\n"))
            code = process.wait()
        finally:
            clock.cancel()
            end()
        complaints.seek(0)
        said = complaints.read().strip().splitlines()
    if cut.is_set():
        say(f"\nCut after {seconds:.0f} s: what is missing had no time.")
    elif code != 0:
        say(f"\nFailed with exit code {code}: {said[-1] if said else 'it said nothing'}")
        print("\n".join(said[-_MOST:]), file=sys.stderr, flush=True)
    return Outcome(code, lines)
