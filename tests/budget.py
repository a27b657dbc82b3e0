"""Slow tests for a limited time, SGDSIM_SLOW_SECONDS: which of them come first changes from day to day.

Within its hour continuous integration has no time for all of them. Files take turns as a whole, since their tests share
programs and fixtures; what has not begun in time is skipped, and how many those are is told at the end.
"""

import hashlib
import os
import time
from typing import Any

import pytest

SECONDS, DAY = "SGDSIM_SLOW_SECONDS", "SGDSIM_SLOW_DAY"
REASON = "beyond the time of this run"
BEGUN = time.monotonic()

# Processes that share the tests agree on the order, over midnight too: the first of them says which day it is.
os.environ.setdefault(DAY, str(int(time.time()) // 86400))


def turn(file: str, day: str) -> str:
    """What a file is sorted by on this day."""
    return hashlib.sha256(f"{day} {file}".encode()).hexdigest()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files into the order of the day, where time is limited."""
    if SECONDS in os.environ:
        items.sort(key=lambda item: turn(item.nodeid.partition("::")[0], os.environ[DAY]))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a slow test that would begin too late."""
    late = SECONDS in os.environ and time.monotonic() - BEGUN > float(os.environ[SECONDS])
    if late and item.get_closest_marker("slow"):
        pytest.skip(REASON)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tells how many those were."""
    late = [report for report in terminalreporter.stats.get("skipped", []) if REASON in str(report.longrepr)]
    if late:
        files = {report.nodeid.partition("::")[0] for report in late}
        terminalreporter.write_line(f"{len(late)} slow tests of {len(files)} files are {REASON}: `make test-slow`.")
