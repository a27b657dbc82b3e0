"""Whole runs as a user starts them, from the start of Python to the report, on the device and on two CPU cores."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu.setting import Missing, NoGpu, Setting, table
from benchmarks.sweeps import EXPERIMENT
from sgdsim.store.summary import Summary

LAW = ("scaling_law --quick", ("committee/scaling_law", "--quick"))
FIGURE = ("figure_4_green_half up to t = 20", ("committee/figure_4_green_half", "--set", "times.final=20"))
SMALL = "256 replicas of one cell, without theory and figures"
HEAD = ("run", "on", "compiled programs", "s in all", "of it simulation, s", "steps/s")
CORES = 2


@dataclass(frozen=True)
class Place:
    """Where runs are made, one after another: a kind of device, and a cache of compiled programs of its own."""

    name: str
    cpu: bool
    cache: Path

    def run(self, setting: Setting, title: str, arguments: tuple[str, ...], programs: str) -> tuple[object, ...]:
        """The row of one run."""
        done = setting.attempt(lambda: self._made(setting, arguments), 10)
        cells = (done, "", "") if isinstance(done, Missing) else done
        return title, self.name, programs, *cells

    def _made(self, setting: Setting, arguments: tuple[str, ...]) -> tuple[float, float, float] | Missing:
        """Seconds in all and of simulation, and steps/s in the latter."""
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "sgdsim.cli", "run", *arguments, "-o", folder, "-q"]
            began = time.monotonic()
            try:
                subprocess.run(
                    command, env=self._environment, capture_output=True, check=True, timeout=max(setting.left, 1)
                )
            except subprocess.TimeoutExpired as error:
                return Missing(f"cut after {error.timeout:.0f} s")
            except subprocess.CalledProcessError as error:
                raise RuntimeError(error.stderr.decode().strip().rpartition("\n")[2] or str(error)) from error
            seconds = time.monotonic() - began
            self._check_devices(Path(folder))
            summary = Summary.load(Path(folder) / "summary.json")
        return seconds, summary.wall_seconds, summary.steps_per_second or 0.0

    @property
    def _environment(self) -> dict[str, str]:
        own = {"JAX_COMPILATION_CACHE_DIR": str(self.cache)}
        return os.environ | own | ({"JAX_PLATFORMS": "cpu"} if self.cpu else {})

    def _check_devices(self, folder: Path) -> None:
        """**Raises:** NoGpu where the run was to be on a GPU and was not."""
        devices = json.loads((folder / "provenance.json").read_text())["devices"]
        if not self.cpu and any(device.startswith("cpu") for device in devices):
            raise NoGpu(f"No GPU: the run was made on {', '.join(devices)}.")


def lines(setting: Setting) -> Iterator[str]:
    """One table; the rows come in the order in which the runs end."""
    yield from table(HEAD, _rows(setting))


def _rows(setting: Setting) -> Iterator[tuple[object, ...]]:
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        cpu = Place(f"{CORES} cores of the CPU", True, Path(folder) / "cpu")
        gpu = Place("the GPU", False, Path(folder) / "gpu")
        # A thread hands the cores that it may use down to the processes that it starts.
        with _on(cores[:CORES]) as beside, _on(cores[CORES:] or cores) as ahead:
            if setting.small:
                file = Path(folder) / "small.toml"
                file.write_text(EXPERIMENT)
                yield SMALL, gpu.name, "", "no GPU", "", ""
                yield beside.submit(cpu.run, setting, SMALL, (str(file),), "anew").result()
                return
            runs = [(ahead, gpu), (beside, cpu)]
            rows = [
                pool.submit(place.run, setting, *run, programs)
                for run in (LAW, FIGURE)
                for programs in ("anew", "kept")
                for pool, place in runs
            ]
            for row in as_completed(rows):
                yield row.result()


def _on(cores: list[int]) -> ThreadPoolExecutor:
    """Does one thing after another, on these cores."""
    return ThreadPoolExecutor(1, initializer=os.sched_setaffinity, initargs=(0, cores))
