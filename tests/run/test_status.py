"""How far a run is: counted from names and logs, whatever state the files of others are in."""

import json
import os
import time

import pytest

from sgdsim.run.block_maker import BLOCK
from sgdsim.run.status import StatusReader
from sgdsim.store.directory import RunDirectory
from sgdsim.store.files import write_text
from sgdsim.store.presence import Sign
from sgdsim.store.worker import PLACE, Worker, this_worker
from tests.helpers import ORIGIN, finish, make_blocks
from tests.toy import make_experiment


def read(folder):
    return StatusReader(RunDirectory(folder)).read()


def counts(state):
    return [(cell.blocks_done, cell.running, cell.replicas_done, cell.diverged) for cell in state.cells]


def drop(folder, *names):
    for name in names:
        next(folder.glob(f"blocks/*/{name}.npz")).unlink()


def give_sign(directory, worker, **facts):
    path = directory.watch.folder / f"{worker.name}.json"
    write_text(path, json.dumps(vars(Sign(worker.name, beat=3, **facts))))
    return path


@pytest.fixture
def run(tmp_path):
    """Three cells of three blocks each, all on disk."""
    folder = tmp_path / "größere Läufe 模拟"
    finish(make_experiment(), folder)
    return RunDirectory(folder)


def log_seconds(directory, seconds):
    """Has every block of a cell take so many seconds."""
    for path in directory.log.folder.iterdir():
        path.unlink()
    for cell in directory.read_layout():
        for block in cell.blocks:
            facts = {"block": block.name, "seconds": seconds[block.cell], "replicas": 8, "diverged": 0}
            facts |= {"origin": ORIGIN.model_dump()}
            directory.log.write(BLOCK, facts)


def test_a_finished_run(run):
    state = read(run.path)
    assert counts(state) == [(3, 0, 24, 0)] * 3
    assert (state.title, state.written, state.over, state.workers) == ("Walk", True, True, [])
    assert (state.seconds_left, state.rate, state.notes) == (None, None, [])
    assert state.disk == sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    assert [cell.axes["d"] for cell in state.cells] == [20, 40, 80]


def test_blocks_in_hand_and_who_has_them(run):
    drop(run.path, "c00001-r0000008-0000016", "c00001-r0000016-0000024", "c00002-r0000016-0000024")
    log_seconds(run, {0: 1.0, 1: 10.0, 2: 100.0})
    name = "c00001-r0000008-0000016.npz"
    run.claims.take(name)
    give_sign(run, this_worker(), block=name, work=400, done=100, seconds=2.5, rate=50.0)
    state = read(run.path)
    assert counts(state) == [(3, 0, 24, 0), (1, 1, 8, 0), (2, 0, 16, 0)]
    assert not state.over
    (worker,) = state.workers
    assert (worker.worker, worker.sign.block, worker.sign.seconds) == (this_worker(), name, 2.5)
    assert (state.rate, state.at_work) == (50.0, [worker])
    assert state.seconds_left == pytest.approx(0.75 * 10 + 10 + 100)
    assert not state.guessed


def test_the_time_left_is_shared_by_those_at_work(run):
    drop(run.path, *(f"c00001-r00000{part}" for part in ("00-0000008", "08-0000016", "16-0000024")))
    log_seconds(run, {0: 1.0, 1: 0.0, 2: 3.0})
    for pid in (11, 12):
        give_sign(run, Worker("far", PLACE, pid, 1), rate=5.0)
    state = read(run.path)
    assert state.rate == 10.0
    assert state.guessed
    assert state.seconds_left == pytest.approx((3 + 9) * 40 / (20 + 80) / 2, rel=0.01)  # by steps of a replica


def test_cells_not_begun_take_what_their_cost_says(run):
    """Cells cost in proportion to their steps, 20, 40 and 80: a block of the first took 1 s, of the last 4."""
    drop(run.path, *(f"c00002-r00000{part}" for part in ("00-0000008", "08-0000016", "16-0000024")))
    log_seconds(run, {0: 1.0, 1: 2.0, 2: 0.0})
    give_sign(run, Worker("far", PLACE, 11, 1), rate=5.0)
    state = read(run.path)
    assert state.guessed
    assert state.seconds_left == pytest.approx(12.0, rel=0.01)


def test_nothing_is_said_of_the_time_left_where_nothing_is_known(tmp_path):
    directory = make_blocks(make_experiment(), tmp_path).directory
    drop(tmp_path, *(path.stem for path in tmp_path.glob("blocks/*/*.npz")))
    give_sign(directory, this_worker(), rate=None)
    state = read(tmp_path)
    assert (state.seconds_left, state.rate, len(state.at_work)) == (None, None, 1)


def test_a_process_of_another_host_that_fell_silent_counts_for_nothing(run):
    drop(run.path, "c00001-r0000008-0000016")
    far = Worker("far", PLACE, 7, 8)
    (run.claims.folder / "c00001-r0000008-0000016.npz").symlink_to(far.name)
    path = give_sign(run, far, block="c00001-r0000008-0000016.npz", work=4, done=2, rate=9.0)
    assert counts(read(run.path))[1] == (2, 1, 16, 0)
    hour = time.time() - 3600
    os.utime(path, (hour, hour))
    state = read(run.path)
    assert counts(state)[1] == (2, 0, 16, 0)
    assert state.workers[0].silence == pytest.approx(3600, abs=60)
    assert (state.at_work, state.rate, state.seconds_left) == ([], None, None)


def test_a_failed_cell_is_settled(run):
    drop(run.path, "c00002-r0000016-0000024")
    assert not read(run.path).over
    run.failures.record(2, "walk: cell 2: no such d")
    state = read(run.path)
    assert [cell.error for cell in state.cells] == [None, None, "walk: cell 2: no such d"]
    assert state.over
    run.claims.take("c00002-r0000016-0000024.npz")
    assert not read(run.path).over


def test_a_block_that_was_not_logged_is_read_from_its_file_once(tmp_path, monkeypatch):
    directory = make_blocks(make_experiment(noise=(float("inf"),)), tmp_path).directory
    for path in (tmp_path / "logs").iterdir():
        path.write_text("".join(line for line in path.read_text().splitlines(True) if "c00001" not in line))
    reader = StatusReader(RunDirectory(tmp_path))
    assert [cell.diverged for cell in reader.read().cells] == [24, 24, 24]
    monkeypatch.setattr(RunDirectory, "read_block", None)
    assert [cell.diverged for cell in reader.read().cells] == [24, 24, 24]
    assert directory.log.read()


def test_files_that_others_are_writing_or_have_spoilt_disturb_nothing(run):
    (log,) = run.log.folder.iterdir()
    lines = log.read_text().splitlines(True)
    kept = [line for line in lines if "c00000-r0000000" not in line]
    odd = ["[1, 2]\n", '{"event": "block"}\n', '{"event": "block", "block": 3, "seconds": "x", "diverged": null}\n']
    log.write_text("".join([*kept, *odd, '{"event": "block", "blo']))
    spoilt = next(run.path.glob("blocks/*/c00000-r0000000-*.npz"))
    spoilt.write_bytes(b"PK")
    (run.blocks / "00" / ".c00000-r0.npz.host.1.tmp").parent.mkdir(exist_ok=True)
    (run.blocks / "00" / ".c00000-r0.npz.host.1.tmp").write_bytes(b"PK")
    (run.watch.folder / "far.1.2.json").write_text('{"worker": "far.1')
    (run.watch.folder / "no worker.json").write_text("{}")
    (run.failures.folder / "c00001.json").write_text("")
    (run.path / "gone").symlink_to("nowhere")
    state = read(run.path)
    assert counts(state) == [(3, 0, 24, 0)] * 3
    (problem,) = state.notes
    assert problem.startswith(f"{spoilt}: is damaged")
