"""What blocks cost beside their simulation: in seconds of the processor, which a busy machine does not change.

`make bench` measures the same by the clock.
"""

import resource
import subprocess
import sys
import time

import pytest

from sgdsim.engine.sweep import open_sweep
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.store import files
from sgdsim.store.log import BLOCK
from sgdsim.sweep.results import write_results
from tests.helpers import make_blocks, make_some
from tests.processes import ROOT
from tests.toy import make_experiment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The one block of an experiment, and its result."""
    sweep = make_blocks(make_experiment(d=(20,), replicas=4, block=4), tmp_path_factory.mktemp("one"))
    return sweep.directory.read_block(sweep.blocks[0], 4)[0]


@pytest.fixture
def many(tmp_path, monkeypatch):
    """A sweep of so many blocks; no time is lost in waiting for the disk."""
    monkeypatch.setattr(files, "_sync", lambda path: None)
    return lambda count: open_sweep(make_experiment(d=(20,), replicas=4 * count, block=4), tmp_path / "many")


def test_scheduling_and_storing_take_less_than_ten_milliseconds_a_block(many, one, monkeypatch):
    monkeypatch.setattr(Ensemble, "compile", lambda self, tiles: None)
    monkeypatch.setattr(Ensemble, "run", lambda self, tiles, progress: one.tiles)
    sweep = many(2000)
    began = time.process_time()
    assert make_some(sweep).made == 2000
    assert time.process_time() - began < 2000 * 0.010


def test_five_thousand_blocks_are_merged_in_less_than_five_seconds(many, one):
    sweep = many(5000)
    for block in sweep.blocks:
        sweep.directory.write_block(block, one)
    began = time.process_time()
    write_results(sweep.experiment, sweep.directory, sweep.layout)
    assert time.process_time() - began < 5


def test_the_status_of_ten_thousand_blocks_takes_less_than_two_seconds(many, one):
    sweep = many(10_000)
    for block in sweep.blocks[:-1]:
        sweep.directory.write_block(block, one)
        sweep.directory.log.write(BLOCK, {"block": block.name, "seconds": 0.1, "replicas": 4, "diverged": 0})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "sgdsim.cli", "status", str(sweep.directory.path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "9999/10000" in shown
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
