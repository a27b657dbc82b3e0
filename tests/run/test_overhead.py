"""What blocks cost beside their simulation: in seconds of the processor, which a busy machine changes by a part.

`make bench` measures the same by the clock.
"""

import time

import pytest

from sgdsim.ensemble.batch import Bundle
from sgdsim.run.opened import open_run
from sgdsim.run.results import write_results
from sgdsim.store.origin import origin_here
from tests.helpers import make_blocks, make_some
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
    monkeypatch.setattr("sgdsim.store.files.os.fsync", lambda file: None)
    return lambda count: open_run(make_experiment(d=(20,), replicas=4 * count, block=4), tmp_path / "many")


def test_scheduling_and_storing_take_less_than_ten_milliseconds_a_block(many, one, monkeypatch):
    monkeypatch.setattr(Bundle, "compile", lambda self: None)
    monkeypatch.setattr(Bundle, "run", lambda self, progress: [one.tiles] * len(self.parts))
    sweep = many(2000)
    began = time.process_time()
    assert make_some(sweep).made == 2000
    assert time.process_time() - began < 2000 * 0.010


def test_five_thousand_blocks_are_merged_in_the_time_that_it_takes_to_read_them(many, one):
    """Beside reading them one by one, before and after: 4 s on a quiet machine, and more on a busy one."""
    sweep = many(5000)
    for block in sweep.blocks:
        sweep.directory.write_block(block, one, origin_here(sweep.code))

    def reading():
        began = time.process_time()
        for block in sweep.blocks[::2]:
            sweep.directory.read_block(block, 4)
        return time.process_time() - began

    before, began = reading(), time.process_time()
    write_results(sweep.experiment, sweep.directory, sweep.layout)
    merging = time.process_time() - began
    assert merging < 2 * (before + reading())
    assert merging < 5000 * 0.004
