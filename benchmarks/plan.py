"""`python -m benchmarks.plan`: what `sgdsim plan` says of ten shipped experiments, against what their quick runs take.

Every experiment is run twice in a process of its own, with an empty cache of compiled programs and then with the same,
filled. Exit code 0: all are right to within a factor of two. The columns of the parts tell where a plan is off.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

EXPERIMENTS = (
    "committee/scaling_law",
    "committee/figure_2_regions",
    "committee/figure_4_green_half",
    "committee/weights_check",
    "committee/log_p",
    "meanfield/rates",
    "meanfield/rates_output_weight",
    "recovery/dmft",
    "recovery/linear_regression",
    "classification/small_gamma",
)
PARTS = ("start", "compile", "theory", "simulate", "report")
FACTOR = 2.0
"""A plan may be so many times too long, or too short."""
COMPILATION = "/jax/core/compile/"
"""What the events of JAX are called that trace, lower or compile."""


class Intervals:
    """Stretches of time that may lie inside one another."""

    def __init__(self) -> None:
        self._found: list[tuple[float, float]] = []

    def heard(self, event: str, duration_secs: float, **details: str | int) -> None:
        """Takes note of an event of JAX that has just ended."""
        if event.startswith(COMPILATION):
            now = time.time()
            self._found.append((now - duration_secs, now))

    def within(self, first: float, last: float) -> float:
        """Seconds of a stretch that they cover."""
        covered, until = 0.0, first
        for start, end in sorted(self._found):
            start, end = max(start, until), min(end, last)
            if end > start:
                covered, until = covered + end - start, end
        return covered


def measure(name: str, folder: str, began: float) -> dict[str, float]:
    """Runs an experiment in this process; seconds of every part since the process began.

    What is neither compiled nor simulated while blocks are made and merged is theory.
    """
    import jax

    from sgdsim.experiment.experiment import load_experiment
    from sgdsim.experiment.shipped import find_config
    from sgdsim.run.conductor import Conductor
    from sgdsim.run.opened import open_run
    from sgdsim.run.options import Options

    compiling, marks = Intervals(), []
    jax.monitoring.register_event_duration_secs_listener(compiling.heard)
    conductor = Conductor(open_run(load_experiment(find_config(name), quick=True), Path(folder)), Options(""), print)
    report = conductor._report

    def marked(code: Any) -> Any:
        marks.append(time.time())
        return report(code)

    conductor._report = marked
    begun = time.time()
    conductor.run()
    ended, summary = time.time(), conductor.summary
    assert summary is not None
    simulated = summary.wall_seconds if summary.steps_per_second is not None else 0.0
    made = marks[0] - begun - compiling.within(begun, marks[0])
    return {
        "start": begun - began - compiling.within(began, begun),
        "compile": compiling.within(began, ended),
        "theory": max(0.0, made - simulated),
        "simulate": simulated,
        "report": ended - marks[0] - compiling.within(marks[0], ended),
    }


def planned(names: Sequence[str]) -> dict[str, Any]:
    """The plans of the quick experiments."""
    from sgdsim.experiment.experiment import load_experiment
    from sgdsim.experiment.shipped import find_config
    from sgdsim.run.plan import make_plan

    return {name: make_plan(load_experiment(find_config(name), quick=True)) for name in names}


def taken(name: str, cache: str, busy: bool) -> dict[str, float]:
    """What a run takes in a process of its own, part by part, and "all"; `busy`: of a core of its own."""
    with tempfile.TemporaryDirectory() as folder:
        began, used = time.time(), os.times()
        command = [sys.executable, "-m", "benchmarks.plan", "--run", name, folder, str(began)]
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": cache}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        wall, now = time.time() - began, os.times()
    cpu = now.children_user + now.children_system - used.children_user - used.children_system
    share = min(1.0, cpu / wall) if busy else 1.0
    parts = json.loads(done.stdout.splitlines()[-1]) | {"all": wall}
    return {part: share * seconds for part, seconds in parts.items()}


def show(name: str, which: str, plan: dict[str, float], run: dict[str, float]) -> float:
    """Prints planned / taken of every part; returns the ratio of the whole."""
    ratio = plan["all"] / run["all"]
    parts = "".join(f"{plan[part]:8.1f} /{run[part]:6.1f}" for part in (*PARTS, "all"))
    print(f"{name:32}{which:7}{parts}{ratio:8.2f}{'' if 1 / FACTOR <= ratio <= FACTOR else '  <--'}", flush=True)
    return ratio


def main() -> int:
    """Plans, runs, compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=EXPERIMENTS, metavar="NAME", help="these experiments")
    parser.add_argument("--busy", action="store_true", help="on a machine that others use: count a core's own time")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(measure(given.run[0], given.run[1], float(given.run[2]))))
        return 0
    head = "".join(f"{part:>16}" for part in (*PARTS, "all"))
    print(f"{'planned / taken, in seconds':32}{'cache':7}{head}   ratio")
    ratios = []
    for name, plan in planned(given.only).items():
        first = plan.parts | {"all": plan.first}
        again = first | {"compile": plan.kept, "all": plan.again}
        with tempfile.TemporaryDirectory() as cache:
            for which, expected in (("empty", first), ("filled", again)):
                ratios.append(show(name, which, expected, taken(name, cache, given.busy)))
    good = sum(1 / FACTOR <= ratio <= FACTOR for ratio in ratios)
    print(f"{good} of {len(ratios)} within a factor of {FACTOR:g}")
    return 0 if good == len(ratios) else 1


if __name__ == "__main__":
    sys.exit(main())
