"""Several processes in one folder: they share the work, or refuse, and never spoil it."""

import json
import signal

import pytest

from tests.processes import BLOCKS, blocks, made, numbers

pytestmark = pytest.mark.slow


def test_three_processes_share_the_blocks_of_one_folder(nursery, undisturbed, tmp_path):
    folder = tmp_path / "run"
    processes = [nursery.run(folder) for _ in range(3)]
    for process in processes:
        process.succeed()
    assert sorted(made(folder)) == sorted(blocks(folder))
    assert len(blocks(folder)) == BLOCKS
    assert numbers(folder) == undisturbed
    logs = list(folder.glob("logs/*.jsonl"))
    assert len(logs) == 3
    assert sum('"event": "block"' in path.read_text() for path in logs) > 1
    assert not list((folder / "live").rglob("*.*"))


def test_what_a_killed_process_had_in_hand_is_made_by_the_other(nursery, undisturbed, tmp_path):
    folder = tmp_path / "run"
    victim = nursery.run(folder).wait_for(lambda: list((folder / "live" / "claims").glob("c*")))
    other = nursery.run(folder)
    other.wait_for_blocks(2)
    victim.signal(signal.SIGKILL)
    assert victim.finish() == -signal.SIGKILL
    other.succeed()
    assert numbers(folder) == undisturbed
    assert len(blocks(folder)) == BLOCKS


def test_of_two_experiments_that_begin_in_one_folder_at_once_one_is_refused(nursery, undisturbed, tmp_path):
    folder = tmp_path / "run"
    processes = [nursery.run(folder), nursery.run(folder, "--set", "ensemble.seed=1")]
    codes = [process.finish() for process in processes]
    assert sorted(codes) == [0, 2]
    refused = processes[codes.index(2)]
    assert "holds a different experiment (differing: ensemble.seed)" in refused.said()
    assert len(made(folder)) == BLOCKS
    assert (numbers(folder) == undisturbed) == (codes[0] == 0)


def test_parts_of_an_array_make_the_whole(nursery, undisturbed, tmp_path):
    folder = tmp_path / "run"
    parts = [nursery.run(folder, "--shard", f"{index}/3") for index in (1, 2, 3)]
    for part in parts:
        part.succeed()
    assert numbers(folder) == undisturbed
    assert sorted(made(folder)) == sorted(blocks(folder))
    waited = [part for part in parts if "The last part to end writes the results" in part.said()]
    assert len(waited) < 3


def test_a_folder_is_taken_up_by_its_name_with_spaces_and_letters_of_all_kinds(nursery, undisturbed, tmp_path):
    folder = tmp_path / "größere Läufe 模拟" / "run 'a' \"b\" $HOME; #1"
    stopped = nursery.run(folder).wait_for_blocks(2)
    stopped.signal(signal.SIGTERM)
    assert stopped.finish() == 75
    nursery.command(folder, "run", str(folder)).succeed()
    assert numbers(folder) == undisturbed
    assert json.loads((folder / "summary.json").read_text())["experiment"] == "experiment"
    assert sorted(made(folder)) == sorted(blocks(folder))
