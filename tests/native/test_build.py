"""A compiler that is missing, broken or killed: a library is whole or not there, and one line tells the reason."""

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sgdsim.native import build
from sgdsim.native.build import BuildError, find_compiler, make_library

ROOT = Path(__file__).parents[2]
HELLO = 'extern "C" int answer() { return 42; }\n'

pytestmark = pytest.mark.skipif(find_compiler() is None, reason="there is no C++ compiler")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder for libraries."""
    monkeypatch.setattr(build, "_folder", lambda: tmp_path)
    return tmp_path


def false_compiler(path: Path, does: str) -> Path:
    """A compiler that says of itself what the true one does, and then does something else."""
    true = find_compiler()
    assert true is not None
    path.write_text(f'#!/bin/sh\ncase "$*" in *-dM*) exec {true.command[0]} "$@";; esac\n{does}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_library_is_made_once_and_kept(cache):
    compiler = find_compiler()
    path, library = make_library(compiler, HELLO)
    assert library.answer() == 42
    assert [entry.name for entry in cache.iterdir()] == [path.name]
    made = path.stat().st_mtime_ns
    assert make_library(compiler, HELLO)[0].stat().st_mtime_ns == made
    assert make_library(compiler, HELLO + "\n")[0] != path
    assert make_library(compiler, HELLO, "-ffinite-math-only")[0] != path


def test_the_compiler_that_is_named_is_taken(tmp_path, monkeypatch):
    mine = false_compiler(tmp_path / "mine", "exit 1")
    monkeypatch.setenv("CXX", f"{mine} -m64")
    assert find_compiler().command == (str(mine), "-m64")


@pytest.mark.parametrize("named", ["nothing-of-this-name", "false", "echo"])
def test_what_is_no_compiler_is_not_taken(monkeypatch, named):
    monkeypatch.setenv("CXX", named)
    assert find_compiler() is None


def test_without_a_compiler_on_the_path_there_is_none(tmp_path, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler() is None


def test_what_the_compiler_says_is_told_in_one_line(cache):
    with pytest.raises(BuildError, match=r"^an error of .*: <stdin>:1:.*error") as told:
        make_library(find_compiler(), "this is no C++")
    assert "\n" not in str(told.value)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(("does", "words"), [("exit 3", "it said nothing"), ("exit 0", "it said nothing")])
def test_a_compiler_that_makes_nothing_is_told(cache, tmp_path_factory, monkeypatch, does, words):
    monkeypatch.setenv("CXX", str(false_compiler(tmp_path_factory.mktemp("bin") / "broken", does)))
    with pytest.raises(BuildError, match=words):
        make_library(find_compiler(), HELLO)
    assert list(cache.iterdir()) == []


def test_a_library_that_cannot_be_loaded_is_told(cache, tmp_path_factory, monkeypatch):
    does = 'while [ "$1" != -o ]; do shift; done; echo nonsense > "$2"'
    monkeypatch.setenv("CXX", str(false_compiler(tmp_path_factory.mktemp("bin") / "wrong", does)))
    with pytest.raises(BuildError, match="an error of the system"):
        make_library(find_compiler(), HELLO)


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(build, "_cache", lambda: tmp_path / "file")
    with pytest.raises(BuildError, match="an error of the system"):
        make_library(find_compiler(), HELLO)


def test_one_killed_while_it_compiles_leaves_nothing_that_another_would_take(tmp_path):
    """The compiler has written half of a library when both are killed; the next process makes it whole."""
    slow = false_compiler(tmp_path / "slow", 'while [ "$1" != -o ]; do shift; done; echo half > "$2"; exec sleep 60')
    code = f"from sgdsim.native.build import *; make_library(find_compiler(), {HELLO!r})"
    cache = tmp_path / "cache"
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment | {"CXX": str(slow)}, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 60
        while not list(cache.glob("native/*/*.so")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, 9)
        process.wait()
    assert list(cache.glob("native/*.so")) == []
    environment.pop("CXX", None)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    (library,) = cache.glob("native/*.so")
    assert library.stat().st_size > 1000
    shutil.rmtree(cache)


@pytest.mark.slow
def test_two_at_once_make_one_library(tmp_path):
    code = f"from sgdsim.native.build import *; print(make_library(find_compiler(), {HELLO!r})[1].answer())"
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in both] == ["42", "42"]
    assert len(list(tmp_path.glob("native/*"))) == 1
