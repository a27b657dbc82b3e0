"""Real processes: killed, interrupted, on other devices and in other batches, a run gives bitwise the same numbers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXPERIMENT = """\
title = "Sixteen blocks of about a tenth of a second"
system = "committee"

[problem]
k = 2
p0 = 2
noise = 0.01

[grid]
d = [3000, 6000]

[start]
kind = "overlap"
overlap = 0.5

[times]
final = 1.0
count = 4

[ensemble]
replicas = 2000
block = 256

[fits.scaling]
quantity = "sup_deviation"

[report]
figures = []
"""
BLOCKS = 16
SECONDS = 90
"""Far longer than anything here takes: a test that hangs fails."""


class Process:
    """`sgdsim run` in a process of its own."""

    def __init__(self, folder, *options, devices=None):
        (folder.parent / "experiment.toml").write_text(EXPERIMENT)
        self.folder = folder
        flags = {} if devices is None else {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
        arguments = ["run", str(folder.parent / "experiment.toml"), "-o", str(folder), *options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sgdsim.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | flags,
        )

    def blocks(self):
        return {path.name: path.stat().st_mtime_ns for path in self.folder.glob("blocks/*.npz")}

    def wait_for(self, ready):
        """Waits until `ready()`, while the process runs."""
        deadline = time.monotonic() + SECONDS
        while not ready():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def finish(self):
        """Exit code and what was said on stderr."""
        _, said = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, said

    def run(self):
        code, said = self.finish()
        assert code == 0, said
        return self


def numbers(folder):
    """Every number of results.nc, and the fits of summary.json."""
    with xr.open_dataset(folder / "results.nc", engine="h5netcdf") as data:
        arrays = {name: data[name].values.tobytes() for name in data.variables if data[name].dtype.kind in "fi"}
    assert {"risk", "sup_deviation", "Q", "M", "excess_risk"} & set(arrays)
    return arrays, json.loads((folder / "summary.json").read_text())["fits"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    process = Process(folder).run()
    assert len(process.blocks()) == BLOCKS
    return numbers(folder)


def test_kill_in_the_middle_and_resume(undisturbed, tmp_path):
    folder = tmp_path / "run"
    killed = Process(folder)
    killed.wait_for(lambda: len(killed.blocks()) >= 3)
    killed.process.send_signal(signal.SIGKILL)
    assert killed.finish()[0] == -signal.SIGKILL
    kept = killed.blocks()
    assert 3 <= len(kept) < BLOCKS
    assert not (folder / "results.nc").exists()
    torn = folder / "blocks" / f".c00001-t000000.npz.{os.uname().nodename}.{killed.process.pid}.tmp"
    torn.write_bytes(b"PK")  # as it would be, had the signal come while a block was written

    resumed = Process(folder).run()
    blocks = resumed.blocks()
    assert len(blocks) == BLOCKS
    assert {name: blocks[name] for name in kept} == kept
    assert not list(folder.rglob("*.tmp"))
    assert numbers(folder) == undisturbed
    provenance = json.loads((folder / "provenance.json").read_text())
    assert [session["status"] for session in provenance["earlier_sessions"]] == ["running"]
    assert provenance["status"] == "finished"


def interrupted(folder, number):
    """The blocks that are on disk, and what was said, after a signal while the third block is in hand."""
    stopped = Process(folder)
    stopped.wait_for(lambda: len(stopped.blocks()) >= 2)
    stopped.process.send_signal(number)
    code, said = stopped.finish()
    kept = stopped.blocks()
    assert code == 130
    assert 2 <= len(kept) < BLOCKS
    assert "Finishing the block in hand" in said
    return kept, said


def test_a_request_to_terminate_is_an_interrupt(tmp_path):
    interrupted(tmp_path / "run", signal.SIGTERM)


def test_interrupt_finishes_the_block_in_hand_and_says_how_to_go_on(undisturbed, tmp_path):
    folder = tmp_path / "run"
    kept, said = interrupted(folder, signal.SIGINT)
    command = f"sgdsim run {folder.parent / 'experiment.toml'} -o {folder}"
    assert said.splitlines()[-1] == f"Stopped with {len(kept)} of {BLOCKS} blocks on disk. To go on: {command}"
    assert "Traceback" not in said
    assert not (folder / "results.nc").exists()
    assert json.loads((folder / "provenance.json").read_text())["status"] == "interrupted"

    resumed = Process(folder).run()
    blocks = resumed.blocks()
    assert {name: blocks[name] for name in kept} == kept
    assert numbers(folder) == undisturbed


def test_a_second_interrupt_stops_at_once(tmp_path):
    folder = tmp_path / "run"
    stopped = Process(folder, "--set", "grid.d=[1_000_000_000]")  # a block would take hours
    stopped.wait_for(lambda: (folder / "provenance.json").exists())
    said = ""
    while "Finishing the block in hand" not in said:
        time.sleep(1)  # into the block
        stopped.process.send_signal(signal.SIGINT)
        said = stopped.process.stderr.readline() + stopped.process.stderr.readline()
    stopped.process.send_signal(signal.SIGINT)
    code, said = stopped.finish()
    assert code == 130
    assert "Traceback" not in said
    assert not stopped.blocks()
    assert json.loads((folder / "provenance.json").read_text())["status"] == "stopped"


@pytest.mark.parametrize(
    ("devices", "key", "value"),
    [
        (4, "batch", 1),
        (4, "block", 2000),
    ],
)
def test_devices_batches_and_blocks_change_no_number(undisturbed, tmp_path, devices, key, value):
    Process(tmp_path / "run", "--set", f"ensemble.{key}={value}", devices=devices).run()
    assert numbers(tmp_path / "run") == undisturbed
