"""The scripts of configs/cluster on a real Slurm: requeued, out of time, with a node that dies, the numbers stay the
same bit for bit, and no block is made twice."""

import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from sgdsim.store.worker import this_worker
from tests.cluster.dask_lab import speaks_to_strangers
from tests.cluster.scripts import edited
from tests.cluster.slurm_lab import LabError, SlurmLab, wait_for
from tests.processes import made, numbers

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif("SGDSIM_SLURM" not in os.environ, reason="`make test-slurm` starts a Slurm for it"),
]

EXPERIMENT = """\
title = "Thirty-two blocks of about half a second"
system = "committee"

[problem]
k = 2
p0 = 2
noise = 0.01

[grid]
d = [10000, 20000]

[start]
kind = "overlap"
overlap = 0.5

[times]
final = 1.0
count = 4

[ensemble]
replicas = 8192
block = 512

[fits.scaling]
quantity = "sup_deviation"

[report]
figures = []
"""
BLOCKS = 32
SOME = 4
"""Blocks on disk that show that the work is under way."""
SECONDS = 180
"""Far longer than any job takes: one that hangs fails."""
ARRAY = ("array.sbatch", "--array=1-2", "--cpus-per-task=2")
DASK = ("dask.sbatch", "--ntasks=3", "--cpus-per-task=1")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = SlurmLab(tmp_path_factory.mktemp("slurm") / "lab")
    try:
        lab.up()
    except LabError as error:
        pytest.fail(f"no Slurm: {error}", pytrace=False)
    yield lab
    lab.down()


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """A run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "experiment.toml").write_text(EXPERIMENT)
    command = [sys.executable, "-m", "sgdsim.cli", "run", "experiment.toml", "-o", "run", "-q"]
    subprocess.run(command, cwd=folder, check=True, timeout=SECONDS)
    return folder / "run"


@pytest.fixture(scope="module")
def undisturbed(serial):
    return numbers(serial)


class Job:
    """A shipped script with its three lines edited, submitted to a Slurm."""

    def __init__(self, lab, folder, script, *options, **variables):
        self.lab = lab
        self.submitted = folder / "submitted from here, été"
        self.folder = folder / "shared" / "run of été"
        self.submitted.mkdir()
        (self.submitted / "my experiment.toml").write_text(EXPERIMENT)
        text = edited(script, "my experiment.toml", self.folder)
        (self.submitted / script).write_text(text)
        output = subprocess.run(
            ["sbatch", "--parsable", *options, script],
            cwd=self.submitted,
            env=lab.environment | variables,
            capture_output=True,
            text=True,
            check=True,
        )
        self.id = output.stdout.strip()

    def blocks(self):
        return {path.name: path.stat().st_mtime_ns for path in self.folder.glob("blocks/*/*.npz")}

    def wait_for_blocks(self, count):
        wait_for(lambda: len(self.blocks()) >= count, SECONDS, f"not {count} blocks\n{self.said()}")
        assert len(self.blocks()) < BLOCKS, "too late to disturb anything"

    def end(self):
        """Waits for its end; returns the state it ended in and how often Slurm started it again, for each element."""
        wait_for(lambda: not self.lab.call("squeue", "-h", "-j", self.id), SECONDS, f"not done\n{self.said()}")
        elements = [
            dict(re.findall(r"(\S+?)=(\S*)", line))
            for line in self.lab.call("scontrol", "show", "job", "--oneliner", self.id).splitlines()
        ]
        return [(element["JobState"], int(element["Restarts"])) for element in elements]

    def said(self):
        return "\n".join(path.read_text() for path in sorted(self.submitted.glob("*.log")))

    def made(self):
        """How often each block was made, by the logs of the processes."""
        return Counter(made(self.folder))


def check(job, undisturbed, kept):
    """The job's numbers are those of the serial run, and it has made no block that was on disk."""
    blocks = job.blocks()
    assert len(blocks) == BLOCKS
    assert {name: blocks[name] for name in kept} == kept
    assert max(job.made().values()) == 1
    assert numbers(job.folder) == undisturbed


@pytest.mark.parametrize("kind", [ARRAY, DASK], ids=["array", "dask"])
def test_requeued(lab, undisturbed, tmp_path, kind):
    job = Job(lab, tmp_path, *kind)
    job.wait_for_blocks(SOME)
    kept = job.blocks()
    lab.call("scontrol", "requeue", job.id)
    assert set(job.end()) == {("COMPLETED", 1)}, job.said()
    check(job, undisturbed, kept)


@pytest.mark.parametrize("kind", [ARRAY, DASK], ids=["array", "dask"])
def test_a_node_dies(lab, undisturbed, tmp_path, kind):
    job = Job(lab, tmp_path, *kind)
    job.wait_for_blocks(SOME)
    lab.kill_node("n2")
    kept = job.blocks()
    lab.start_node("n2")
    assert {state for state, _ in job.end()} == {"COMPLETED"}, job.said()
    check(job, undisturbed, kept)


def test_out_of_time(lab, serial, undisturbed, tmp_path):
    """sgdsim stops before the time limit, with blocks in other hands as ever, and the script has the job requeued."""
    claims = tmp_path / "shared" / "run of été" / "live" / "claims"
    claims.mkdir(parents=True)
    held = [claims / path.name for path in sorted(serial.glob("blocks/*/*.npz"))[:SOME]]
    for claim in held:
        claim.symlink_to(this_worker().name)
    job = Job(lab, tmp_path, *ARRAY, "--array=1", "--time=2", "--signal=B:USR1@1", WARNING="90")
    wait_for(lambda: "Stopped with" in job.said(), SECONDS, "not stopped")
    kept = job.blocks()
    assert 0 < len(kept) <= BLOCKS - SOME
    for claim in held:
        claim.unlink()
    lab.call("scontrol", "update", f"JobId={job.id}_1", "TimeLimit=10")
    assert job.end() == [("COMPLETED", 1)], job.said()
    check(job, undisturbed, kept)


def test_warned(lab, undisturbed, tmp_path):
    """SIGUSR1 to the batch shell alone, as Slurm sends it ahead of a time limit; meanwhile nobody else is let in."""
    job = Job(lab, tmp_path, *DASK)
    job.wait_for_blocks(SOME)
    (file,), (secret,) = job.folder.glob("live/scheduler-*.json"), job.folder.glob("live/tls-*")
    address = json.loads(file.read_text())["address"]
    assert address.startswith("tls://127.0.0.1:")
    assert not speaks_to_strangers(address)
    assert secret.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in secret.iterdir()} == {0o600}
    kept = job.blocks()
    lab.call("scancel", "--batch", "--signal=USR1", job.id)
    assert job.end() == [("COMPLETED", 1)], job.said()
    check(job, undisturbed, kept)
    assert not [*job.folder.glob("live/tls-*"), *job.folder.glob("live/scheduler-*")]


def test_cancelled(lab, tmp_path):
    """What its owner cancels does not come back."""
    job = Job(lab, tmp_path, *ARRAY)
    job.wait_for_blocks(1)
    lab.call("scancel", job.id)
    assert set(job.end()) == {("CANCELLED", 0)}, job.said()
