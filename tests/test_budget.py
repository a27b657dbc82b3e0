"""Slow tests for a limited time."""

import os
import subprocess
import sys

from tests.budget import DAY, SECONDS, turn
from tests.processes import ROOT

FILES = ("tests/a.py", "tests/b.py", "tests/c.py")


def test_every_file_comes_first_on_some_day():
    first = {min(FILES, key=lambda file: turn(file, str(day))) for day in range(20)}
    assert first == {*FILES}


def test_what_begins_too_late_is_skipped_and_told():
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow", "tests/analysis/test_coverage.py"]
    limited = os.environ | {SECONDS: "0", DAY: "1"}
    done = subprocess.run(command, cwd=ROOT, env=limited, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "1 slow tests of 1 files are beyond the time of this run: `make test-slow`." in done.stdout
