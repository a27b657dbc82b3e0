"""Where runs are tortured: tiny experiments, folders in every state, commands under limits, and what must come out."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import Queue
from typing import ClassVar

import numpy as np
import xarray as xr

from tests.processes import Nursery, Process, blocks

EXPERIMENT = """\
title = "Sixteen blocks of a few hundredths of a second"
system = "committee"

[problem]
k = 2
p0 = 2
noise = 0.01

[grid]
d = [600, 900]

[start]
kind = "overlap"
overlap = 0.5

[times]
final = 1.0
count = 4

[theory]
kind = "none"  # to solve it would take longer than to simulate

[ensemble]
replicas = 1900
block = 256

[fits.risk]
quantity = "excess_risk"

[report]
figures = []  # the runs that are copied have one
"""
BLOCKS, MORE = 16, 2400
"""Blocks of the experiment, and the replicas to which it is extended."""
SECONDS = 90
"""Of a command, before it counts as hung: thirty times what the longest takes. Time that others had is not counted."""
MEMORY = 6 << 30
"""Of addresses; JAX takes 2 GB of them, and a hundredth of that of memory."""
QUIET = {"sgdsim.store.presence.SILENT_SECONDS": 2.0, "sgdsim.store.presence.BEAT_SECONDS": 0.2}
"""How long processes are silent before they count as dead: a minute would be most of the time of a torture."""
RIGHTS = "-dac_override,-dac_read_search,-fowner"
"""What root may do to files of which all rights were taken away, and a run under torture must not."""


class Loss(Exception):
    """A number lost or wrong, a traceback, a hang, or a refusal that does not say of what."""


@dataclass(frozen=True)
class Outcome:
    """What came of a command: its exit code (negative for a signal), and all that it said."""

    command: tuple[str, ...]
    code: int
    said: str

    def check(self, *codes: int) -> "Outcome":
        """**Raises:** Loss after a traceback, a hang, a crash, or another exit code than these."""
        what = f"`sgdsim {' '.join(self.command)}`"
        if self.code == -signal.SIGALRM:
            raise Loss(f"{what} hung: {SECONDS} s\n{self.said}")
        if "Traceback (most recent call last)" in self.said or self.code < 0:
            raise Loss(f"{what} crashed, exit code {self.code}\n{self.said}")
        if self.code not in codes:
            raise Loss(f"{what} ended with exit code {self.code}\n{self.said}")
        return self

    def names(self, folder: Path) -> None:
        """**Raises:** Loss unless a line says of which folder, or of what in it, it complains, and what to do."""
        lines = [line for line in self.said.splitlines() if str(folder) in line]
        if not lines or not any(len(line) > len(str(folder)) + 10 for line in lines):
            raise Loss(f"`sgdsim {' '.join(self.command)}` does not say what is wrong with {folder}\n{self.said}")


@dataclass
class Bench:
    """A place for one case at a time: a nursery of its own, and a folder."""

    nursery: Nursery
    place: Path

    @property
    def folder(self) -> Path:
        """Of the run under torture."""
        return self.place / "run"

    def start(self, *command: object, **how: object) -> Process:
        """Starts a command under the limits."""
        limits = {"memory": MEMORY, "patch": QUIET}
        return self.nursery.command(self.folder, *map(str, command), **(limits | how))

    def wait(self, process: Process, *command: object) -> Outcome:
        """The outcome of a command that was started."""
        code = os.waitstatus_to_exitcode(self.nursery.ask(wait=process.pid, seconds=SECONDS))
        return Outcome(tuple(map(str, command)), code, process.said())

    def command(self, *command: object, **how: object) -> Outcome:
        """Runs a command to its end."""
        return self.wait(self.start(*command, **how), *command)

    def clear(self) -> None:
        """Removes what the last case has left."""
        for path in self.place.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(self.place)
        self.place.mkdir()


class Lab:
    """Folders of runs in every state, and benches to torture copies of them on."""

    environment: ClassVar[dict] = {"JAX_NUM_CPU_DEVICES": "1", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}

    def __init__(self, root: Path, size: int, before: tuple[str, ...] | None = None):
        self.root, self.size = root, size
        self.config = root / "experiment.toml"
        self.config.write_text(EXPERIMENT)
        os.environ |= self.environment
        self._before = rights() if before is None else before
        self._benches: Queue[Bench] = Queue()

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_) -> None:
        for nursery in self.__dict__.get("_nurseries", ()):
            nursery.__exit__()

    @cached_property
    def _nurseries(self) -> list[Nursery]:
        """One for each bench; the first makes the folders too."""
        return [Nursery(self._before) for _ in range(self.size)]

    def open(self) -> None:
        """Sets up the benches, with all that a report imports in their nurseries."""
        if self._benches.qsize():
            return
        for number, nursery in enumerate(self._nurseries):
            place = self.root / f"bench{number}"
            place.mkdir()
            nursery.ask(here=["report", str(self.finished)])
            self._benches.put(Bench(nursery, place))

    @contextmanager
    def bench(self):
        """A bench for one case; what a lost case left there is kept apart."""
        bench = self._benches.get()
        try:
            yield bench
            bench.clear()
        except BaseException:
            bench.place.rename(self.root / f"lost-{time.monotonic_ns()}")
            bench.place.mkdir()
            raise
        finally:
            self._benches.put(bench)

    def run_of(self, folder: Path) -> tuple:
        """The command that begins a run in a folder, or takes it up."""
        return ("run", self.config, "-o", folder)

    @cached_property
    def finished(self) -> Path:
        """A run that nobody disturbed, with its report."""
        folder = self.root / "finished"
        return self._made("finished", *self.run_of(folder), "--set", "report.figures=['risk']")

    @cached_property
    def extended(self) -> Path:
        """A run that had MORE replicas from the beginning."""
        folder = self.root / "extended"
        return self._made("extended", *self.run_of(folder), "--set", f"ensemble.replicas={MORE}")

    @cached_property
    def killed(self) -> Path:
        """A run that was killed while it wrote a block: with claims, a sign of life, and half a file."""
        folder = self.root / "killed"
        self._made("killed", *self.run_of(folder), code=-signal.SIGKILL, die=["save", BLOCKS // 2])
        assert 0 < len(blocks(folder)) < BLOCKS
        return folder

    @cached_property
    def merging(self) -> Path:
        """A run that was killed when all its blocks were there, and no results."""
        folder = shutil.copytree(self.finished, self.root / "merging", symlinks=True)
        for path in (folder / "results.nc", folder / "summary.json", folder / "report.html"):
            path.unlink()
        return folder

    @cached_property
    def shards(self) -> list[Path]:
        """Two halves of a run, made in folders of their own."""
        return [
            self._made(f"shard{part}", *self.run_of(self.root / f"shard{part}"), "--shard", f"{part}/2")
            for part in (1, 2)
        ]

    def _made(self, name: str, *command: object, code: int = 0, **how: object) -> Path:
        outcome = Bench(self._nurseries[0], self.root).command(*command, **how)
        assert outcome.code == code, outcome.said
        return self.root / name


def rights() -> tuple[str, ...]:
    """A command that takes from root what would open every file; none where it is not needed, or not to be had."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        return ()
    command = ("setpriv", f"--bounding-set={RIGHTS}")
    return command if subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0 else ()


def numbers(folder: Path) -> dict[str, tuple]:
    """Every number of results.nc, bit for bit."""
    with xr.open_dataset(folder / "results.nc", engine="netcdf4") as data:
        held = {name: data[name].values for name in data.variables}
    return {name: (value.dtype.str, value.shape, value.tobytes()) for name, value in held.items() if plain(value)}


def plain(values: np.ndarray) -> bool:
    """Whether these are numbers."""
    return values.dtype.kind in "fiub"


def same(folder: Path, reference: dict[str, tuple], when: str) -> None:
    """**Raises:** Loss unless results.nc holds these numbers, bit for bit."""
    found = numbers(folder)
    differing = sorted(name for name in reference.keys() | found.keys() if reference.get(name) != found.get(name))
    if differing:
        raise Loss(f"{folder}: {when}, other numbers than those of an undisturbed run: {', '.join(differing)}")


def intact(folder: Path, reference: dict[str, tuple]) -> bool:
    """Whether results.nc can be read, and holds these numbers."""
    try:
        return numbers(folder) == reference
    except Exception:  # whatever a damaged file makes of the reader
        return False


def until(ready, seconds: float = SECONDS) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise Loss(f"nothing happened for {seconds:g} s")
        time.sleep(0.002)
