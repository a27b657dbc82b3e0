"""The record of where and when a run was made."""

import json
import subprocess

from sgdsim.run.provenance import begin_session, end_session, git_commit
from sgdsim.store.directory import RunDirectory


def git(folder, *arguments):
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_the_commit_of_a_checkout(tmp_path):
    package = tmp_path / "sgdsim"
    package.mkdir()
    (package / "a.py").write_text("a = 1\n")
    assert git_commit(package) is None
    git(tmp_path, "init")
    assert git_commit(package) is None
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    assert git_commit(package) == commit
    (package / "a.py").write_text("a = 2\n")
    assert git_commit(package) == f"{commit}+changes"


def test_without_git_the_commit_is_absent(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", "")
    assert git_commit(tmp_path / "sgdsim") is None


def test_every_session_is_kept(tmp_path):
    run = RunDirectory(tmp_path)
    run.make()
    for command, status in (("first", "interrupted"), ("second", None), ("third", "finished")):
        begin_session(run, "walk", 5, command)
        if status:
            end_session(run, status)
    stored = json.loads(run.provenance.read_text())
    assert (stored["experiment"], stored["seed"]) == ("walk", 5)
    sessions = [*stored["earlier_sessions"], stored]
    assert [(session["command"], session["status"]) for session in sessions] == [
        ("first", "interrupted"),
        ("second", "running"),
        ("third", "finished"),
    ]
    assert sessions[1]["finished"] is None
