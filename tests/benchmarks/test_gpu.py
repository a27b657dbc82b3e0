"""The one command for a machine with a GPU, run small without one; and what it does where a section goes wrong."""

import importlib
import importlib.metadata
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.gpu import bounds, correct
from benchmarks.gpu.__main__ import write
from benchmarks.gpu.process import Outcome, follow
from benchmarks.gpu.sections import NO_GPU, SECTIONS, TOTAL, chosen, limit
from benchmarks.gpu.setting import Missing, NoGpu, Setting, table
from benchmarks.table import RESULTS
from benchmarks.timing import machine
from sgdsim.committee import Committee
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.errors import ArgumentError
from sgdsim.native.build import find_compiler
from sgdsim.store.worker import is_running

ROOT = Path(__file__).parents[2]
NUMBERS = {"card": 4, "correct": 3, "speed": 2, "whole": 1, "others": 4, "folder": 5}
"""Rows of each section that have a number when it is run small."""
FUSED = {"correct": 2, "speed": 1}
"""Further ones where there is a compiler for the fused form on a CPU."""
MEASURED = {"speed": 4, "whole": 3}
"""The first column of what is measured, where it is not the second."""
WITHOUT = {"card": 6, "correct": 0, "speed": 1, "whole": 1, "others": 0, "folder": 0}
"""Lines of each that say that there is no GPU."""


def setting(**changes):
    return Setting(**{"small": True, "ends": time.monotonic() + 1000} | changes)


@pytest.mark.slow
@pytest.mark.parametrize("name", [section.name for section in SECTIONS])
def test_every_section_runs_small(name):
    where = setting()
    lines = list(importlib.import_module(f"benchmarks.gpu.{name}").lines(where))
    assert where.troubles == []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    number = re.compile(r"\d[\d.]*(e[+-]\d+)?( s| steps/s)?")
    measured = [row for row in rows if any(number.fullmatch(cell) for cell in row[MEASURED.get(name, 1) :])]
    assert len(measured) == NUMBERS[name] + (FUSED.get(name, 0) if find_compiler() else 0)
    assert sum("no GPU" in line for line in lines) == WITHOUT[name]


def command(*options, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks.gpu", *options],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_command_runs_a_section_and_says_that_all_is_well():
    done = command("--cpu", "--only", "card", "--seconds", "300")
    assert (done.returncode, done.stderr) == (0, "")
    assert "### The card" in done.stdout
    assert "| compute capability | no GPU |" in done.stdout
    assert done.stdout.endswith("all well\n")


def test_without_a_gpu_it_says_so_at_once():
    done = command("--seconds", "300", JAX_PLATFORMS="cpu")
    assert done.returncode == 2
    assert "No GPU: JAX runs on cpu here. Use --cpu" in done.stdout
    assert "Correctness" not in done.stdout


@pytest.mark.parametrize("name", [section.name for section in SECTIONS if section.name != "whole"])
def test_no_section_takes_a_cpu_for_a_gpu(name):
    with pytest.raises(NoGpu):
        next(iter(importlib.import_module(f"benchmarks.gpu.{name}").lines(setting(small=False))))


def test_the_section_of_a_missing_gpu_has_an_exit_code_of_its_own():
    done = subprocess.run([sys.executable, "-m", "benchmarks.gpu.section", "card", "60"], cwd=ROOT, capture_output=True)
    assert done.returncode == NO_GPU


def test_an_unknown_section_is_refused():
    done = command("--only", "card,spede")
    assert done.returncode == 2
    assert "there is no section spede; there are card, correct, speed" in done.stderr


def test_sections_keep_their_order_and_share_the_time():
    assert [section.name for section in chosen("speed,card")] == ["card", "speed"]
    assert chosen(None) == SECTIONS
    assert TOTAL < 480
    # What one leaves over goes to those behind it, in proportion.
    shares = [section.share for section in SECTIONS]
    assert [limit(sum(shares[i:]), SECTIONS[i:]) for i in range(len(shares))] == pytest.approx(shares)
    assert limit(TOTAL, SECTIONS[1:]) == pytest.approx(shares[1] * TOTAL / (TOTAL - shares[0]))


HANGS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
print(child.pid, flush=True)
time.sleep(1000)
"""


def test_a_section_that_hangs_is_cut_with_all_that_it_started(capsys):
    began = time.monotonic()
    outcome = follow([sys.executable, "-c", HANGS], os.environ, ROOT, 2.0)
    assert time.monotonic() - began < 30
    pid, last = int(outcome.lines[0]), outcome.lines[-1]
    assert last == "\nCut after 2 s: what is missing had no time."
    assert outcome.code != 0
    while is_running(pid):
        assert time.monotonic() - began < 30
        time.sleep(0.01)
    assert capsys.readouterr().out == "".join(f"{line}\n" for line in outcome.lines)


def test_a_section_that_crashes_tells_why():
    outcome = follow(
        [
            sys.executable,
            "-c",
            "print('one', flush=True); import os, sys; sys.stderr.write('a\\nno luck\\n'); os._exit(7)",
        ],
        os.environ,
        ROOT,
        30.0,
    )
    assert outcome == Outcome(7, ["one", "\nFailed with exit code 7: no luck"])


def test_one_row_does_not_take_the_others_along():
    def fails(error):
        raise error

    where = setting()
    assert where.attempt(lambda: 3) == 3
    assert where.attempt(lambda: fails(RuntimeError("RESOURCE_EXHAUSTED: out of memory"))) == Missing("does not fit")
    assert where.troubles == []
    assert where.attempt(lambda: fails(RuntimeError("bad\nnews"))) == Missing("failed (RuntimeError: bad)")
    assert where.troubles == ["RuntimeError: bad"]
    refused = ArgumentError("kernel", "be `xla` here", "fused")
    assert where.attempt(lambda: fails(refused)) == Missing(f"not here: {refused}")
    assert where.troubles == ["RuntimeError: bad"]
    # On a device every form is to be had.
    assert setting(small=False).attempt(lambda: fails(refused)).why.startswith("failed (ArgumentError")
    late = setting(small=False, ends=time.monotonic() + 4)
    assert late.attempt(lambda: 3, seconds=5) == Missing("no time left")
    assert late.attempt(lambda: 3, seconds=1) == 3


def test_tables_show_what_is_missing():
    rows = [("a", 1234.5, None), ("b", Missing("does not fit"), "text")]
    assert list(table(("what", "x", "y"), rows)) == [
        "| what | x | y |",
        "|---|---|---|",
        "| a | 1.23e+03 |  |",
        "| b | does not fit | text |",
        "",
    ]


@pytest.mark.parametrize(
    ("factor", "good"), [(1.0, True), (1 + 5e-6, True), (1 + 2e-5, False), (-1.0, False), (math.nan, False)]
)
def test_motions_that_differ_by_more_than_rounding_are_noticed(factor, good):
    where = setting()
    motion = np.array([1e-3, -2e-3, 4e-3])
    verdict = correct._compared(where, "fused", motion * factor, motion)[1]
    assert (verdict, len(where.troubles)) == (("yes", 0) if good else ("**no**", 1))


def test_bounds_are_those_that_were_foretold(monkeypatch):
    """An H200 has 132 multiprocessors at 1.98 GHz; a step of p = k = 4 reads 26 increments, 26 numbers and a root."""
    monkeypatch.setattr(bounds.jax, "devices", lambda: [SimpleNamespace(core_count=132)])
    monkeypatch.setattr(bounds, "ask_driver", lambda field: {"clocks.max.sm": "1980"}[field])
    assert bounds.issue_bound(4) == pytest.approx(3.2e10, rel=0.02)
    assert bounds.issue_bound(3) is None
    kernel = chain_lanes(Committee(d=1000, p=4, k=4, gamma=4.0), np.float32, 16)
    assert bounds.traffic(kernel) == 4 * (26 + 26 + 26 + 10) + 8
    assert bounds.FORETOLD["fused", 10**5] < 0.65 * bounds.issue_bound(4)


def test_results_have_a_place_for_every_section(tmp_path):
    copy = tmp_path / "RESULTS.md"
    old = RESULTS.read_text()
    copy.write_text(old)
    for section in SECTIONS:
        write(section, Outcome(0, ["| a | 1 |"]), "python -m benchmarks.gpu --write", copy)
    new = copy.read_text()
    for text, marks in ((old, 1), (new, 1)):
        for section in SECTIONS:
            assert (
                text.count(f"<!-- gpu {section.name} -->") == text.count(f"<!-- end of gpu {section.name} -->") == marks
            )
    before, inside = new.split("<!-- gpu -->")[0], new.split("<!-- gpu -->")[1].split("<!-- end of gpu -->")[0]
    assert before == old.split("<!-- gpu -->")[0]
    assert new.split("<!-- end of gpu -->")[1] == old.split("<!-- end of gpu -->")[1]
    assert inside.count("| a | 1 |") == inside.count("`python -m benchmarks.gpu --write`\n\n|") == len(SECTIONS)
    assert "Not measured yet" not in inside


def test_a_checkout_that_is_not_installed_has_a_version(monkeypatch):
    real = importlib.metadata.version

    def version(name):
        if name == "sgdsim":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr("benchmarks.timing.version", version)
    assert "sgdsim 0.1.0" in machine()
