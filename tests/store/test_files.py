"""Files that are whole or absent."""

import errno
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from sgdsim.errors import unwritable
from sgdsim.store import files
from sgdsim.store.files import atomic, create_text, remove_stale, write_text
from sgdsim.store.worker import HOST, PLACE


def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def fail():
        with atomic(target) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_temporary_names_hold_the_process_and_what_nobody_can_guess(tmp_path):
    with atomic(tmp_path / "a.txt"), atomic(tmp_path / "a.txt"):
        names = [path.name for path in tmp_path.iterdir()]
    assert len(set(names)) == 2
    pattern = re.escape(f".a.txt.{HOST}.{PLACE}.{os.getpid()}.") + r"[0-9a-f]{8}\.tmp"
    assert all(re.fullmatch(pattern, name) and files.TEMPORARY.match(name) for name in names)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("write", [write_text, create_text])
def test_nothing_is_written_through_a_planted_link(tmp_path, monkeypatch, write):
    """Neither through one with a temporary name that was guessed, nor through one in the place of the file."""
    monkeypatch.setattr("sgdsim.store.files.secrets.token_hex", lambda size: "0" * 8)
    outside = tmp_path / "outside"
    outside.write_text("theirs")
    guessed = tmp_path / f".a.txt.{HOST}.{PLACE}.{os.getpid()}.00000000.tmp"
    guessed.symlink_to(outside)
    with pytest.raises(FileExistsError):
        write(tmp_path / "a.txt", "mine")
    guessed.unlink()
    (tmp_path / "a.txt").symlink_to(outside)
    write(tmp_path / "a.txt", "mine")
    assert outside.read_text() == "theirs"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_read(tmp_path, make):
    """A pipe would be waited for, a device read without an end."""
    make(tmp_path / "a")
    with pytest.raises(OSError, match=r"not a regular file|Is a directory"):
        files.read_bytes(tmp_path / "a")


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000, b'{"a": ' * 100_000])
def test_json_that_is_none_is_one_kind_of_error(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        files.read_json(tmp_path / "a")


def test_only_abandoned_temporary_files_are_swept(tmp_path):
    def make(name, age=0.0):
        path = tmp_path / name
        path.write_text("x")
        os.utime(path, (time.time() - age, time.time() - age))
        return path

    abandoned = [
        make(f".a.npz.{HOST}.{PLACE}.{dead_pid()}.0a1b2c3d.tmp"),
        make(f".a.npz.{HOST}.{PLACE}.{os.getpid()}.0a1b2c3d.tmp"),
        make(".a.npz.elsewhere.01234567.17.0a1b2c3d.tmp", age=2 * files.STALE_SECONDS),
        make(f".a.npz.{HOST}.{PLACE}.{os.getppid()}.0a1b2c3d.tmp", age=2 * files.STALE_SECONDS),
    ]
    kept = [
        make(f".b.npz.{HOST}.{PLACE}.{os.getppid()}.0a1b2c3d.tmp"),
        make(".b.npz.elsewhere.01234567.17.0a1b2c3d.tmp"),
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
    path = tmp_path / ".a.npz.elsewhere.01234567.17.0a1b2c3d.tmp"
    path.write_text("x")
    monkeypatch.setattr(time, "time", lambda: path.stat().st_mtime + 7 * files.STALE_SECONDS)
    remove_stale(tmp_path)
    assert path.exists()


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for write in (write_text, create_text):
        with pytest.raises(OSError, match="No space left") as caught:
            write(tmp_path / "a.txt", "a")
        assert unwritable(caught.value) == f"{tmp_path / 'a.txt'}: cannot be read or written (No space left on device)"
