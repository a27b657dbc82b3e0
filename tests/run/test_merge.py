"""Folders of one experiment become one: everything sound is copied, nothing else, and the logs with it."""

import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from sgdsim.errors import ExperimentError
from sgdsim.run.merge import unite
from sgdsim.run.progress import Meter
from sgdsim.run.provenance import begin_session, end_session, read_sessions
from sgdsim.store.directory import RunDirectory
from sgdsim.store.files import write_text
from sgdsim.store.presence import Sign
from sgdsim.store.worker import HOST, PLACE, Worker, start_of
from tests.helpers import finish, lay_out, make_blocks
from tests.processes import blocks, numbers
from tests.toy import make_experiment


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    finish(make_experiment(), folder)
    return folder


@pytest.fixture
def parts(whole, tmp_path):
    """Two folders, of which the first has five blocks and the second the other four and two of the five."""
    made = []
    for index, chosen in enumerate((slice(5), slice(3, None))):
        folder = tmp_path / f"part {index}"
        shutil.copytree(whole, folder)
        for path in (folder / "results.nc", folder / "summary.json"):
            path.unlink()
        keep = sorted(blocks(whole))[chosen]
        for path in folder.glob("blocks/*/*.npz"):
            if path.name not in keep:
                path.unlink()
        begin_session(RunDirectory(folder), make_experiment(), f"part {index}")
        end_session(RunDirectory(folder), "finished")
        made.append(RunDirectory(folder))
    return made


def merge(sources, target, said=None):
    return unite(sources, target, Meter(), (said if said is not None else []).append)


def one_of(run, name):
    return next(run.path.glob(f"blocks/*/{name}.npz"))


def test_parts_become_the_whole(whole, parts, tmp_path):
    target = RunDirectory(tmp_path / "all 模拟")
    union = merge(parts, target)
    assert (union.copied, union.there, union.missing, union.problems) == (9, 0, 0, [])
    for path in whole.glob("blocks/*/*.npz"):
        assert (target.path / path.relative_to(whole)).read_bytes() == path.read_bytes()
    finish(make_experiment(), target.path)
    assert numbers(target.path) == numbers(whole)
    again = merge(parts, target)
    assert (again.copied, again.there, again.missing) == (0, 9, 0)


def test_the_logs_of_all_go_along_each_line_once(parts, tmp_path):
    target = RunDirectory(tmp_path / "all")
    for _ in range(2):
        merge(parts, target)
        assert {session["command"] for session in read_sessions(target)} == {"part 0", "part 1"}
        stored = json.loads(target.provenance.read_text())
        assert {stored["command"], *(earlier["command"] for earlier in stored["earlier_sessions"])} == {
            "part 0",
            "part 1",
        }
        lines = [line for path in target.log.folder.iterdir() for line in path.read_text().splitlines() if line]
        assert len(lines) == len(set(lines))
        assert sum('"block"' in line for line in lines) == 9


def test_a_folder_takes_in_another_in_place(parts):
    first, second = parts
    before = blocks(first.path)
    union = merge([first, second], first)
    assert (union.copied, union.there, union.missing) == (4, 5, 0)
    assert {name: stamp for name, stamp in blocks(first.path).items() if name in before} == before
    assert len(blocks(second.path)) == 6


def test_what_no_folder_has_is_missing(parts, tmp_path):
    union = merge(parts[:1], RunDirectory(tmp_path / "all"))
    assert (union.copied, union.missing) == (5, 4)


def test_a_spoilt_block_is_left_out_and_taken_from_another_folder(whole, parts, tmp_path):
    first, second = parts
    shared, alone = one_of(first, "c00001-r0000000-0000008"), one_of(second, "c00002-r0000016-0000024")
    for path in (shared, alone):
        path.write_bytes(path.read_bytes()[:-5])
    target = RunDirectory(tmp_path / "all")
    union = merge(parts, target)
    assert (union.copied, union.missing) == (8, 1)
    assert [problem.split(": ")[0] for problem in union.problems] == [str(shared), str(alone)]
    assert all(problem.endswith("; left out") for problem in union.problems)
    assert one_of(target, shared.stem).read_bytes() == one_of(second, shared.stem).read_bytes()
    assert alone.name not in blocks(target.path)


def test_a_spoilt_block_of_the_target_is_replaced(parts):
    first, second = parts
    spoilt = one_of(first, "c00001-r0000000-0000008")
    spoilt.write_bytes(b"")
    union = merge([second], first)
    assert union.missing == 0
    assert spoilt.read_bytes() == one_of(second, spoilt.stem).read_bytes()


def test_of_blocks_with_different_bits_the_first_is_kept_and_it_is_told(parts, tmp_path, monkeypatch):
    first, second = parts
    (block,) = [block for block in first.read_layout()[1].blocks if block.name == "c00001-r0000000-0000008.npz"]
    result, header = second.read_block(block, 4)
    mean = {name: np.nextafter(array, np.inf) for name, array in result.tiles.mean.items()}
    tiles = dataclasses.replace(result.tiles, mean=mean)
    monkeypatch.setattr("sgdsim.store.block_file.this_worker", lambda: Worker("far", PLACE, 1, 2))
    second.write_block(block, dataclasses.replace(result, tiles=tiles), header.origin)
    target = RunDirectory(tmp_path / "all")
    union = merge(parts, target)
    made = header.origin.words
    one, two = f"{first.path} ({HOST}, {made})", f"{second.path} (far, {made})"
    assert union.problems == [f"{block.name}: not the same bits in {one} and {two}; that of {first.path} is kept"]
    assert target.read_block(block, 4)[1].digest == header.digest
    assert f"that of {target.path} is kept" in merge(parts[::-1], target).problems[0]


def other(changes):
    return lambda folder: make_blocks(make_experiment(**changes), folder)


def recut(folder):
    run = make_blocks(make_experiment(), folder).directory
    lay_out(run, [dataclasses.replace(cell, cuts=[0, 4, 6]) for cell in run.read_layout()])


@pytest.mark.parametrize("place", ["source", "target"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (other({"seed": 1, "noise": (2.0,)}), r"\(differing: grid.noise, ensemble.seed\); only folders of the same"),
        (other({"replicas": 32}), r"\(differing: ensemble.replicas\); first bring both .* sgdsim extend DIR"),
        (recut, r"its cells are cut into other tiles or blocks than those of .* \(cells 0, 1, 2\); one was extended"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_written(parts, tmp_path, make, said, place):
    wrong, target = tmp_path / "wrong", tmp_path / "all"
    make(wrong)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    sources = [*parts, RunDirectory(wrong)] if place == "source" else parts
    with pytest.raises(ExperimentError, match=said):
        merge(sources, RunDirectory(target if place == "source" else wrong))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not target.exists()


def test_a_folder_that_is_no_run_is_refused(parts, tmp_path):
    with pytest.raises(ExperimentError, match=r"nowhere.blocks.index.json: cannot be read"):
        merge([*parts, RunDirectory(tmp_path / "nowhere")], RunDirectory(tmp_path / "all"))
    assert not (tmp_path / "all").exists()


def test_a_target_that_somebody_works_on_is_refused(parts, tmp_path):
    target = RunDirectory(tmp_path / "all")
    merge(parts[:1], target)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        name = Worker(HOST, PLACE, worker.pid, start_of(worker.pid)).name
        write_text(target.watch.folder / f"{name}.json", json.dumps(vars(Sign(name))))
        with pytest.raises(ExperimentError, match=rf"process {worker.pid} of {HOST} is at work here; .* then merge"):
            merge(parts, target)
        assert len(blocks(target.path)) == 5
        worker.communicate(b"\n")


def test_a_merge_that_was_killed_is_taken_up(whole, parts, tmp_path, monkeypatch):
    target = RunDirectory(tmp_path / "all")
    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "write_manifest", lambda run, manifest: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            merge(parts, target)
    assert target.exists
    assert merge(parts, target).copied == 9
