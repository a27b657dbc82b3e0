"""Who works in a run directory now: every process leaves a sign of life there, and reads those of the others."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter

from sgdsim.store.files import MOST_TEXT, is_stale, read_bytes, write_text
from sgdsim.store.worker import Worker, this_worker

BEAT_SECONDS = 5.0
"""Time between two signs of life."""
SILENT_SECONDS = 60.0
"""A process of another host that gave no sign for so long is taken for dead."""


@dataclass
class Sign:
    """What a process says of itself.

    - `beat`: counts the signs: that it still grows is what tells a living process, whatever its clock says.
    - `block`: the block in hand, "" between blocks; `others`: those that are made together with it.
    - `work`, `done`: their work, and how much of it is done.
    - `seconds`: how long it has been at it.
    - `rate`: work per second since the process began, None until it has done some; `unit`: of the work.
    """

    worker: str
    beat: int = 0
    block: str = ""
    work: int = 0
    done: int = 0
    seconds: float = 0.0
    rate: float | None = None
    unit: str = "steps"
    others: list[str] = field(default_factory=list)
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


_SIGN = TypeAdapter(Sign)


class Presence:
    """Signs of life of this process, given by a thread of its own while the context lasts.

    A sign that cannot be written, on a full disk say, is left out: the work goes on.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.worker = this_worker()
        self._path = folder / f"{self.worker.name}.json"
        self._sign = Sign(self.worker.name)
        self._clock = clock
        self._taken = self._began = clock()
        self._busy = 0.0
        self._total = 0
        self._leaving = threading.Event()
        # A thread, as the main one may be within a call of XLA for minutes; a daemon, so that it never keeps a
        # process alive.
        self._thread = threading.Thread(target=self._keep_on, daemon=True, name="sgdsim-presence")
        self._lock = threading.Lock()

    def __enter__(self) -> "Presence":
        self._give()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def begin(self, block: str, work: int, unit: str, others: Sequence[str] = ()) -> None:
        """Takes a block in hand, and others that are made together with it; `work` is that of all."""
        self._sign.block, self._sign.others = block, list(others)
        self._sign.work, self._sign.done, self._sign.unit = work, 0, unit
        self._taken = self._began = self._clock()

    def resume(self) -> None:
        """Begins to simulate, after theory and compilation: the clock of the rate starts here."""
        self._began = self._clock()

    def advance(self, work: int) -> None:
        """Counts work just done."""
        self._sign.done += work

    def end(self) -> None:
        """Lays the block down, finished or not."""
        self._busy += self._clock() - self._began
        self._total += self._sign.done
        self._sign.block, self._sign.others, self._sign.work, self._sign.done = "", [], 0, 0

    def rate(self) -> float | None:
        """Work per second of the time spent on blocks; None until some is done."""
        busy = self._busy + (self._clock() - self._began if self._sign.block else 0.0)
        total = self._total + self._sign.done
        return total / busy if total and busy > 0 else None

    def _keep_on(self) -> None:
        while not self._leaving.wait(BEAT_SECONDS):
            self._give()

    def _give(self) -> None:
        with self._lock, suppress(OSError):
            sign = self._sign
            sign.beat += 1
            sign.rate = self.rate()
            sign.seconds = self._clock() - self._taken if sign.block else 0.0
            write_text(self._path, json.dumps(vars(sign)))


def read_sign(folder: Path, worker: str) -> Sign | None:
    """The latest sign of a process; None where there is none, or it cannot be read."""
    try:
        sign = _SIGN.validate_json(read_bytes(folder / f"{worker}.json", MOST_TEXT))
    except (OSError, ValueError):
        return None
    return sign if sign.worker == worker else None


@dataclass
class Watch:
    """Tells the living from the dead by watching their signs.

    A process of this host is looked up. One of another host is dead once its sign has not changed for
    `SILENT_SECONDS` of this process's own clock: no two clocks are ever compared.
    """

    folder: Path
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[int | None, float]] = field(default_factory=dict)

    def lives(self, name: str) -> bool:
        """Whether the process of this name may still be at work."""
        try:
            worker = Worker.parse(name)
        except ValueError:
            return False
        if worker.here and not worker.running:
            return False
        sign = read_sign(self.folder, name)
        beat, now = None if sign is None else sign.beat, self.clock()
        # A sign is new where it differs from the last one seen: times of files are those of a server's clock.
        if name not in self._seen or self._seen[name][0] != beat:
            self._seen[name] = (beat, now)
        return now - self._seen[name][1] < SILENT_SECONDS

    def remove_dead(self) -> None:
        """Removes the signs of processes of this host that are dead, and those of others that are a day old."""
        for path in self.folder.glob("[!.]*.json"):
            # What is no sign of a process, whoever has put it there, lies in nobody's way.
            with suppress(ValueError, OSError):
                worker = Worker.parse(path.stem)
                if not worker.running if worker.here else is_stale(path):
                    path.unlink(missing_ok=True)

    def signs(self) -> list[Sign]:
        """The signs of all that may still be at work."""
        names = sorted(path.stem for path in self.folder.glob("[!.]*.json"))
        found = [read_sign(self.folder, name) for name in names if self.lives(name)]
        return [sign for sign in found if sign is not None]
