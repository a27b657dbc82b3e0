"""The record of where and when a run was made."""

import json
import subprocess

from sgdsim.experiment.experiment import load_experiment
from sgdsim.run.provenance import begin_session, end_session, git_commit
from sgdsim.run.versions import PACKAGES, versions
from sgdsim.store.directory import RunDirectory
from tests.experiment.bad_configs import GOOD
from tests.extending.guests import install
from tests.toy import make_experiment

LEAST_SQUARES = """
system = "least_squares"

[problem]
gamma = 0.5

[grid]
d = [5, 10, 20]

[start]

[times]
final = 1.0
count = 2

[ensemble]
replicas = 16

[fits.agreement]
law = "factor"
quantity = "excess_risk"
against = "d"
within = 0.5

[report]
figures = []
"""


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
        begin_session(run, make_experiment(seed=5), command)
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


def load(folder, text):
    path = folder / "experiment.toml"
    path.write_text(text)
    return load_experiment(path)


def test_packages_that_bring_a_system_a_figure_or_a_law_are_told_where_these_are_used(monkeypatch, tmp_path):
    ours = {"python", "sgdsim", *PACKAGES}
    assert set(versions(load(tmp_path, GOOD))) == ours
    system = {"sgdsim.systems": {"least_squares": "least_squares:SYSTEM", "committee": "least_squares:SYSTEM"}}
    install(monkeypatch, tmp_path / "one", system, "guest_system")
    install(monkeypatch, tmp_path / "two", {"sgdsim.figures": {"guest": "x:F", "scaling": "x:F"}}, "guest_figures")
    install(monkeypatch, tmp_path / "three", {"sgdsim.laws": {"factor": "factor:LAW", "power": "x:L"}}, "guest_laws")
    # What is ours is not replaced, and so not brought by them.
    assert set(versions(load(tmp_path, GOOD))) == ours
    drawn = GOOD.replace('"scaling"', '"scaling", "guest"')
    assert "guest" in drawn
    found = versions(load(tmp_path, drawn))
    assert (set(found) - ours, found["guest_figures"]) == ({"guest_figures"}, "1.0")
    assert set(versions(load(tmp_path, LEAST_SQUARES))) - ours == {"guest_system", "guest_laws"}
