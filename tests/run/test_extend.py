"""More replicas for a run: old blocks stay, and the numbers are those of a run that had them all from the beginning."""

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.run import extend as module
from sgdsim.run.extend import EXTENSION, check_extension, extend, grown
from sgdsim.run.idle import check_idle
from sgdsim.run.opened import open_run
from sgdsim.run.progress import Meter
from sgdsim.run.results import SpoiltBlocks
from sgdsim.run.status import StatusReader
from sgdsim.run.verify import check_blocks
from sgdsim.store import presence
from sgdsim.store.blocks import CellLayout, cut_tiles
from sgdsim.store.directory import RunDirectory
from sgdsim.store.files import write_text
from sgdsim.store.presence import Sign
from sgdsim.store.worker import HOST, PLACE, Worker, start_of
from tests.helpers import begin, finish, make_blocks
from tests.processes import blocks, numbers
from tests.toy import Walker, WalkKernel, make_experiment


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The numbers of a run that had all replicas from the beginning."""
    folder = tmp_path_factory.mktemp("fresh") / "run"
    finish(make_experiment(replicas=24), folder)
    return numbers(folder)


def extended(folder, replicas=24, experiment=None):
    """What was said; the run is finished."""
    said = []
    experiment = experiment or make_experiment(replicas=replicas)
    extend(experiment, RunDirectory(folder), said.append)
    finish(experiment, folder)
    return said


@pytest.mark.parametrize(
    ("before", "kept", "cut"),
    [
        pytest.param(8, ["r0000000-0000008"], [], marks=pytest.mark.slow),
        pytest.param(12, ["r0000000-0000008", "r0000008-0000012"], [], marks=pytest.mark.slow),
        (10, ["r0000000-0000008"], []),
        (14, ["r0000000-0000008"], ["r0000008-0000012"]),
        pytest.param(3, [], [], marks=pytest.mark.slow),
        pytest.param(1, [], [], marks=pytest.mark.slow),
    ],
)
def test_the_result_is_that_of_a_fresh_run_and_full_tiles_are_kept(fresh, tmp_path, before, kept, cut):
    finish(make_experiment(replicas=before), tmp_path)
    old = blocks(tmp_path)
    assert extended(tmp_path) == []
    assert numbers(tmp_path) == fresh
    names = {f"c0000{cell}-{part}.npz" for cell in range(3) for part in kept}
    now = blocks(tmp_path)
    assert {name for name in old if now.get(name) == old[name]} == names
    layout = RunDirectory(tmp_path).read_layout()
    assert set(now) == {block.name for cell in layout for block in cell.blocks}
    assert set(now) >= {f"c0000{cell}-{part}.npz" for cell in range(3) for part in cut}
    problems = []
    check_blocks(RunDirectory(tmp_path), Meter(), problems.append)
    assert problems == []


def test_a_run_is_extended_again_and_again_and_in_the_middle(fresh, tmp_path):
    sweep = make_blocks(make_experiment(replicas=3), tmp_path)
    for replicas in (5, 6, 14):
        extend(make_experiment(replicas=replicas), sweep.directory, print)
        if replicas != 6:
            make_blocks(make_experiment(replicas=replicas), tmp_path)
    for path in list(tmp_path.glob("blocks/*/c00001-*.npz")):
        path.unlink()
    extended(tmp_path)
    assert numbers(tmp_path) == fresh


def test_what_a_trimmed_block_says_of_its_work_is_its_share(tmp_path):
    make_blocks(make_experiment(replicas=14), tmp_path)
    directory = RunDirectory(tmp_path)
    old = {cell.cell: directory.read_block(cell.blocks[-1], cell.lanes) for cell in directory.read_layout()}
    extend(make_experiment(replicas=24), directory, print)
    for cell in directory.read_layout():
        (block,) = [block for block in cell.blocks if block.replicas == range(8, 12)]
        result, header = directory.read_block(block, cell.lanes)
        assert header.replica_steps == 4 * (20, 40, 80)[cell.cell]
        assert result.wall_seconds == pytest.approx(old[cell.cell][0].wall_seconds * 4 / 6)
    assert [cell.replicas_done for cell in StatusReader(directory).read().cells] == [12, 12, 12]


def narrow_below(monkeypatch, replicas):
    """Fewer replicas than these are simulated in tiles of two."""

    def bind(self, problem, of, final):
        lanes = 2 if of < replicas and problem.d != 40 else 4
        return WalkKernel(dt=jnp.asarray(problem.dt), noise=jnp.asarray(problem.noise), lanes=lanes)

    monkeypatch.setattr(Walker, "bind", bind)


@pytest.mark.slow
def test_cells_whose_tiles_change_their_width_are_made_anew_and_that_is_said(tmp_path, monkeypatch):
    narrow_below(monkeypatch, 20)
    finish(make_experiment(replicas=24), tmp_path / "fresh")
    folder = tmp_path / "run"
    finish(make_experiment(replicas=8), folder)
    assert [cell.lanes for cell in RunDirectory(folder).read_layout()] == [2, 4, 2]
    old = blocks(folder)
    (said,) = extended(folder)
    assert said == (
        f"{folder}: 2 of 3 cells have tiles of another width with so many replicas;"
        " the 16 replicas that these have are made anew"
    )
    assert numbers(folder) == numbers(tmp_path / "fresh")
    now = blocks(folder)
    assert {name for name in old if now[name] == old[name]} == {"c00001-r0000000-0000008.npz"}
    assert not (folder / "aside").exists()


class Killed(BaseException):
    pass


def mortal(patch, count):
    """Has everything that `extend` changes on disk raise the count-th time, after it was done."""
    left = count

    def dying(function):
        def call(*arguments, **options):
            nonlocal left
            answer = function(*arguments, **options)
            if not str(arguments[0]).endswith((".tmp", f"/{EXTENSION}")):
                left -= 1
            if left == 0:
                raise Killed
            return answer

        return call

    for name in ("write_block", "write_experiment", "write_manifest"):
        patch.setattr(RunDirectory, name, dying(getattr(RunDirectory, name)))
    patch.setattr(Path, "unlink", dying(Path.unlink))


@pytest.mark.slow
@pytest.mark.parametrize("width", ["same", "other"])
@pytest.mark.parametrize("then", ["extend", "run"])
def test_whatever_the_moment_of_a_kill_the_run_can_be_taken_up(tmp_path, monkeypatch, width, then):
    if width == "other":
        narrow_below(monkeypatch, 20)
    finish(two_cells(24), tmp_path / "fresh")
    want = numbers(tmp_path / "fresh")
    finish(two_cells(14), tmp_path / "begun")
    short, count, ways = numbers(tmp_path / "begun"), 0, set()
    while True:
        count += 1
        folder = tmp_path / str(count)
        subprocess.run(["cp", "-rp", tmp_path / "begun", folder], check=True)
        with monkeypatch.context() as patch:
            mortal(patch, count)
            try:
                extend(two_cells(24), RunDirectory(folder), lambda text: None)
            except Killed:
                pass
            else:
                break
        way = take_up(folder, then)
        assert numbers(folder) == (short if way == "old" else want)
        ways.add(way)
    assert count > 6
    assert ways == ({"extend"} if then == "extend" else {"old", "extend", "new"})


def two_cells(replicas):
    return make_experiment(d=(20, 40), replicas=replicas)


def refusal(experiment, folder):
    """Why `run` does not take a folder up; None where it does."""
    try:
        open_run(experiment, folder)
    except ExperimentError as error:
        return str(error)
    return None


def take_up(folder, then):
    """Ends the run with `extend`, or with `run`, which may tell to extend."""
    replicas = 24 if then == "extend" else RunDirectory(folder).read_experiment()["ensemble"]["replicas"]
    way = then if then == "extend" else {24: "new", 14: "old"}[replicas]
    refused = then == "run" and refusal(two_cells(replicas), folder)
    if refused:
        assert refused.endswith(f"finish that first: sgdsim extend {folder} --replicas 24")
        way = "extend"
    if way == "extend":
        extend(two_cells(24), RunDirectory(folder), lambda text: None)
    try:
        finish(two_cells(replicas), folder)
    except SpoiltBlocks:  # of tiles of another width: they were put aside
        finish(two_cells(replicas), folder)
    return way


def test_what_a_kill_left_over_goes_when_the_extension_is_taken_up(tmp_path):
    finish(make_experiment(replicas=14), tmp_path)
    stray = next(tmp_path.glob("blocks/*/c00000-r0000008-0000014.npz"))
    content = stray.read_bytes()
    extended(tmp_path)
    stray.write_bytes(content)
    extended(tmp_path)
    assert not stray.exists()


@pytest.mark.slow
def test_an_extension_that_is_killed_while_it_writes_ends_with_the_same_bits(nursery, tmp_path):
    folder, size = tmp_path / "run", ("--set", "ensemble.block=512")
    nursery.run(folder, *size).succeed()
    nursery.run(tmp_path / "fresh", *size, "--set", "ensemble.replicas=3000").succeed()
    old = blocks(folder)
    command = ("extend", str(folder), "--replicas", "3000", "-q")
    for moment in (1, 2, 3, 4, 5, 7):
        assert nursery.command(folder, *command, die=["sync", moment]).finish() == -signal.SIGKILL
    nursery.command(folder, *command).succeed()
    assert numbers(folder) == numbers(tmp_path / "fresh")
    now = blocks(folder)
    assert len({name for name in old if now.get(name) == old[name]}) == 6
    nursery.command(folder, "verify", str(folder), "--recompute", "2").succeed()


def test_a_spoilt_last_block_is_put_aside_and_made_again(fresh, tmp_path):
    finish(make_experiment(replicas=14), tmp_path)
    spoilt = next(tmp_path.glob("blocks/*/c00001-r0000008-0000014.npz"))
    spoilt.write_bytes(spoilt.read_bytes()[:-9])
    (said,) = extended(tmp_path)
    assert said.startswith(f"{spoilt}: is damaged")
    assert numbers(tmp_path) == fresh


@given(
    replicas=st.integers(1, 400),
    more=st.integers(1, 400),
    lanes=st.sampled_from([1, 4, 16, 64]),
    operations=st.sampled_from([1.0, 1e8, 1e12]),
    block=st.none() | st.integers(1, 200),
    times=st.integers(1, 3),
)
def test_every_tile_is_laid_out_once_and_the_blocks_of_full_tiles_keep_their_names(
    replicas, more, lanes, operations, block, times
):
    layout = CellLayout(0, {}, replicas, lanes, cut_tiles(range(-(-replicas // lanes)), lanes, operations, block))
    for _ in range(times):
        total = layout.replicas + more
        tiles = -(-total // lanes)
        new = replace(layout, replicas=total, cuts=grown(layout, tiles, operations, block))
        assert [replica for part in new.blocks for replica in part.replicas] == list(range(total))
        assert [tile for part in new.blocks for tile in part.tiles] == list(range(tiles))
        assert all(len(part.tiles) > 0 for part in new.blocks)
        full = layout.replicas // lanes
        kept = {part.name for part in layout.blocks if part.tiles.stop <= full and part.replicas.stop <= full * lanes}
        assert kept <= {part.name for part in new.blocks}
        layout = new


def test_fewer_replicas_are_refused(tmp_path):
    make_blocks(make_experiment(replicas=8, d=(20,)), tmp_path)
    check_extension(RunDirectory(tmp_path), 8)
    with pytest.raises(ArgumentError, match=rf"`replicas` must be > 8, which {tmp_path} has, but got 7"):
        check_extension(RunDirectory(tmp_path), 7)


def test_theory_alone_has_no_replicas_to_extend(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.make()
    begin(directory, {"title": "a"}, [CellLayout(0, {}, 0, 1, [0, 1])])
    with pytest.raises(ExperimentError, match="holds theory alone"):
        check_extension(directory, 8)


def sign_of(directory, worker, beat=1):
    write_text(directory.watch.folder / f"{worker.name}.json", json.dumps(vars(Sign(worker.name, beat=beat))))


def test_a_run_that_somebody_works_on_is_refused_and_nothing_changes(tmp_path):
    make_blocks(make_experiment(replicas=8, d=(20,)), tmp_path)
    directory = RunDirectory(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.glob("**/*.*") if path.is_file()}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        sign_of(directory, Worker(HOST, PLACE, other.pid, start_of(other.pid)))
        with pytest.raises(ExperimentError, match=rf"process {other.pid} of {HOST} is at work here; stop it, or wait"):
            extend(make_experiment(replicas=16, d=(20,)), directory, print)
        other.communicate(b"\n")
    extend(make_experiment(replicas=16, d=(20,)), directory, print)
    assert directory.read_experiment()["ensemble"]["replicas"] == 16
    assert any(path.read_bytes() != content for path, content in before.items())


@pytest.mark.parametrize("lives", [True, False])
def test_a_process_of_another_host_is_watched_until_it_is_certain(tmp_path, monkeypatch, lives):
    make_blocks(make_experiment(replicas=8, d=(20,)), tmp_path)
    directory, far, said = RunDirectory(tmp_path), Worker("far", PLACE, 7, 8), []
    monkeypatch.setattr(presence, "SILENT_SECONDS", 60.0 if lives else 0.3)
    monkeypatch.setattr("sgdsim.run.idle.LOOK_SECONDS", 0.01)
    sign_of(directory, far)
    if lives:
        threading.Timer(0.2, sign_of, (directory, far, 2)).start()
        with pytest.raises(ExperimentError, match=r"process 7 of far is at work here; .* and then try it"):
            check_idle(directory, "try it", said.append)
    else:
        check_idle(directory, "try it", said.append)
    assert said == [f"Waiting for a sign of life from {far.name}, a minute at most."]


def test_of_several_that_extend_at_once_one_lays_out_and_the_others_wait(tmp_path, monkeypatch):
    make_blocks(make_experiment(replicas=8, d=(20,)), tmp_path)
    directory, more = RunDirectory(tmp_path), make_experiment(replicas=16, d=(20,))
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (directory.claims.folder / EXTENSION).symlink_to(Worker(HOST, PLACE, other.pid, start_of(other.pid)).name)
        waiting = threading.Thread(target=extend, args=(more, directory, print))
        waiting.start()
        time.sleep(0.3)
        assert directory.read_experiment()["ensemble"]["replicas"] == 8
        other.communicate(b"\n")
    waiting.join()
    assert directory.read_layout()[0].replicas == 16
    assert not list(directory.claims.folder.iterdir())
