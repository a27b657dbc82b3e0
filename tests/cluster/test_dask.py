"""Runs on a Dask cluster of real processes: killed and interrupted, they give bitwise the numbers of a serial run."""

import json
import shlex
import signal
import sys
import time
from dataclasses import replace

import pytest

from sgdsim.errors import ExperimentError
from sgdsim.run.dask.cluster import ClusterRun
from sgdsim.run.opened import open_run
from sgdsim.run.progress import Meter
from sgdsim.run.provenance import begin_session
from sgdsim.run.stop import Stop
from tests.cluster.dask_lab import Cluster, in_hand, kill_in_mid_block, shows_pages, speaks_to_strangers
from tests.cluster.stage import Stage
from tests.processes import ROOT, SECONDS, blocks, made, numbers
from tests.toy import make_experiment

pytestmark = pytest.mark.slow

EXPERIMENT = """\
title = "Forty blocks of about a quarter of a second"
system = "committee"

[problem]
k = 2
p0 = 2
noise = 0.01

[grid]
d = [12_000, 24_000]

[start]
kind = "overlap"
overlap = 0.5

[theory]
kind = "none"

[times]
final = 1.0
count = 4

[ensemble]
replicas = 5000
block = 256

[fits.scaling]
quantity = "excess_risk"

[report]
figures = []
"""
BLOCKS = 40
KILLS = 10


@pytest.fixture(scope="module")
def serial(nursery, tmp_path_factory):
    """The numbers of a run in one process."""
    folder = tmp_path_factory.mktemp("serial") / "run"
    nursery.run(folder, experiment=EXPERIMENT).succeed()
    return numbers(folder)


def assert_whole(folder, kept, serial):
    """Every block is there, was made once, and those of before are as they were; the numbers are right."""
    now = blocks(folder)
    assert len(now) == BLOCKS
    assert {name: now[name] for name in kept} == kept
    assert sorted(made(folder)) == sorted(now)
    assert not in_hand(folder)
    assert not list(folder.rglob("*.tmp"))
    assert numbers(folder) == serial


def test_ten_workers_killed_in_mid_block(nursery, serial, tmp_path):
    folder = tmp_path / "run"
    kept = {}
    with Cluster(tmp_path) as cluster:
        options = ("--scheduler-file", str(cluster.file))
        run = nursery.run(folder, *options, experiment=EXPERIMENT, environment=cluster.environment)
        for kill in range(KILLS):
            run.wait_for_blocks(3 * kill)
            kept |= blocks(folder)
            assert kill_in_mid_block(run) not in kept
        run.succeed()
    assert_whole(folder, kept, serial)
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["status"] == "finished"
    statuses = [worker["status"] for worker in provenance["workers"]]
    assert statuses.count("running") == KILLS
    assert statuses.count("finished") >= 1


def test_terminated_then_the_scheduler_killed_over_tls(nursery, serial, tmp_path):
    folder = tmp_path / "run"
    with Cluster(tmp_path, "tls") as cluster:

        def start():
            options = ("--scheduler", cluster.address)
            return nursery.run(folder, *options, experiment=EXPERIMENT, environment=cluster.environment)

        run = start().wait_for_blocks(6)
        run.signal(signal.SIGTERM)
        assert run.finish() == 75
        kept = blocks(folder)
        assert 6 <= len(kept) < BLOCKS
        assert "Finishing the blocks in hand" in run.said()
        last = f"Stopped with {len(kept)} of {BLOCKS} blocks on disk. To go on: sgdsim run"
        assert run.said().splitlines()[-1].startswith(last)

        run = start().wait_for_blocks(len(kept) + 6)
        kept = blocks(folder)
        cluster.kill_scheduler()
        assert run.finish() == 75
        assert len(kept) < BLOCKS
        assert f"Lost the scheduler {cluster.address}" in run.said()
        assert "To go on: sgdsim run" in run.said().splitlines()[-1]
        assert "Traceback" not in run.said()

        cluster.start_scheduler()
        start().succeed()
    assert_whole(folder, kept, serial)


def test_the_script_of_slurm_with_tls_by_a_certificate_of_its_own(serial, tmp_path):
    """`dask` and `sgdsim` as they are; of Slurm only what it says is played."""
    said = {}

    def look(stage):
        (file,) = wait_for(lambda: [*stage.out.glob("live/scheduler-7-0.json")])
        scheduler = wait_for(lambda: whole(file))
        said["address"], said["strangers"] = scheduler["address"], speaks_to_strangers(scheduler["address"])
        said["pages"] = shows_pages(scheduler["services"]["dashboard"])

    python = shlex.quote(sys.executable)
    stage = Stage(
        tmp_path,
        "dask.sbatch",
        {"PYTHONPATH": str(ROOT), "JAX_NUM_CPU_DEVICES": "1", "EXPERIMENT": EXPERIMENT},
        edit=lambda text: text.replace("set -u", 'echo "$EXPERIMENT" > my.toml; set -u'),
        during=look,
        scontrol='echo "NodeName=$4 NodeAddr=127.0.0.1 State=IDLE"',
        srun='while [ "$1" != bash ]; do shift; done; for n in 2 3; do SLURMD_NODENAME=n$n "$@" & done; wait',
        dask=f'exec {python} -m dask "$@"',
        sgdsim=f'exec {python} -m sgdsim.cli "$@"',
    )
    assert stage.code == 0, stage.said
    assert said["address"].startswith("tls://127.0.0.1:")
    assert not said["strangers"]
    assert not said["pages"]
    assert len(stage.called("dask", "worker")) == 2
    assert_whole(stage.out, {}, serial)


def whole(file):
    """What a scheduler file says; None while it is being written."""
    try:
        return json.loads(file.read_text())
    except json.JSONDecodeError:
        return None


def wait_for(found):
    """What `found` gives, once there is something."""
    deadline = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


class Heard(Meter):
    """Remembers what was said."""

    def __init__(self):
        self.said = []

    def message(self, text):
        self.said.append(text)


def test_a_worker_that_does_not_see_the_folder(tmp_path):
    sweep = open_run(make_experiment(d=(20,), replicas=4), tmp_path / "run")
    begin_session(sweep.directory, sweep.experiment, "sgdsim run")
    meter = Heard()
    with Cluster(tmp_path, workers=1) as cluster, Stop() as stop:
        run = ClusterRun(sweep, meter, stop, cluster.address)
        run._ticket = replace(run._ticket, folder="/nowhere/run")
        with pytest.raises(ExperimentError, match=r"^tcp://.* does not see the folder /nowhere/run: a cluster needs a"):
            run.run(sweep.blocks)
    # Nothing is said where the worker has arrived before the run asks for it.
    assert meter.said in ([], [f"Waiting for a worker of {cluster.address}."])


def test_a_run_without_workers_waits_and_can_be_ended(nursery, tmp_path):
    with Cluster(tmp_path, workers=0) as cluster:
        options = ("--scheduler", cluster.address)
        run = nursery.run(tmp_path / "run", *options, experiment=EXPERIMENT, environment=cluster.environment)
        run.wait_for(lambda: "Waiting for a worker" in run.said())
        assert speaks_to_strangers(cluster.address)  # without TLS, and with its pages
        assert shows_pages(json.loads(cluster.file.read_text())["services"]["dashboard"])
        run.signal(signal.SIGTERM)
        assert run.finish() == 75
        options = ("--scheduler", cluster.address.replace("tcp", "tls"))
        refused = nursery.run(tmp_path / "run", *options, experiment=EXPERIMENT, environment=cluster.environment)
        assert refused.finish() == 2
        assert "no Dask scheduler answers there" in refused.said().splitlines()[-1]
        assert "Traceback" not in refused.said()
