"""Real processes: killed, interrupted, on other devices and in other batches, a run gives bitwise the same numbers."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from sgdsim.store.worker import HOST, PLACE
from tests.processes import BLOCKS, EXPERIMENT, ROOT, blocks, made, numbers

pytestmark = pytest.mark.slow
KILLS = 20


def status(folder):
    return json.loads((folder / "provenance.json").read_text())["status"]


def test_kill_in_the_middle_and_resume(nursery, undisturbed, tmp_path):
    folder = tmp_path / "run"
    killed = nursery.run(folder).wait_for_blocks(3)
    killed.signal(signal.SIGKILL)
    assert killed.finish() == -signal.SIGKILL
    kept = blocks(folder)
    assert 3 <= len(kept) < BLOCKS
    assert not (folder / "results.nc").exists()
    torn = next(folder.glob("blocks/*/")) / f".c00001-r0000000-0000256.npz.{HOST}.{PLACE}.{killed.pid}.0a1b2c3d.tmp"
    torn.write_bytes(b"PK")  # as it would be, had the signal come while a block was written

    nursery.run(folder).succeed()
    there = blocks(folder)
    assert len(there) == BLOCKS
    assert {name: there[name] for name in kept} == kept
    assert not list(folder.rglob("*.tmp"))
    assert not list((folder / "live").rglob("*.*"))
    assert numbers(folder) == undisturbed
    provenance = json.loads((folder / "provenance.json").read_text())
    assert [session["status"] for session in provenance["earlier_sessions"]] == ["running"]
    assert provenance["status"] == "finished"


def test_twenty_kills_at_random_moments_and_in_the_middle_of_writing(nursery, undisturbed, tmp_path):
    """Every second process is killed by its own hand while it writes, the others from outside, at any time."""
    chance = random.Random(5)
    folder = tmp_path / "run"
    seen = {}
    for kill in range(KILLS):
        if kill % 2:
            process = nursery.run(folder, die=[chance.choice(["sync", "save"]), chance.randint(1, 4)])
        else:
            process = nursery.run(folder)
            time.sleep(chance.uniform(0.2, 1.5))
            process.signal(signal.SIGKILL)
        # A run that is almost done may have no fourth block left to die of.
        assert process.finish() in (-signal.SIGKILL, 0), process.said()
        there = blocks(folder)
        assert {name: there[name] for name in seen} == seen
        seen = there
    nursery.run(folder).succeed()
    assert numbers(folder) == undisturbed
    assert not list(folder.rglob("*.tmp"))
    assert len(set(made(folder))) >= BLOCKS - KILLS // 2  # a kill between block and log line loses the line only


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75), (signal.SIGUSR1, 75)])
def test_a_signal_finishes_the_block_in_hand_and_says_how_to_go_on(nursery, undisturbed, tmp_path, number, code):
    folder = tmp_path / "run"
    stopped = nursery.run(folder).wait_for_blocks(2)
    stopped.signal(number)
    assert stopped.finish() == code
    kept, said = blocks(folder), stopped.said()
    assert 2 <= len(kept) < BLOCKS
    assert "Finishing the blocks in hand" in said
    command = f"sgdsim run {folder.parent / 'experiment.toml'} -o {folder}"
    assert said.splitlines()[-1] == f"Stopped with {len(kept)} of {BLOCKS} blocks on disk. To go on: {command}"
    assert "Traceback" not in said
    assert status(folder) == "interrupted"
    assert not (folder / "results.nc").exists()
    if number == signal.SIGTERM:
        nursery.run(folder).succeed()
        assert {name: blocks(folder)[name] for name in kept} == kept
        assert numbers(folder) == undisturbed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_second_signal_stops_at_once(nursery, tmp_path, number, code):
    folder = tmp_path / "run"
    stopped = nursery.run(folder, "--set", "grid.d=[1_000_000_000]")  # a block would take hours
    stopped.wait_for(lambda: list((folder / "live" / "claims").glob("c*")))
    stopped.signal(number)
    stopped.wait_for(lambda: "Finishing the blocks in hand" in stopped.said())
    stopped.signal(number)
    assert stopped.finish() == code
    assert "Traceback" not in stopped.said()
    assert not blocks(folder)
    assert not list((folder / "live").rglob("*.*"))
    assert status(folder) == "stopped"


def test_a_time_limit_stops_before_a_block_that_would_take_longer(nursery, tmp_path):
    folder = tmp_path / "run"
    began = time.monotonic()
    stopped = nursery.run(folder, "--max-time", "1m", "--set", "grid.d=[3000, 1_000_000_000]")
    assert stopped.finish() == 75
    assert time.monotonic() - began < 50
    assert len(blocks(folder)) == len(made(folder)) == BLOCKS // 2
    assert status(folder) == "interrupted"


def test_a_time_limit_that_no_block_fits_into_is_no_matter_of_trying_again(nursery, tmp_path):
    """Of a block that had begun: on a busy machine that takes longer, and the limit is a longer one."""
    for seconds in (2, 8, 32):
        folder = tmp_path / f"run-{seconds}"
        stopped = nursery.run(folder, "--max-time", f"{seconds}s", "--set", "grid.d=[1_000_000_000]")
        code = stopped.finish()
        if code == 1:
            break
    assert code == 1
    assert "No block was finished within the time limit" in stopped.said()


@pytest.mark.parametrize(("devices", "key", "value"), [(4, "batch", 1), (4, "block", 2000)])
def test_devices_batches_and_blocks_change_no_number(undisturbed, tmp_path, devices, key, value):
    (tmp_path / "experiment.toml").write_text(EXPERIMENT)
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)}
    options = ["-o", str(tmp_path / "run"), "--set", f"ensemble.{key}={value}"]
    command = [sys.executable, "-m", "sgdsim.cli", "run", str(tmp_path / "experiment.toml"), *options]
    subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True)
    assert numbers(tmp_path / "run") == undisturbed
