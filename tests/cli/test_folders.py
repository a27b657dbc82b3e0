"""The commands about folders of runs, as a user gives them."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sgdsim import cli
from sgdsim.cli import status as module
from sgdsim.store.blocks import CellLayout
from sgdsim.store.directory import RunDirectory, Unwritable
from sgdsim.store.files import write_text
from sgdsim.store.log import BLOCK
from sgdsim.store.presence import Sign
from sgdsim.store.worker import HOST, PLACE, Worker, start_of, this_worker
from tests.helpers import ORIGIN, begin, lay_out
from tests.processes import EXPERIMENT, blocks, numbers

ROOT = Path(__file__).parents[2]
SMALL = EXPERIMENT.replace("d = [30_000, 60_000]", "d = [50, 100]").replace("replicas = 2000", "replicas = 300")
ALONE = SMALL.replace('kind = "none"', 'kind = "exact"').replace("[ensemble]\nreplicas = 300\nblock = 256\n", "")
ALONE += '\n[simulator]\nkind = "none"\n'


def sgdsim(*arguments, code=0):
    done = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def run(folder, *options, text=SMALL):
    folder.parent.mkdir(exist_ok=True)
    config = folder.with_name("experiment.toml")
    config.write_text(text)
    sgdsim("run", config, "-o", folder, "-q", *options)
    return RunDirectory(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of two cells with 300 replicas each, in blocks of 256 and 44."""
    return run(tmp_path_factory.mktemp("folders") / "run").path


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of it under a name that is not easy."""
    return shutil.copytree(finished, tmp_path / "größere Läufe 模拟")


@pytest.fixture(scope="module")
def seven_hundred(tmp_path_factory):
    """A run of 700 replicas, from the beginning."""
    return run(tmp_path_factory.mktemp("seven hundred") / "run", "--set", "ensemble.replicas=700").path


def test_status_of_a_finished_run(finished):
    lines = sgdsim("status", finished).stdout.splitlines()
    assert lines[0] == "Sixteen blocks of about a tenth of a second"
    assert [line.split() for line in lines[1:4]] == [
        ["cell", "d", "blocks", "replicas", "diverged", "state"],
        ["0", "50", "2/2", "300/300", "0", "done"],
        ["1", "100", "2/2", "300/300", "0", "done"],
    ]
    assert lines[4] == "4 of 4 blocks, 0 running, 0 replicas diverged"
    assert re.fullmatch(r"[\d.]+ kB on disk; results written", lines[5])


def disturb(folder):
    """One block in hand, one missing, one cell failed."""
    directory = RunDirectory(folder)
    (_, first), (_, second) = (cell.blocks for cell in directory.read_layout())
    for block in (first, second):
        directory.path_of(block).unlink()
    directory.claims.take(first.name)
    sign = Sign(this_worker().name, 1, first.name, work=200, done=50, seconds=75.0, rate=1234.5)
    write_text(directory.watch.folder / f"{sign.worker}.json", json.dumps(vars(sign)))
    far = Worker("far", PLACE, 7, 8)
    path = directory.watch.folder / f"{far.name}.json"
    write_text(path, json.dumps(vars(Sign(far.name))))
    os.utime(path, (time.time() - 7200,) * 2)
    directory.failures.record(1, "experiment.toml: cell 1 (d=100): ValueError: no such d")
    return first


def test_status_of_a_run_that_is_worked_on(copy):
    block = disturb(copy)
    lines = sgdsim("status", copy).stdout.splitlines()
    assert [line.split() for line in lines[2:4]] == [
        ["0", "50", "1/2", "256/300", "0", "1", "running"],
        ["1", "100", "1/2", "256/300", "0", "failed"],
    ]
    worker = this_worker()
    assert re.split(r"\s{2,}", lines[4].strip()) == ["at work", "process", "block", "done", "for", "rate"]
    assert sorted(re.split(r"\s{2,}", line.strip()) for line in lines[5:7]) == sorted(
        [
            [HOST, str(worker.pid), block.name, "25%", "1 min 15 s", "1.23e+03 steps/s"],
            ["far", "7", "none", "no sign for 2 h 0 min"],
        ]
    )
    assert lines[7] == "failed: experiment.toml: cell 1 (d=100): ValueError: no such d"
    counts = r"2 of 4 blocks, 1 running, 1 cell failed, 0 replicas diverged, 1.23e\+03 steps/s, about .* left"
    assert re.fullmatch(counts, lines[8])
    assert lines[9].endswith("results written before, of fewer blocks")


def many_cells(folder, count):
    """A run without numbers: of all cells but the last 60 the only block is on disk."""
    directory = RunDirectory(folder)
    layout = [CellLayout(cell, {"d": cell}, 8, 4, [0, 2]) for cell in range(count)]
    begin(directory, {"title": "Many", "grid": {"d": list(range(count))}}, layout)
    lines = []
    for block in (cell.blocks[0] for cell in layout[: count - 60]):
        path = directory.path_of(block)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        facts = {"event": BLOCK, "at": "now", "block": block.name, "seconds": 1.0, "replicas": 8, "diverged": 1}
        lines.append(json.dumps(facts | {"origin": ORIGIN.model_dump()}))
    (directory.log.folder / "far.7.8.jsonl").write_text("\n".join(lines))
    return directory


def test_of_many_cells_those_are_shown_that_a_reader_looks_for(tmp_path):
    directory = many_cells(tmp_path, 300)
    directory.failures.record(299, "no such d")
    directory.claims.take("c00290-r0000000-0000008.npz")
    lines = sgdsim("status", tmp_path).stdout.splitlines()
    rows = [line.split() for line in lines[2:42]]
    assert [row[0] for row in rows] == [*map(str, range(240, 278)), "290", "299"]
    assert (rows[-2][-2:], rows[-1][-1]) == (["1", "running"], "failed")
    assert lines[42] == "... and 260 more cells: 240 done, 20 not begun"
    assert lines[44] == "240 of 300 blocks, 1 running, 1 cell failed, 240 replicas diverged, nobody is at work"


def test_of_many_cells_that_are_done_none_is_shown(tmp_path):
    directory = many_cells(tmp_path, 200)
    lay_out(directory, directory.read_layout()[:140])
    lines = sgdsim("status", tmp_path).stdout.splitlines()
    assert lines[:3] == ["Many", "140 cells: 140 done", "140 of 140 blocks, 0 running, 140 replicas diverged"]


@pytest.mark.slow
def test_status_of_ten_thousand_blocks_is_fast_and_imports_nothing_slow(tmp_path):
    many_cells(tmp_path, 10**4)
    code = "import sys; from sgdsim.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"

    def processor():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = processor()
    command = [sys.executable, "-c", code, "status", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    used, began = processor() - before, time.process_time()
    sum(number for number in range(10**7))
    # 10^7 steps of Python, 0.3 to 0.6 s on machines of one kind: it takes four of them where little else goes on.
    assert used < 8 * (time.process_time() - began)
    assert not {"jax", "xarray", "scipy", "matplotlib", "sgdsim.experiment.schema"} & set(done.stderr.split())


def test_watch_looks_again_until_the_run_is_over(copy, monkeypatch):
    directory = RunDirectory(copy)
    block = directory.read_layout()[0].blocks[1]
    content = directory.path_of(block).read_bytes()
    directory.path_of(block).unlink()
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            directory.path_of(block).write_bytes(content)

    monkeypatch.setattr(module.time, "sleep", wait)
    shown = sgdsim("status", copy, "--watch").stdout
    assert waits == [module.LINES_SECONDS] * 2
    assert re.findall(r"^\d of 4 blocks", shown, re.MULTILINE) == ["3 of 4 blocks", "3 of 4 blocks", "4 of 4 blocks"]


def test_watch_on_a_terminal_draws_in_place(copy, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    shown = sgdsim("status", copy, "--watch").stdout
    assert "4 of 4 blocks" in shown
    assert "\x1b[?25l" in shown


def test_ctrl_c_ends_a_watch(copy, monkeypatch):
    disturb(copy)

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.time, "sleep", interrupt)
    assert sgdsim("status", copy, "--watch", code=130).stderr == "Stopped.\n"


@pytest.mark.parametrize("command", [["status"], ["verify"], ["extend", "--replicas", "9"]])
def test_a_folder_of_an_older_version_or_none_at_all_is_told(copy, tmp_path, command):
    refused = sgdsim(*command, tmp_path / "nowhere", code=2)
    assert "the folder is not a run, or was damaged" in refused.stderr
    (copy / "blocks" / "index.json").write_text('{"cells": []}')
    refused = sgdsim(*command, copy, code=2)
    assert "was begun by an earlier version of sgdsim" in refused.stderr
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.slow
def test_extend_gives_what_a_fresh_run_gives(copy, seven_hundred):
    old = blocks(copy)
    done = sgdsim("extend", copy, "--replicas", 700)
    assert "1400 replicas, 0 diverged" in done.stdout
    assert done.stdout.splitlines()[-1] == f"report: {copy / 'report.html'}"
    assert "2 cells, 6 blocks, 2 of them on disk" in done.stderr
    assert numbers(copy) == numbers(seven_hundred)
    now = blocks(copy)
    assert {name for name in old if now.get(name) == old[name]} == {
        f"c0000{cell}-r0000000-0000256.npz" for cell in (0, 1)
    }
    assert set(now) == set(blocks(seven_hundred))
    assert "6 of 6 blocks sound, results compared, 0 problems; made again: c0000" in sgdsim("verify", copy).stdout
    assert "To go on" not in sgdsim("extend", copy, "--replicas", 700, "-q").output


@pytest.mark.slow
def test_extend_trims_a_block_that_ends_in_a_part_of_a_tile(tmp_path):
    fresh = run(tmp_path / "fresh" / "run", "--set", "ensemble.block=1024", "--set", "ensemble.replicas=1400")
    more = run(tmp_path / "more" / "run", "--set", "ensemble.block=1024", "--set", "ensemble.replicas=600")
    sgdsim("extend", more.path, "--replicas", 1400, "-q")
    assert numbers(more.path) == numbers(fresh.path)
    assert {name[6:-4] for name in blocks(more.path)} == {"-r0000000-0000512", "-r0000512-0001400"}


@pytest.mark.slow
def test_extend_makes_tiles_of_another_width_anew(tmp_path, seven_hundred):
    less = run(tmp_path / "run", "--set", "ensemble.replicas=200")
    done = sgdsim("extend", less.path, "--replicas", 700)
    what = "2 of 2 cells have tiles of another width with so many replicas"
    assert f"{less.path}: {what}; the 400 replicas that these have are made anew" in done.stderr.splitlines()
    assert numbers(less.path) == numbers(seven_hundred)


def test_extend_refuses_fewer_replicas(copy):
    before = blocks(copy)
    refused = sgdsim("extend", copy, "--replicas", 299, code=2)
    (line,) = refused.stderr.splitlines()
    assert line == f"Argument `replicas` must be > 300, which {copy} has, but got 299. Nothing is ever removed."
    assert blocks(copy) == before


def test_extend_refuses_theory_alone(tmp_path):
    alone = run(tmp_path / "run", text=ALONE)
    refused = sgdsim("extend", alone.path, "--replicas", 8, code=2)
    (line,) = refused.stderr.splitlines()
    assert line == f"{alone.path}: holds theory alone; there are no replicas that could be extended"


def test_a_full_disk_is_a_failure_and_no_bad_input(copy, monkeypatch):
    def full(*_):
        raise Unwritable("blocks: cannot be written (No space left on device)")

    monkeypatch.setattr(RunDirectory, "write_manifest", full)
    failed = sgdsim("extend", copy, "--replicas", 700, code=1)
    assert failed.stderr.splitlines()[-1] == "blocks: cannot be written (No space left on device)"


@pytest.fixture
def halves(finished, tmp_path):
    """The blocks of each cell in a folder of their own."""
    folders = [shutil.copytree(finished, tmp_path / f"half {cell}") for cell in range(2)]
    for cell, folder in enumerate(folders):
        (folder / "results.nc").unlink()
        for path in folder.glob(f"blocks/*/c0000{1 - cell}-*.npz"):
            path.unlink()
    return folders


def test_merge_of_all_parts_ends_in_the_results(finished, halves, tmp_path):
    done = sgdsim("merge", *halves, "-o", tmp_path / "all")
    assert f"4 blocks copied to {tmp_path / 'all'}, there before: 0, missing: 0" in done.stderr.splitlines()
    assert "600 replicas, 0 diverged" in done.stdout
    assert done.stdout.splitlines()[-1] == f"report: {tmp_path / 'all' / 'report.html'}"
    assert numbers(tmp_path / "all") == numbers(finished)
    assert sgdsim("merge", *halves, "-o", tmp_path / "all", "-q").output == ""


def test_merge_of_some_parts_says_how_to_go_on(finished, halves, tmp_path):
    folder = tmp_path / "all"
    (spoilt,) = halves[0].glob("blocks/*/c00000-r0000000-*.npz")
    spoilt.write_bytes(b"")
    lines = sgdsim("merge", halves[0], "-o", folder).stderr.splitlines()
    assert lines[0].startswith(f"{spoilt}: is damaged")
    assert lines[1:] == [
        f"1 block copied to {folder}, there before: 0, missing: 3",
        f"To make those that are missing: sgdsim run {folder}",
    ]
    assert not (folder / "results.nc").exists()
    sgdsim("run", folder, "-q")
    assert numbers(folder) == numbers(finished)


def test_merge_tells_of_many_problems_in_few_lines(finished, copy, tmp_path, monkeypatch):
    monkeypatch.setattr("sgdsim.cli.folders.MOST_PROBLEMS", 1)
    for path in copy.glob("blocks/*/*.npz"):
        path.write_bytes(b"")
    lines = sgdsim("merge", copy, "-o", tmp_path / "all").stderr.splitlines()
    assert lines[1] == "... and 3 more blocks like these"


def test_merge_refuses_another_experiment(finished, tmp_path):
    other = run(tmp_path / "other" / "run", "--set", "ensemble.seed=3", "--set", "grid.d=[50, 200]")
    refused = sgdsim("merge", finished, other.path, "-o", tmp_path / "all", code=2)
    what = f"holds a different experiment than {finished} (differing: grid.d, ensemble.seed)"
    (line,) = refused.stderr.splitlines()
    assert line == f"{other.path}: {what}; only folders of the same experiment can be merged"
    assert not (tmp_path / "all").exists()


def test_verify_finds_nothing_wrong_with_a_sound_run(finished):
    done = sgdsim("verify", finished, "--recompute", 3)
    assert re.fullmatch(
        r"4 of 4 blocks sound, results compared, 0 problems; made again: (c.*\.npz(, )?){3}\n", done.stdout
    )
    assert sgdsim("verify", finished, "--recompute", 0).stdout == "4 of 4 blocks sound, results compared, 0 problems\n"
    assert sgdsim("verify", finished, "-q").output == ""


def test_verify_tells_what_is_wrong_and_run_mends_it(finished, copy):
    (spoilt,) = copy.glob("blocks/*/c00001-r0000256-*.npz")
    spoilt.write_bytes(spoilt.read_bytes()[:-1])
    (stray := copy / "blocks" / "notes.txt").write_text("")
    failed = sgdsim("verify", copy, code=1)
    assert [line.split(": ")[0] for line in failed.stderr.splitlines()] == [str(spoilt), str(stray)]
    assert f"sgdsim run {copy} moves it aside and makes it again" in failed.stderr
    assert failed.stdout.startswith(
        "3 of 4 blocks sound, results not compared, as they are of other blocks, 2 problems; made"
    )
    stray.unlink()
    sgdsim("run", copy, "-q")
    sgdsim("verify", copy, "--recompute", 0)
    assert numbers(copy) == numbers(finished)


def test_a_run_that_somebody_works_on_is_neither_extended_nor_merged_into(finished, copy):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        name = Worker(HOST, PLACE, other.pid, start_of(other.pid)).name
        write_text(copy / "live" / "workers" / f"{name}.json", json.dumps(vars(Sign(name))))
        for command in (["extend", copy, "--replicas", 700], ["merge", finished, "-o", copy]):
            refused = sgdsim(*command, code=2)
            assert f"{copy}: process {other.pid} of {HOST} is at work here; stop it, or wait" in refused.stderr
        other.communicate(b"\n")
