"""The counts of the house, on a small one whose numbers are counted by hand, and on the real one."""

import subprocess
import sys

import pytest

from tests.house.counts import counts
from tests.house.names import doubled
from tests.house.source import ROOT, Module, modules

SMALL = '''\
"""A file of two functions and a class."""

# A reason.
X = 1  # another


def f(x):
    """The same."""

    def inside():
        return "# no comment"

    return inside


class C:
    def g(self):  # noqa: D102
        return 1

    def _hidden(self):
        """It is private."""
        y = 2
        return y
'''


def test_a_small_house_is_counted_by_hand(tmp_path):
    path = tmp_path / "errors.py"
    path.write_text(SMALL)
    assert counts({"sgdsim.errors": Module("sgdsim.errors", path)}) == {
        "files; lines median / p90 / max": "1; 23 / 23 / 23",
        "functions; lines median / p90 / max": "4; 3 / 6 / 7",  # of 7, 2, 2 and 4 lines
        "longest body without its docstring": "4",
        "bodies over 60 lines": "0",
        "comments per 100 lines that are not blank": "13.3",  # 2 in 15
        "public docstrings missing": "2 of 4",  # C and g
        "docstrings of 3 words or fewer": "1",
        "import violations": "0",
    }


@pytest.fixture(scope="module")
def here():
    """The counts of this house."""
    return counts(modules())


@pytest.mark.slow
def test_the_command_prints_the_counts_of_this_house(here):
    command = [sys.executable, "-m", "tests.house"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    printed = dict(line.rsplit("  ", 1) for line in done.stdout.splitlines() if "  " in line)
    assert {name.strip(): value for name, value in printed.items()} == here
    assert done.returncode == 0


def test_the_house_keeps_its_own_rules(here):
    for name in ("bodies over 60 lines", "import violations"):
        assert here[name] == "0"
    assert here["public docstrings missing"].startswith("0 of ")


def test_a_class_has_its_name_alone(tmp_path):
    small = {}
    for name, text in (("a", "class Law: pass\nclass _Own: pass"), ("b", "class Law: pass\nclass _Own: pass")):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        small[name] = Module(name, path)
    assert doubled(small) == {"Law": ["a", "b"]}
    assert doubled(modules()) == {}
