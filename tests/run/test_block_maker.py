"""One block: memory that runs out, cells that fail, claims of others."""

import dataclasses
import threading
import time

import jax
import numpy as np
import pytest

from sgdsim.ensemble import devices
from sgdsim.ensemble.batch import Batch
from sgdsim.errors import ArgumentError
from sgdsim.run.block_maker import Maker
from sgdsim.run.ensembles import ensemble_of
from sgdsim.run.local import LocalRun
from sgdsim.run.memory import lacks_memory
from sgdsim.run.opened import open_run
from sgdsim.run.outcomes import Elsewhere, Failed, Made
from sgdsim.run.progress import Meter
from sgdsim.run.stop import Stop
from sgdsim.store.directory import RunDirectory
from sgdsim.store.origin import origin_here
from sgdsim.store.presence import Presence
from sgdsim.store.worker import HOST, PLACE, Worker, start_of, this_worker
from tests.helpers import make_blocks, make_some
from tests.toy import make_experiment


class Listening(Meter):
    """Remembers the work and what was said."""

    def __init__(self):
        self.done, self.said = 0, []

    def advance(self, steps):
        self.done += steps

    def message(self, text):
        self.said.append(text)


def digests(sweep):
    """The digest of every block's numbers."""
    directory = RunDirectory(sweep.directory.path)
    return [directory.read_block(block, 4)[1].digest for block in sweep.blocks]


def memory_for(monkeypatch, tiles, error):
    """Memory that holds so many tiles at once, and fails after the first call like that of a GPU."""
    run = Batch.run

    def limited(self, progress):
        if sum(len(piece.valid) for piece in self.pieces) > tiles:
            progress(7)
            raise error
        return run(self, progress)

    monkeypatch.setattr(Batch, "run", limited)


def failure_to_allocate():
    """What JAX itself says where there is no memory on earth."""
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        jax.device_put(np.broadcast_to(1.0, (2**46,)))
    return caught.value


OUT_OF_MEMORY = failure_to_allocate()
DISPATCHED = jax.errors.JaxRuntimeError("INTERNAL: Error dispatching computation: Out of memory allocating 123 bytes.")


@pytest.mark.parametrize("error", [OUT_OF_MEMORY, DISPATCHED, MemoryError()])
def test_where_memory_runs_out_half_as_many_replicas_are_tried_and_no_number_changes(tmp_path, monkeypatch, error):
    experiment = make_experiment(d=(20, 40), replicas=32, block=32)
    whole = make_blocks(experiment, tmp_path / "whole")
    memory_for(monkeypatch, 2, error)
    meter = Listening()
    limited = make_blocks(experiment, tmp_path / "limited", meter)
    assert digests(limited) == digests(whole)
    assert meter.done == 32 * (20 + 40)
    assert meter.said == [
        f"c00000-r0000000-0000032.npz: out of memory; going on with {batch} replicas at once" for batch in (16, 8)
    ]


def test_a_cell_of_which_not_one_tile_fits_fails_and_the_others_are_finished(tmp_path, monkeypatch):
    run = Batch.run

    def too_large(self, progress):
        if any(piece.kernel.dt == 1 / 40 for piece in self.pieces):
            raise OUT_OF_MEMORY
        return run(self, progress)

    monkeypatch.setattr(Batch, "run", too_large)
    sweep = open_run(make_experiment(d=(20, 40, 80)), tmp_path)
    outcome = make_some(sweep)
    assert list(outcome.failed) == [1]
    assert outcome.failed[1].startswith("walk: cell 1 (d=40, noise=1): JaxRuntimeError: RESOURCE_EXHAUSTED: Out of mem")
    assert sweep.directory.failures.read() == outcome.failed
    assert [sweep.directory.done(block) for block in sweep.blocks] == [True] * 3 + [False] * 3 + [True] * 3
    assert not sweep.directory.claims.held()

    monkeypatch.undo()
    assert not make_some(sweep).failed
    assert not sweep.directory.failures.read()
    assert not sweep.missing


def test_a_batch_that_no_memory_holds_is_cut_to_what_fits(monkeypatch):
    ensemble = ensemble_of(make_experiment(replicas=4000, batch=4000), make_experiment().cells[0])
    assert ensemble.tiles_at_once == 1000
    monkeypatch.setattr(devices, "device_memory", lambda: 10 * ensemble.bytes_per_replica * ensemble.lanes)
    small = dataclasses.replace(ensemble)
    assert small.tiles_at_once == 10 * jax.local_device_count()


@pytest.mark.parametrize("error", [jax.errors.JaxRuntimeError("INTERNAL: no kernel"), ZeroDivisionError()])
def test_other_errors_are_no_lack_of_memory(error):
    assert not lacks_memory(error)


@pytest.mark.parametrize("error", [ArgumentError("x", "be small", 3), ZeroDivisionError("by zero"), OSError("no data")])
def test_any_error_of_a_cell_is_told_in_one_line_and_kept_with_its_trace(tmp_path, monkeypatch, error):
    def broken(self, progress):
        raise error

    monkeypatch.setattr(Batch, "run", broken)
    sweep = open_run(dataclasses.replace(make_experiment(d=(20,)), file="walk.toml"), tmp_path)
    told = make_some(sweep).failed[0]
    kind = "" if isinstance(error, ArgumentError) else f"{type(error).__name__}: "
    assert told == f"walk.toml: cell 0 (d=20, noise=1): {kind}{error}"
    assert "in broken" in (sweep.directory.failures.folder / "c00000.json").read_text()


@pytest.fixture
def sweep(tmp_path):
    return open_run(make_experiment(d=(20,)), tmp_path)


def make(sweep, block, said=None):
    with Presence(sweep.directory.watch.folder) as presence:
        return Maker(sweep, presence, (said or []).append).make(block, lambda work: None)


def test_what_a_living_process_has_in_hand_is_left_to_it_and_a_dead_one_s_is_taken(sweep):
    claims, block = sweep.directory.claims, sweep.blocks[0]
    init = Worker(HOST, PLACE, 1, start_of(1))
    (claims.folder / block.name).symlink_to(init.name)
    assert make(sweep, block) == Elsewhere(init.name)
    assert not sweep.directory.done(block)

    (claims.folder / block.name).unlink()
    (claims.folder / block.name).symlink_to(
        Worker(HOST, PLACE, 1, init.started + 1).name
    )  # the number lives, the process not
    made = make(sweep, block)
    assert isinstance(made, Made)
    assert made.seconds > 0
    assert not list(claims.folder.iterdir())
    assert make(sweep, block) == Made(0.0)


def test_a_run_waits_for_the_blocks_of_others_and_makes_them_should_these_die(sweep):
    claims, meter = sweep.directory.claims, Listening()
    init, first, second = Worker(HOST, PLACE, 1, start_of(1)).name, *sweep.blocks[:2]
    for block in (first, second):
        (claims.folder / block.name).symlink_to(init)
    stored = make_blocks(make_experiment(d=(20,)), sweep.directory.path.with_name("other"))

    def others():
        time.sleep(0.3)
        sweep.directory.write_block(first, stored.directory.read_block(first, 4)[0], origin_here(sweep.code))
        (claims.folder / first.name).unlink()
        (claims.folder / second.name).unlink()

    thread = threading.Thread(target=others)
    thread.start()
    with Stop() as stop, Presence(sweep.directory.watch.folder) as presence:
        outcome = LocalRun(sweep, meter, stop, presence).run(sweep.blocks)
    thread.join()
    assert outcome.made == 2
    assert not sweep.missing
    assert meter.said == [f"Sharing the blocks with {init}, which is at work in the same folder."]
    assert meter.done == 24 * 20


def test_a_failed_cell_is_not_tried_again_in_the_same_run(tmp_path, monkeypatch):
    tried = []

    def broken(self, progress):
        tried.append(True)
        raise ZeroDivisionError

    monkeypatch.setattr(Batch, "run", broken)
    assert list(make_some(open_run(make_experiment(d=(20, 40)), tmp_path)).failed) == [0, 1]
    assert len(tried) == 3  # together, and then each alone


def test_the_log_tells_what_was_made_and_what_diverged(tmp_path):
    sweep = make_blocks(make_experiment(d=(20,), noise=(np.inf,)), tmp_path)
    (entries,) = sweep.directory.log.read().values()
    assert [entry["block"] for entry in entries] == [block.name for block in sweep.blocks]
    assert {(entry["event"], entry["replicas"], entry["diverged"]) for entry in entries} == {("block", 8, 8)}
    assert list(sweep.directory.log.read()) == [this_worker().name]


def test_an_unknown_failure_is_a_failure_of_the_block_alone(sweep, monkeypatch):
    monkeypatch.setattr(Batch, "run", lambda self, progress: 1 / 0)
    assert isinstance(make(sweep, sweep.blocks[0]), Failed)
    monkeypatch.undo()
    assert isinstance(make(sweep, sweep.blocks[0]), Made)
