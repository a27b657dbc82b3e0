"""What a short run does beside its simulation, by count: a busy machine changes seconds, and no count."""

import json
import subprocess
import sys

import pytest

from tests.processes import ROOT

EXPERIMENT = """\
title = "Two cells that differ in d alone"
system = "committee"

[problem]
k = 2
p0 = 2
noise = 0.01

[grid]
d = [50, 100]

[start]
kind = "overlap"
overlap = 0.5

[times]
final = 1.0
count = 4

[theory]
kind = "exact"
fluctuations = true

[ensemble]
replicas = 16

[fits.scaling]
quantity = "sup_deviation"
against = "dt"

[report]
figures = ["scaling", "trajectories"]
"""
PROGRAM = """\
import collections, json, sys
from sgdsim.cli import main
import jax
from matplotlib.figure import Figure
from sgdsim.committee.theory import overlap_curve
from sgdsim.rules import linear_noise
from sgdsim.rules.lanes import RuleLanes

counts = collections.Counter()

def count(owner, name):
    function = getattr(owner, name)

    def counted(*arguments, **named):
        counts[name] += 1
        return function(*arguments, **named)

    setattr(owner, name, counted)

for owner, name in ((Figure, "draw"), (overlap_curve, "velocity"), (RuleLanes, "advance"), (linear_noise, "_drawn")):
    count(owner, name)
jax.monitoring.register_event_duration_secs_listener(lambda event, seconds, **more: counts.update([event]))
try:
    main()
finally:
    print(json.dumps({"counts": counts, "modules": list(sys.modules)}))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What a run in a process of its own did how often, and the modules that it has loaded."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "experiment.toml").write_text(EXPERIMENT)
    command = ["-c", PROGRAM, "run", str(folder / "experiment.toml"), "-o", str(folder / "run"), "-q"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (folder / "run" / "report.html").is_file()
    return json.loads(done.stdout)


def test_what_nothing_needs_is_not_imported(made):
    assert not {"scipy.stats", "sklearn", "matplotlib.pyplot"} & set(made["modules"])


def test_few_programs_are_needed(made):
    """Those that start, advance and summarise, the ODE, its rates and risk; two of diffrax, one that asks for vectors.

    They are as many with a cache of compiled programs as without.
    """
    assert made["counts"]["/jax/core/compile/backend_compile_duration"] <= 9


def test_a_figure_is_drawn_once_for_each_of_its_formats(made):
    assert made["counts"]["draw"] == 2 * 3


def test_what_takes_long_to_trace_is_traced_once(made):
    """The steps of the simulation, which are made up to save times and beyond; the ODE, which its rates trace too."""
    assert made["counts"]["advance"] == 1
    assert made["counts"]["velocity"] == 2


def test_paths_of_cells_of_equal_shape_are_drawn_once(made):
    assert made["counts"]["_drawn"] == 1
