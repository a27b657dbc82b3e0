"""`sgdsim` in real processes, for tests that kill, interrupt and share runs."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import xarray as xr

from sgdsim.store.worker import is_running

ROOT = Path(__file__).parents[1]
SECONDS = 90
"""Far longer than anything here takes: a test that hangs fails."""
EXPERIMENT = """\
title = "Sixteen blocks of about a tenth of a second"
system = "committee"

[problem]
k = 2
p0 = 2
noise = 0.01

[grid]
d = [30_000, 60_000]

[start]
kind = "overlap"
overlap = 0.5

[times]
final = 1.0
count = 4

[theory]
kind = "none"  # to solve it would take longer than to simulate

[ensemble]
replicas = 2000
block = 256

[fits.risk]
quantity = "excess_risk"

[report]
figures = []
"""
BLOCKS = 16


class Nursery:
    """Starts processes without the seconds that their imports take.

    - `before`: a command that starts commands, e.g. with fewer rights.
    """

    def __init__(self, before=()):
        pipe = subprocess.PIPE
        command = [*before, sys.executable, "-m", "tests.nursery"]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def ask(self, **request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def run(self, folder, *options, experiment=EXPERIMENT, **how):
        """`sgdsim run` of an experiment into a folder."""
        config = folder.with_name("experiment.toml")
        config.parent.mkdir(exist_ok=True)
        config.write_text(experiment)
        return self.command(folder, "run", str(config), "-o", str(folder), *options, **how)

    def command(self, folder, *arguments, **how):
        """Any command, about the run in a folder."""
        return Process(self, folder, *arguments, **how)


class Process:
    """A process of the nursery that works on the run in a folder."""

    def __init__(self, nursery, folder, *arguments, **how):
        self.folder = folder
        self._nursery = nursery
        self._log = folder.with_name(f"{folder.name}-{time.monotonic_ns()}.log")
        self._log.touch()
        self.pid = nursery.ask(start=arguments, stderr=str(self._log), **how)

    def said(self):
        return self._log.read_text()

    def signal(self, number):
        os.kill(self.pid, number)

    def wait_for(self, ready):
        """Waits until `ready()`, while the process runs."""
        deadline = time.monotonic() + SECONDS
        while not ready():
            assert is_running(self.pid), self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.005)
        return self

    def wait_for_blocks(self, count):
        return self.wait_for(lambda: len(blocks(self.folder)) >= count)

    def finish(self):
        """The exit code; that of a process killed by a signal is the signal's number, negative."""
        deadline = time.monotonic() + SECONDS
        while is_running(self.pid):
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.005)
        return os.waitstatus_to_exitcode(self._nursery.ask(wait=self.pid))

    def succeed(self):
        assert self.finish() == 0, self.said()
        return self


def starved(pid):
    """Seconds that a process would have worked if the machine had let it: of the thread that waited longest."""
    waited = [0]
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # it has ended
            waited.append(int(path.read_text().split()[1]))
    return max(waited) / 1e9


def blocks(folder):
    """The block files of a run, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("blocks/*/[!.]*.npz")}


def made(folder):
    """Names of blocks in the logs, one for each time that one was made."""
    lines = [line for path in folder.glob("logs/*.jsonl") for line in path.read_text().splitlines() if line]
    return [entry["block"] for entry in map(json.loads, lines) if entry["event"] == "block"]


def numbers(folder):
    """Every number of results.nc, and the fits of summary.json."""
    with xr.open_dataset(folder / "results.nc", engine="netcdf4") as data:
        arrays = {name: data[name].values.tobytes() for name in data.variables if data[name].dtype.kind in "fi"}
    assert {"risk", "sup_deviation", "Q", "M", "excess_risk"} & set(arrays)
    return arrays, json.loads((folder / "summary.json").read_text())["fits"]
