"""Files that are whole or absent, and the run directory made of them."""

import os
import subprocess
import time

import numpy as np
import pytest

from sgdsim.ensemble.tiles import Tiles
from sgdsim.errors import ExperimentError
from sgdsim.store import files
from sgdsim.store.blocks import BLOCK_STEPS, Block, BlockResult, describe, partition
from sgdsim.store.directory import CellLayout, RunDirectory
from sgdsim.store.files import HOST, atomic, sweep_stale, write_text

BLOCK = Block(3, range(4, 6))


def result(tiles=2):
    rng = np.random.default_rng(0)
    return BlockResult(
        tiles=Tiles(
            count=np.full(tiles, 3),
            diverged=np.zeros(tiles, int),
            mean={"Q": rng.normal(size=(tiles, 2, 1))},
            m2={"Q": rng.random(size=(tiles, 2, 1))},
            theory={},
            sup_deviation=np.append(rng.random(5), np.nan),
            final_deviation=rng.random(6),
        ),
        lanes=3,
        replica_steps=1234,
        wall_seconds=0.5,
    )


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "deep" / "run")
    run.make()
    return run


def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def fail():
        with atomic(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_two_processes_never_share_a_temporary_name(tmp_path):
    with atomic(tmp_path / "a.txt") as temporary:
        assert temporary.name == f".a.txt.{HOST}.{os.getpid()}.tmp"
        temporary.write_text("")


def test_only_abandoned_temporary_files_are_swept(tmp_path):
    def make(name, age=0.0):
        path = tmp_path / name
        path.write_text("x")
        os.utime(path, (time.time() - age, time.time() - age))
        return path

    abandoned = [
        make(f".a.npz.{HOST}.{dead_pid()}.tmp"),
        make(f".a.npz.{HOST}.{os.getpid()}.tmp"),
        make(".a.npz.elsewhere.17.tmp", age=2 * files.STALE_SECONDS),
        make(f".a.npz.{HOST}.{os.getppid()}.tmp", age=2 * files.STALE_SECONDS),
    ]
    kept = [
        make(f".b.npz.{HOST}.{os.getppid()}.tmp"),
        make(".b.npz.elsewhere.17.tmp"),
        make(".mine.tmp"),
        make("a.npz"),
        make("a.tmp"),
    ]
    sweep_stale(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert not any(path.exists() for path in abandoned)


def test_a_block_comes_back_bitwise(run):
    stored = result()
    assert not run.done(BLOCK)
    run.write_block(BLOCK, stored)
    assert run.done(BLOCK)
    assert [path.name for path in run.blocks.iterdir()] == ["c00003-t000004.npz"]
    back = run.read_block(BLOCK)
    assert (back.lanes, back.replica_steps, back.wall_seconds) == (3, 1234, 0.5)
    for name, array in stored.tiles.to_arrays().items():
        assert back.tiles.to_arrays()[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("damage", ["", "PK", "no npz"])
def test_a_damaged_block_is_named_with_the_remedy(run, damage):
    (run.blocks / BLOCK.name).write_text(damage)
    with pytest.raises(ExperimentError, match=r"c00003-t000004.npz: cannot be read .* delete it and run the same"):
        run.read_block(BLOCK)


def test_a_block_of_other_tiles_is_refused(run):
    run.write_block(BLOCK, result(tiles=1))
    with pytest.raises(ExperimentError, match="holds other tiles"):
        run.read_block(BLOCK)


def test_layout_and_experiment_come_back(run):
    layout = [
        CellLayout({"d": 100, "noise": 0.1}, replicas=20, lanes=4, blocks=partition(0, 5, 4, 10, 8)),
        CellLayout({"d": 200, "noise": 0.1}, replicas=20, lanes=4, blocks=partition(1, 5, 4, 10, 8)),
    ]
    assert not run.exists
    run.write_layout(layout)
    assert run.read_layout() == layout
    table = {"title": "a", "grid": {"d": [100, 200], "noise": [0.1]}}
    run.write_experiment(table)
    assert run.read_experiment() == table
    assert run.exists


def test_a_folder_that_is_no_run(tmp_path):
    run = RunDirectory(tmp_path)
    for read in (run.read_experiment, run.read_layout):
        with pytest.raises(ExperimentError, match="not a run"):
            read()


@pytest.mark.parametrize("place", ["file/run", "file", "/proc/run", "/dev/null/run"])
def test_an_unwritable_folder(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExperimentError, match=r"cannot write a run here .*; choose another folder with -o DIR"):
        RunDirectory(tmp_path / place).make()


def test_blocks_cover_every_tile_once_and_depend_on_the_work():
    for n_tiles, lanes, steps, replicas in [
        (1, 8, 10, None),
        (100, 8, 10**8, None),
        (100, 256, 10**6, None),
        (10, 8, 1, 20),
    ]:
        blocks = partition(2, n_tiles, lanes, steps, replicas)
        assert [tile for block in blocks for tile in block.tiles] == list(range(n_tiles))
        assert {block.cell for block in blocks} == {2}
        assert len({block.name for block in blocks}) == len(blocks)
    assert [len(block.tiles) for block in partition(0, 10, 8, 1, 20)] == [3, 3, 3, 1]
    long = partition(0, 10_000, 256, 10**5, None)
    assert 0.9 * BLOCK_STEPS < len(long[0].tiles) * 256 * 10**5 <= BLOCK_STEPS
    assert len(partition(0, 100, 256, 10**9, None)[0].tiles) == 8


def test_coordinates_as_text():
    assert describe({"d": 300, "noise": 1e-3, "activation": "erf"}) == "d=300, noise=0.001, activation=erf"
    assert describe({}) == ""
