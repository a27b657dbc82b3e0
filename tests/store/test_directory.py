"""The run directory: blocks that are trusted only when they are whole and belong there."""

import dataclasses
import errno
import json
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.ensemble.tiles import Tiles
from sgdsim.errors import ExperimentError
from sgdsim.store.block_file import BlockResult, SpoiltBlock, digest
from sgdsim.store.blocks import BLOCK_SECONDS, Block, CellLayout, cut_tiles, describe
from sgdsim.store.directory import RunDirectory, Unwritable
from sgdsim.store.worker import HOST, PLACE, Worker
from tests.helpers import ORIGIN, begin, lay_out

BLOCK = Block(3, range(4, 6), range(12, 18))


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
    begin(run, {"title": "a", "grid": {"d": [100, 200]}})
    return run


def test_a_block_comes_back_bitwise(run):
    stored = result()
    assert not run.done(BLOCK)
    receipt = run.write_block(BLOCK, stored, ORIGIN)
    assert run.done(BLOCK)
    assert run.on_disk() == {"c00003-r0000012-0000018.npz"}
    back, read = run.read_block(BLOCK, lanes=3)
    assert read == receipt
    assert (back.lanes, back.replica_steps, back.wall_seconds) == (3, 1234, 0.5)
    for name, array in stored.tiles.to_arrays().items():
        assert back.tiles.to_arrays()[name].tobytes() == array.tobytes()


def test_equal_numbers_have_equal_digests_whoever_made_them_and_other_numbers_others(run, monkeypatch):
    first = run.write_block(BLOCK, result(), ORIGIN)
    monkeypatch.setattr("sgdsim.store.block_file.this_worker", lambda: Worker("elsewhere", "0a1b2c3d", 1, 2))
    again = run.write_block(BLOCK, dataclasses.replace(result(), wall_seconds=7.0), ORIGIN)
    assert again != first
    assert again.digest == first.digest
    other = result()
    other.tiles.mean["Q"][0, 0, 0] = np.nextafter(other.tiles.mean["Q"][0, 0, 0], 1.0)
    assert run.write_block(BLOCK, other, ORIGIN).digest != first.digest
    tables = [((name, "<f8", shape),) for name in "ab" for shape in ((2,), (2, 1))]
    assert len({digest(table, bytes(16)) for table in tables}) == 4


def spoil(run, change):
    """A stored block, with its bytes changed."""
    run.write_block(BLOCK, result(), ORIGIN)
    path = run.path_of(BLOCK)
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: b"",
        lambda stored: b"PK",
        lambda stored: b"no npz",
        lambda stored: stored[: len(stored) // 2],
        lambda stored: stored[:-1],
        lambda stored: stored[:300] + bytes([stored[300] ^ 1]) + stored[301:],
    ],
    ids=["empty", "PK", "text", "half", "short", "one bit"],
)
def test_a_damaged_block_is_put_aside_with_a_word(run, change):
    spoil(run, change)
    with pytest.raises(SpoiltBlock, match="is damaged") as caught:
        run.read_block(BLOCK, lanes=3)
    said = run.put_aside(BLOCK, caught.value)
    assert re.search(r"c00003-r0000012-0000018.npz: is damaged .*; moved to .*aside.c00003-r0000012-0000018.npz$", said)
    assert not run.done(BLOCK)
    assert (run.aside / BLOCK.name).is_file()


def test_every_flipped_bit_of_the_numbers_is_noticed(run):
    run.write_block(BLOCK, result(), ORIGIN)
    stored = run.path_of(BLOCK).read_bytes()
    numbers = result().tiles.to_arrays()["sup_deviation"].tobytes()
    where = stored.index(numbers)
    for position in range(where, where + len(numbers), 5):
        spoil(run, lambda stored, at=position: stored[:at] + bytes([stored[at] ^ 16]) + stored[at + 1 :])
        with pytest.raises(SpoiltBlock, match="is damaged"):
            run.read_block(BLOCK, lanes=3)


@pytest.mark.parametrize("at", [0, -1])
def test_numbers_that_are_not_those_of_the_receipt_are_noticed(run, at):
    """A file that is whole, by all that the format itself can tell."""
    run.write_block(BLOCK, result(), ORIGIN)
    path = run.path_of(BLOCK)
    with path.open("rb") as stream, np.load(stream) as stored:
        receipt, numbers = stored["receipt"], stored["numbers"].copy()
    numbers[at] ^= 1
    np.savez(path, receipt=receipt, numbers=numbers)
    with pytest.raises(SpoiltBlock, match=r"is damaged \(its checksum is not that of its numbers\)"):
        run.read_block(BLOCK, lanes=3)


def other_version(run, monkeypatch):
    monkeypatch.setattr("sgdsim.store.block_file.__version__", "0.0.7")
    run.write_block(BLOCK, result(), ORIGIN)
    monkeypatch.undo()


def other_experiment(run, monkeypatch):
    run.write_block(BLOCK, result(), ORIGIN)
    begin(run, {"title": "a", "grid": {"d": [100, 201]}})


def other_code(run, monkeypatch):
    run.write_block(BLOCK, result(), ORIGIN.model_copy(update={"code": "0123456789abcdef"}))


def other_tiles(run, monkeypatch):
    run.write_block(BLOCK, result(), ORIGIN)


def other_replicas(run, monkeypatch):
    run.write_block(BLOCK, result(), ORIGIN)
    other = Block(4, range(4, 6), range(12, 18))
    run.path_of(other).parent.mkdir(exist_ok=True)
    run.path_of(BLOCK).rename(run.path_of(other))
    return other


@pytest.mark.parametrize(
    ("disturb", "lanes", "said"),
    [
        (other_version, 3, r"was made by sgdsim 0.0.7 \(format 3\), this is "),
        (other_experiment, 3, "is a block of another experiment"),
        (other_code, 3, "was made by other code than the run accepts"),
        (other_replicas, 3, r"holds replicas \(12, 18\) of cell 3, not those that its name says"),
        (
            lambda run, monkeypatch: run.write_block(BLOCK, result(), ORIGIN) and None,
            2,
            "has tiles of 3 replicas, the run has 2",
        ),
    ],
)
def test_a_block_that_does_not_belong_here_is_refused(run, monkeypatch, disturb, lanes, said):
    block = disturb(run, monkeypatch) or BLOCK
    with pytest.raises(SpoiltBlock, match=said):
        RunDirectory(run.path).read_block(block, lanes)


def test_a_folder_of_an_older_version_is_refused_with_the_remedy(run, monkeypatch):
    run.index.write_text(json.dumps({"cells": [{"axes": {}, "replicas": 4, "lanes": 4, "blocks": [[0, 1]]}]}))
    with pytest.raises(ExperimentError, match=r"begun by an earlier version of sgdsim .*; finish it with that"):
        run.read_layout()
    begin(run, {"title": "a"})
    monkeypatch.setattr("sgdsim.store.manifest.__version__", "9.0")
    with pytest.raises(ExperimentError, match=r"was begun by sgdsim 0.1.0 \(format 3\), this is 9.0 .* -o DIR"):
        RunDirectory(run.path).read_layout()


def test_many_blocks_are_spread_over_subfolders(run):
    blocks = [Block(cell, range(1), range(4)) for cell in range(2000)]
    blocks += [Block(0, range(tile, tile + 1), range(4 * tile, 4 * tile + 4)) for tile in range(1, 2000)]
    folders = Counter(run.path_of(block).parent.name for block in blocks)
    assert len(folders) == 256
    assert max(folders.values()) < 40


def test_a_block_that_lies_elsewhere_is_not_there(run):
    run.write_block(BLOCK, result(), ORIGIN)
    (run.blocks / "xx").mkdir()
    run.path_of(BLOCK).rename(run.blocks / "xx" / BLOCK.name)
    assert not run.on_disk()
    assert not run.done(BLOCK)


def test_a_block_that_cannot_be_written_is_told_with_the_reason(run, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sgdsim.store.files._finish", full)
    with pytest.raises(Unwritable, match=r"c00003-r0000012-0000018.npz: cannot be written \(No space left on device\)"):
        run.write_block(BLOCK, result(), ORIGIN)
    assert not run.on_disk()


def test_layout_and_experiment_come_back(run):
    layout = [
        CellLayout(0, {"d": 100, "noise": 0.1}, replicas=19, lanes=4, cuts=cut_tiles(range(5), 4, 10.0, 8)),
        CellLayout(1, {"d": 200, "noise": 0.1}, replicas=19, lanes=4, cuts=cut_tiles(range(5), 4, 10.0, 8)),
    ]
    lay_out(run, layout)
    assert run.read_layout() == layout
    assert [block.replicas for block in layout[1].blocks] == [range(8), range(8, 16), range(16, 19)]
    assert not run.create_manifest(dataclasses.replace(run.read_manifest(), cells=[]))
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


@given(
    first=st.integers(0, 50),
    count=st.integers(1, 500),
    lanes=st.sampled_from([1, 8, 256]),
    seconds=st.floats(0, 1e6),
    replicas=st.none() | st.integers(1, 3000),
    short=st.integers(0, 7),
)
def test_blocks_cover_every_tile_and_replica_once(first, count, lanes, seconds, replicas, short):
    cuts = cut_tiles(range(first, first + count), lanes, seconds, replicas)
    total = (first + count) * lanes - min(short, lanes - 1)
    blocks = CellLayout(2, {}, total, lanes, cuts).blocks
    assert [tile for block in blocks for tile in block.tiles] == list(range(first, first + count))
    assert [replica for block in blocks for replica in block.replicas] == list(range(first * lanes, total))
    assert {block.cell for block in blocks} == {2}
    assert len({block.name for block in blocks}) == len(blocks)


def test_blocks_depend_on_the_work():
    assert cut_tiles(range(10), 8, 1.0, 20) == [0, 3, 6, 9, 10]
    long = cut_tiles(range(10_000), 256, 1e-3, None)
    assert 0.9 * BLOCK_SECONDS < long[1] * 256 * 1e-3 <= BLOCK_SECONDS
    assert cut_tiles(range(3), 256, 100.0, None) == [0, 1, 2, 3]
    assert cut_tiles(range(10), 8, 0.0, None) == [0, 10]


def test_coordinates_as_text():
    assert describe({"d": 300, "noise": 1e-3, "activation": "erf"}) == "d=300, noise=0.001, activation=erf"
    assert describe({}) == ""


def test_what_a_kill_left_half_written_goes_wherever_it_is(run):
    folders = [run.path, run.blocks, run.path_of(BLOCK).parent, run.log.folder, run.figures]
    for folder in folders:
        folder.mkdir(exist_ok=True)
        (folder / f".a.{HOST}.{PLACE}.4194304.0a1b2c3d.tmp").write_text("half")
    run.make()
    assert not list(run.path.rglob("*.tmp"))
