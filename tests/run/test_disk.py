"""Disks that are full, read-only, or crowded: a clear message, nothing lost, and on again after the repair."""

import os
import signal
import subprocess

import pytest

from sgdsim.run.opened import open_run
from sgdsim.store.origin import origin_here
from tests.helpers import make_blocks
from tests.processes import BLOCKS, blocks, made, numbers
from tests.toy import make_experiment

pytestmark = pytest.mark.slow


def mount(place, *options):
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(place)], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture
def disk(tmp_path):
    """The folder of a run on a disk of its own, of a few hundred kilobytes."""
    place = tmp_path / "run"
    place.mkdir()
    if os.getuid() != 0 or not mount(place, "-o", "size=500k"):
        pytest.skip("mounting a disk takes root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fail(process, reason):
    """The message of a run that could not write, once it is certain that it is no traceback and says how to go on."""
    assert process.finish() == 1
    said = process.said()
    assert "Traceback" not in said
    assert reason in said, said
    kept = blocks(process.folder)
    last = said.splitlines()[-1]
    assert last.startswith(f"Stopped with {len(kept)} of {BLOCKS} blocks on disk. To go on: sgdsim run ")
    return kept


@pytest.mark.parametrize(("others", "when"), [(440, "simulating"), (340, "merging")])
def test_a_full_disk(nursery, undisturbed, disk, others, when):
    (disk / ".other data").write_bytes(bytes(others * 1024))
    kept = fail(nursery.run(disk), "No space left on device")
    assert len(kept) > 0
    assert (len(kept) == BLOCKS) == (when == "merging")
    assert not list(disk.glob("blocks/*/.*"))
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
    nursery.run(disk).succeed()
    assert {name: blocks(disk)[name] for name in kept} == kept
    assert numbers(disk) == undisturbed
    assert len(blocks(disk)) == BLOCKS


def test_a_folder_made_read_only_in_the_middle(nursery, undisturbed, disk):
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
    running = nursery.run(disk).wait_for_blocks(2)
    # Not in the very moment in which a file is open.
    running.wait_for(lambda: subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=False).returncode == 0)
    kept = fail(running, "Read-only file system")
    assert 2 <= len(kept) < BLOCKS
    refused = nursery.command(disk, "run", str(disk))
    assert refused.finish() == 2
    assert f"{disk}: cannot write a run here (Read-only file system)" in refused.said()
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    nursery.run(disk).succeed()
    assert {name: blocks(disk)[name] for name in kept} == kept
    assert numbers(disk) == undisturbed
    assert set(made(disk)) == set(blocks(disk))


def test_files_that_may_not_grow(nursery, undisturbed, tmp_path):
    """The same without root: a limit on the size of files that a block exceeds, in a run that was begun."""
    folder = tmp_path / "run"
    killed = nursery.run(folder).wait_for_blocks(1)
    killed.signal(signal.SIGKILL)
    killed.finish()
    kept = blocks(folder)
    assert fail(nursery.run(folder, largest=3000), "File too large") == kept
    nursery.run(folder).succeed()
    assert numbers(folder) == undisturbed


def test_a_hundred_thousand_blocks_in_one_folder(tmp_path):
    """Cuts, listings and folders of so many; as files only some of them are there."""
    sweep = open_run(make_experiment(d=(20,), replicas=400_000, block=4), tmp_path)
    assert len(sweep.blocks) == 100_000
    one = make_blocks(make_experiment(d=(20,), replicas=4, block=4), tmp_path / "one")
    stored, _ = one.directory.read_block(one.blocks[0], 4)
    for block in sweep.blocks[::500]:
        sweep.directory.write_block(block, stored, origin_here(sweep.code))
    assert len(sweep.missing) == 99_800
    assert len(sweep.directory.on_disk()) == 200
    folders = [len(list(path.iterdir())) for path in (tmp_path / "blocks").iterdir() if path.is_dir()]
    assert max(folders) < 8
