"""A run from its beginning to its report: repairs, failures, parts, and what is said."""

import errno
import json
import os
import signal
import threading
import time
import zlib

import numpy as np
import pytest
import xarray as xr

from sgdsim.ensemble.batch import Batch
from sgdsim.run import conductor
from sgdsim.run.bundles import Bundler
from sgdsim.run.conductor import FINISH, Conductor
from sgdsim.run.local import LocalRun
from sgdsim.run.opened import open_run
from sgdsim.run.options import Options
from sgdsim.run.shard import Shard, largest_first
from sgdsim.run.stop import Exit
from sgdsim.store.blocks import Block
from sgdsim.store.directory import RunDirectory
from sgdsim.store.worker import HOST, PLACE, Worker, start_of
from tests.toy import make_experiment


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """The walk is no system that a report knows."""
    monkeypatch.setattr(conductor, "write_report", lambda folder: None)


def run(folder, experiment=None, **options):
    """The exit code, what was said, and the summary."""
    said = []
    sweep = open_run(experiment or make_experiment(), folder)
    conductor = Conductor(sweep, Options("sgdsim run walk.toml", quiet=True, **options), said.append)
    return conductor.run(), said, conductor.summary


def data(folder):
    with xr.open_dataset(folder / "results.nc", engine="netcdf4") as stored:
        return stored.load()


def numbers(folder):
    return {name: array.values.tobytes() for name, array in data(folder).variables.items() if array.dtype.kind in "fi"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conductor, "write_report", lambda folder: None)
        assert run(folder)[:2] == (Exit.FINISHED, [])
    return folder


def blocks(folder):
    """The block files by name."""
    return {path.name: path for path in sorted(folder.glob("blocks/*/*.npz"))}


def truncate(folder, path):
    path.write_bytes(path.read_bytes()[:-100])


def other_seed(folder, path):
    run(folder.with_name("foreign"), make_experiment(seed=1))
    path.write_bytes(blocks(folder.with_name("foreign"))[path.name].read_bytes())


def swapped(folder, path):
    path.write_bytes(blocks(folder)["c00002-r0000008-0000016.npz"].read_bytes())


@pytest.mark.parametrize(
    ("disturb", "why"),
    [
        (truncate, "is damaged (BadZipFile: File is not a zip file)"),
        (other_seed, "is a block of another experiment"),
        (swapped, "holds replicas (8, 16) of cell 2, not those that its name says"),
    ],
)
def test_blocks_that_must_not_be_merged_are_put_aside_and_made_again(whole, tmp_path, disturb, why):
    folder = tmp_path / "run"
    run(folder)
    spoilt = [blocks(folder)[name] for name in ("c00000-r0000000-0000008.npz", "c00001-r0000016-0000024.npz")]
    kept = {name: path.stat().st_mtime_ns for name, path in blocks(folder).items() if path not in spoilt}
    for path in spoilt:
        disturb(folder, path)
    code, said, _ = run(folder)
    assert code == Exit.FINISHED
    assert said == ["\n".join(f"{path}: {why}; moved to {folder / 'aside' / path.name}" for path in spoilt)]
    assert numbers(folder) == numbers(whole)
    assert {name: path.stat().st_mtime_ns for name, path in blocks(folder).items() if name in kept} == kept
    assert len(list((folder / "aside").iterdir())) == 2


def fails_at_40(monkeypatch):
    make = Batch.run

    def broken(self, progress):
        if any(piece.kernel.dt == 1 / 40 for piece in self.pieces):
            raise ZeroDivisionError("no such d")
        return make(self, progress)

    monkeypatch.setattr(Batch, "run", broken)


def test_a_cell_that_fails_for_good_is_reported_at_the_end_and_the_others_are_whole(whole, tmp_path, monkeypatch):
    fails_at_40(monkeypatch)
    code, said, summary = run(tmp_path)
    error = "walk: cell 1 (d=40, noise=1): ZeroDivisionError: no such d"
    assert (code, said) == (Exit.FAILED, [f"failed: {error}"])
    assert [cell.error for cell in summary.cells] == [None, error, None]
    assert (summary.n_replicas, summary.cells[1].n_replicas) == (48, 0)
    assert [point[0] for point in summary.fits["scaling"].points] == [1 / 20, 1 / 80]
    left, complete = data(tmp_path), data(whole)
    assert set(left.variables) == set(complete.variables)
    for name, array in complete.data_vars.items():
        np.testing.assert_array_equal(left[name][[0, 2]], array[[0, 2]])
        if name not in ("t", "step", "samples", "n_replicas", "n_diverged"):
            assert np.isnan(left[name][1]).all(), name
    assert left.d.values.tolist() == [20, 40, 80]
    np.testing.assert_array_equal(left.t, complete.t)
    assert json.loads((tmp_path / "provenance.json").read_text())["status"] == "failed"

    monkeypatch.undo()
    monkeypatch.setattr(conductor, "write_report", lambda folder: None)
    assert run(tmp_path)[:2] == (Exit.FINISHED, [])
    assert numbers(tmp_path) == numbers(whole)


def test_where_every_cell_fails_there_is_nothing_to_merge(tmp_path, monkeypatch):
    fails_at_40(monkeypatch)
    code, said, summary = run(tmp_path, make_experiment(d=(40,)))
    assert code == Exit.FAILED
    error = "failed: walk: cell 0 (d=40, noise=1): ZeroDivisionError: no such d"
    assert said == [error, "Every cell failed: there is nothing to merge."]
    assert summary is None
    assert not (tmp_path / "results.nc").exists()


def test_the_last_part_merges_whichever_it_is(whole, tmp_path):
    for index in (3, 1):
        code, said, summary = run(tmp_path, shard=Shard(index, 3))
        assert (code, said, summary) == (Exit.FINISHED, [], None)
    assert len(blocks(tmp_path)) == 6
    assert run(tmp_path, shard=Shard(2, 3))[2] is not None
    assert numbers(tmp_path) == numbers(whole)


def test_parts_are_told_what_is_missing(tmp_path):
    said = []
    options = Options("sgdsim run walk.toml --shard 1/3", shard=Shard(1, 3))
    Conductor(open_run(make_experiment(), tmp_path), options, said.append).run()
    assert said == [
        f"walk: 3 cells, 9 blocks, 0 of them on disk in {tmp_path}",
        "This part is done; 6 of 9 blocks are missing in others. The last part to end writes the results.",
    ]


def test_parts_are_dealt_by_falling_work_and_make_up_the_whole():
    sweep_blocks = [Block(cell, range(tile, tile + 1), range(tile, tile + 1)) for cell in range(3) for tile in range(4)]

    def work(block):
        return 10**block.cell

    parts = [Shard(index, 5).of(sweep_blocks, work) for index in range(1, 6)]
    assert sorted(block.name for part in parts for block in part) == sorted(block.name for block in sweep_blocks)
    assert [part[0].cell for part in parts] == [2, 2, 2, 2, 1]
    assert largest_first(sweep_blocks, work)[:4] == sweep_blocks[8:]


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "1", "1/0", "-1/3", "a/b", "1/3/5", "", "1/\u0663", "1/1" + "0" * 18, "1/" + "9" * 9999]
)
def test_what_is_no_part(text):
    with pytest.raises(ValueError, match="must be i/n with 1 <= i <= n, but got"):
        Shard.parse(text)


def test_one_process_writes_the_results_at_a_time(tmp_path):
    run(tmp_path)
    (tmp_path / "results.nc").unlink()
    init = Worker(HOST, PLACE, 1, start_of(1)).name
    (RunDirectory(tmp_path).claims.folder / FINISH).symlink_to(init)
    said = []
    conductor = Conductor(open_run(make_experiment(), tmp_path), Options("sgdsim run"), said.append)
    assert conductor.run() == Exit.FINISHED
    assert said[-1] == f"All blocks are on disk; {init} is writing the results."
    assert not (tmp_path / "results.nc").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_after_the_blocks_in_hand(tmp_path, monkeypatch, number, code):
    make = Batch.run

    def interrupted(self, progress):
        os.kill(os.getpid(), number)
        return make(self, progress)

    monkeypatch.setattr(Batch, "run", interrupted)
    sweep = open_run(make_experiment(), tmp_path)
    at_once = len(Bundler(sweep).first(sweep.blocks))
    assert at_once < 9
    line = f"Stopped with {at_once} of 9 blocks on disk. To go on: sgdsim run walk.toml"
    assert run(tmp_path)[:2] == (code, [line])
    assert json.loads((tmp_path / "provenance.json").read_text())["status"] == "interrupted"


def test_blocks_that_vanish_while_a_run_is_at_work_are_made_again(tmp_path, whole, monkeypatch):
    """It ended well, and without results: the blocks of a part that nobody makes were waited for."""
    make = LocalRun.run
    taken = []

    def robbed(self, blocks):
        outcome = make(self, blocks)
        if not taken:
            taken.append(self._opened.directory.path_of(blocks[4]))
            taken[0].unlink()
        return outcome

    monkeypatch.setattr(LocalRun, "run", robbed)
    code, said, _ = run(tmp_path)
    assert (code, said) == (Exit.FINISHED, [f"{tmp_path / 'blocks'}: 1 blocks are gone; they are made again"])
    assert numbers(tmp_path) == numbers(whole)


def test_a_block_that_cannot_be_stored_ends_the_run_with_the_reason(tmp_path):
    sweep = open_run(make_experiment(), tmp_path)
    place = f"{zlib.crc32(sweep.blocks[2].name.encode()) % 256:02x}"
    (tmp_path / "blocks" / place).write_text("")  # a file where the folder should be, that cannot be put aside
    (tmp_path / "aside").write_text("")
    code, said, _ = run(tmp_path)
    assert code == Exit.FAILED
    path = sweep.directory.path_of(sweep.blocks[2])
    assert said == [
        f"{path}: cannot be written (File exists)",
        "Stopped with 2 of 9 blocks on disk. To go on: sgdsim run walk.toml",
    ]
    (tmp_path / "blocks" / place).unlink()
    assert run(tmp_path)[0] == Exit.FINISHED


def test_a_report_that_cannot_be_written_is_told_in_a_line(tmp_path, monkeypatch):
    def full(folder):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "report.html"))

    monkeypatch.setattr(conductor, "write_report", full)
    code, said, _ = run(tmp_path)
    assert code == Exit.FAILED
    assert said == [
        f"{tmp_path / 'report.html'}: cannot be read or written (No space left on device)",
        "Stopped with 9 of 9 blocks on disk. To go on: sgdsim run walk.toml",
    ]


def test_the_guard_leaves_in_good_order(tmp_path, monkeypatch):
    """A main thread that stands still in compiled code: claims are given up, and the session is closed."""
    left = []
    released = threading.Event()

    def leave(code):
        left.append((code, list((tmp_path / "live" / "claims").iterdir())))
        released.set()

    monkeypatch.setattr(conductor.os, "_exit", leave)
    monkeypatch.setattr("sgdsim.run.stop.MARGIN_SECONDS", 0.0)
    monkeypatch.setattr(Batch, "run", lambda self, progress: released.wait(20) and 1 / 0)
    began = time.monotonic()
    run(
        tmp_path, make_experiment(d=(20,)), limit=time.monotonic() + 0.2
    )  # here the block fails once the process would be gone
    assert left[0] == (75, [])
    assert time.monotonic() - began < 15
