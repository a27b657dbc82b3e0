"""Whatever is wrong with a block on disk is found, and told with the remedy."""

import dataclasses
from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.native import used
from sgdsim.run.progress import Meter
from sgdsim.run.verify import check_blocks, choose, recompute
from sgdsim.store.block_file import BlockHeader
from sgdsim.store.blocks import Block
from sgdsim.store.directory import RunDirectory
from sgdsim.store.worker import HOST, PLACE
from tests.helpers import make_blocks
from tests.toy import make_experiment

HEADER = BlockHeader(3, "0.1.0", "", "", "0.10", "cpu", "", 0, (0, 1), 1, 1, 0.0, "host.0a1b2c3d.1.2", (), "")


@pytest.fixture(autouse=True)
def _nothing_in_cpp(monkeypatch):
    """Whatever other tests of this process have called."""
    monkeypatch.setattr(used, "_USED", set())


@pytest.fixture
def sweep(tmp_path):
    return make_blocks(make_experiment(), tmp_path / "run 模拟")


def check(sweep):
    problems = []
    sound = check_blocks(RunDirectory(sweep.directory.path), Meter(), problems.append)
    return [block.name for block, _ in sound], problems


def file(sweep, name):
    return next(sweep.directory.blocks.glob(f"*/{name}.npz"))


def test_a_sound_run_has_no_problems_finished_or_not(sweep):
    names = [block.name for block in sweep.blocks]
    assert check(sweep) == (names, [])
    file(sweep, "c00001-r0000008-0000016").unlink()
    (sweep.directory.blocks / f".index.json.{HOST}.{PLACE}.1.0a1b2c3d.tmp").write_text("{")
    assert check(sweep) == ([name for name in names if name != "c00001-r0000008-0000016.npz"], [])


def test_every_damaged_block_is_told_with_the_remedy(sweep):
    short, flipped, empty = (file(sweep, f"c0000{cell}-r0000008-0000016") for cell in range(3))
    short.write_bytes(short.read_bytes()[:-1])
    content = bytearray(flipped.read_bytes())
    content[-300] ^= 4
    flipped.write_bytes(content)
    empty.write_bytes(b"")
    sound, problems = check(sweep)
    assert len(sound) == 6
    for path, problem in zip((short, flipped, empty), problems, strict=True):
        assert problem.startswith(f"{path}: is damaged")
        assert problem.endswith(f"; sgdsim run {sweep.directory.path} moves it aside and makes it again")


def test_a_block_under_the_name_of_another_is_told(sweep):
    path = file(sweep, "c00001-r0000008-0000016")
    path.write_bytes(file(sweep, "c00000-r0000008-0000016").read_bytes())
    _, (problem,) = check(sweep)
    assert problem.startswith(f"{path}: holds replicas (8, 16) of cell 0, not those that its name says; sgdsim run")


def test_a_block_that_cannot_be_read_is_told(sweep, monkeypatch):
    path = file(sweep, "c00001-r0000008-0000016")
    path.unlink()
    path.mkdir()
    _, (problem,) = check(sweep)
    assert problem == f"{path}: is no file; sgdsim run {sweep.directory.path} moves it aside and makes it again"


def test_foreign_files_and_lost_ones_are_told(sweep):
    blocks = sweep.directory.blocks
    strays = [blocks / "c00000-t000000.npz", blocks / "00" / "c00009-r0000000-0000008.npz", blocks / "00" / "notes.txt"]
    strays[1].parent.mkdir(exist_ok=True)
    for path in strays:
        path.write_text("")
    lost = file(sweep, "c00001-r0000008-0000016")
    found = lost.rename(blocks / "00" / lost.name)
    _, problems = check(sweep)
    wrong = "is no block of this run; delete it, or move it elsewhere"
    assert sorted(problems) == sorted(
        [
            *(f"{path}: {wrong}" for path in strays),
            f"{found}: is in the wrong subfolder; move it to {lost.parent}, or delete it",
        ]
    )


def test_a_block_comes_out_again_bit_by_bit(sweep):
    sound = check_blocks(sweep.directory, Meter(), print)
    problems = []
    again = recompute(sweep, sound, 4, Random(0), Meter(), problems.append)
    assert problems == []
    assert len({block.name for block in again}) == 4
    assert {block.cell for block in again} == {0, 1, 2}


def test_the_compiler_of_loops_in_cpp_is_told(sweep, monkeypatch):
    """Blocks that XLA alone has made, held against ones that g++ had a hand in."""
    monkeypatch.setattr(used, "_USED", {"g++ 12.2.0"})
    problems = []
    sound = check_blocks(sweep.directory, Meter(), problems.append)
    spoilt = [(block, dataclasses.replace(header, digest="")) for block, header in sound]
    recompute(sweep, spoilt, 1, Random(0), Meter(), problems.append)
    (problem,) = problems
    made, code = f"{HOST} with jax {spoilt[0][1].jax} on cpu", f"code {sweep.code.digest}"
    assert f"{made}, {code}, and comes out otherwise on {made} with g++ 12.2.0, {code}; on" in problem


def test_a_block_whose_numbers_were_never_right_is_found(sweep):
    block = sweep.blocks[4]
    result, header = sweep.directory.read_block(block, 4)
    mean = {name: array.copy() for name, array in result.tiles.mean.items()}
    mean["x"][0, 0, 0] = np.nextafter(mean["x"][0, 0, 0], 2.0)
    other = dataclasses.replace(result, tiles=dataclasses.replace(result.tiles, mean=mean))
    sweep.directory.write_block(block, other, header.origin)
    problems = []
    sound = check_blocks(sweep.directory, Meter(), problems.append)
    assert problems == []
    recompute(sweep, sound, 9, Random(0), Meter(), problems.append)
    origin = header.origin.words
    made = f"was made by {HOST} with {origin}, and comes out otherwise on {HOST} with {origin}"
    assert header.compiler == ""
    (problem,) = problems
    assert problem.startswith(f"{sweep.directory.path_of(block)}: {made}; ")
    assert problem.endswith("delete it to have it made again")


@given(cells=st.lists(st.integers(1, 9), min_size=1, max_size=6), count=st.integers(0, 60), seed=st.integers(0, 9))
def test_the_choice_is_spread_over_the_cells(cells, count, seed):
    found = [(Block(cell, range(1), range(n, n + 1)), HEADER) for cell, size in enumerate(cells) for n in range(size)]
    chosen = [block for block, _ in choose(found, count, Random(seed))]
    assert len({block.name for block in chosen}) == len(chosen) == min(count, len(found))
    per_cell = Counter(block.cell for block in chosen)
    for cell, size in enumerate(cells):
        assert all(per_cell[cell] >= min(size, per_cell[other] - 1) for other in range(len(cells)))


def test_the_choice_is_random():
    found = [(Block(0, range(1), range(n, n + 1)), HEADER) for n in range(50)]
    chosen = {choose(found, 1, Random(seed))[0][0].name for seed in range(20)}
    assert len(chosen) > 5
