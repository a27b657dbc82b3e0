"""The end of a job as a time limit: counted by hand on clocks that stand still."""

import subprocess
import sys

import pytest

from sgdsim.cli import deadline as deadlines
from sgdsim.cli.deadline import END, deadline
from tests.processes import ROOT

NOW, CLOCK = 1_800_000_000.25, 5000.5
"""What the host's clock and time.monotonic show."""


@pytest.fixture(autouse=True)
def clocks(monkeypatch):
    monkeypatch.setattr(deadlines.time, "time", lambda: NOW)
    monkeypatch.setattr(deadlines.time, "monotonic", lambda: CLOCK)


@pytest.mark.parametrize(
    ("text", "end", "left"),
    [
        ("90m", None, 5400),
        ("90m", "1800000010", 5400),
        ("auto", "1800003600", 3600 - 0.25 - 120),
        ("auto-10m", "1800003600", 3600 - 0.25 - 600),
        ("auto-0:00:01", "1800000002", 2 - 0.25 - 1),
    ],
)
def test_so_much_time_is_left(monkeypatch, text, end, left):
    monkeypatch.delenv(END, raising=False)
    if end is not None:
        monkeypatch.setenv(END, end)
    assert deadline(text) == CLOCK + left


@pytest.mark.parametrize(
    ("text", "end", "said"),
    [
        ("auto", None, "which is not set here: give a length of time such as 3h30m"),
        ("auto", "", "which is '' here: give a length"),
        ("auto", "Unknown", "which is 'Unknown' here: give a length"),
        ("auto", "-1", "which is '-1' here"),
        ("auto", "9" * 400, f"which is '{'9' * 40}' here"),
        (
            "auto",
            "1800000120",
            "the job ends in 2 min 0 s, and auto keeps 2 min 0 s of it; give the job a longer limit",
        ),
        ("auto-1s", "1799999999", "the job should have ended already, and auto keeps 1 s of it"),
        ("auto-", "1800003600", "must be a length of time such as 3h30m"),
        ("auto-0s", "1800003600", "must be a length of time such as 3h30m"),
        ("automatic", "1800003600", "must be a length of time such as 3h30m"),
    ],
)
def test_a_limit_that_cannot_be_is_refused(monkeypatch, text, end, said):
    monkeypatch.delenv(END, raising=False)
    if end is not None:
        monkeypatch.setenv(END, end)
    with pytest.raises(ValueError, match=r"^(can be auto only|leaves no time|must be)") as refused:
        deadline(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("command", [("run", "none.toml"), ("extend", ".", "--replicas", "9")])
def test_the_commands_refuse_it_before_anything_else(tmp_path, monkeypatch, command):
    monkeypatch.delenv(END, raising=False)
    python = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); import sgdsim.cli as c; c.main()"]
    done = subprocess.run([*python, *command, "--max-time", "auto"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"only where {END} says" in " ".join(done.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir())
