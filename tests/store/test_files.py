"""Files that are whole or absent."""

import errno
import os
import subprocess
import time
from pathlib import Path

import pytest

from sgdsim.store import files
from sgdsim.store.files import atomic, create_text, remove_stale, write_text
from sgdsim.store.worker import HOST


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
    remove_stale(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert not any(path.exists() for path in abandoned)


def test_of_two_that_create_a_file_at_once_one_does(tmp_path, monkeypatch):
    target, link = tmp_path / "a.txt", Path.hardlink_to

    def too_late(self, temporary):
        target.write_text("another's")
        link(self, temporary)

    monkeypatch.setattr(Path, "hardlink_to", too_late)
    assert not create_text(target, "mine")
    assert target.read_text() == "another's"
    monkeypatch.undo()
    assert create_text(tmp_path / "b.txt", "mine")
    assert not create_text(tmp_path / "b.txt", "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]
    assert (tmp_path / "b.txt").read_text() == "mine"


def test_a_file_is_created_without_hard_links_too(tmp_path, monkeypatch):
    def no_links(self, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    assert create_text(tmp_path / "a.txt", "first")
    assert not create_text(tmp_path / "a.txt", "second")
    assert (tmp_path / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_age_of_a_file_is_told_by_the_clock_that_stamped_it(tmp_path, monkeypatch):
    """A machine whose clock is a week ahead of the file server's must not sweep what is being written."""
    path = tmp_path / ".a.npz.elsewhere.17.tmp"
    path.write_text("x")
    monkeypatch.setattr(time, "time", lambda: path.stat().st_mtime + 7 * files.STALE_SECONDS)
    remove_stale(tmp_path)
    assert path.exists()
