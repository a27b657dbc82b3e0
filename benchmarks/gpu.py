"""Steps per second of every form on a GPU, against the textbook forms in the same run: `python -m benchmarks.gpu`.

A row is one batch of replicas on the local devices, stepped in the compiled loops of a run; setting up is not timed.
The most telling rows come first: those that do not fit in the time, or in the memory, say so.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np

from benchmarks.forms import committee, textbook_chain_rate, textbook_weights_rate
from benchmarks.table import replace
from benchmarks.timing import machine, seconds
from sgdsim.committee import Chain, OverlapStart, Weights
from sgdsim.ensemble.batch import Batch
from sgdsim.ensemble.contracts import Simulator
from sgdsim.ensemble.propagate import Call
from sgdsim.ensemble.replicas import Ensemble

Measure = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """One form at one size, and the steps of the textbook's scan."""

    simulator: Simulator
    p: int
    d: int
    replicas: int
    textbook_steps: int

    @property
    def ensemble(self) -> Ensemble:
        """The run that this row is a batch of."""
        problem = committee(self.d, self.p)
        return Ensemble(
            problem, OverlapStart(0.5, 1), self.simulator, None, np.array([problem.dt]), self.replicas, seed=0
        )

    @property
    def at_once(self) -> int:
        """Replicas of the batch."""
        return self.ensemble.tiles_at_once * self.ensemble.lanes

    def rate(self, target: float) -> float:
        """Steps/s of sgdsim, by calls that last about `target` seconds."""
        job, segment = batch_job(self.ensemble), self.ensemble.kernel.segment
        segments, duration = 1, 0.0
        while duration < target / 8:
            segments *= 8
            duration = seconds(partial(job, segments * segment), repeats=1)
        steps = segment * max(segments, round(segments * target / duration))
        return self.at_once * steps / seconds(partial(job, steps))

    def textbook_rate(self) -> float:
        """Steps/s of vmap(scan)."""
        textbook = textbook_chain_rate if self.simulator.name == "chain" else textbook_weights_rate
        return textbook(self.d, self.p, self.replicas, self.textbook_steps)


def batch_job(ensemble: Ensemble) -> Callable[[int], object]:
    """A job of n steps of the replicas that run at once."""
    batch = Batch([ensemble.begin(range(ensemble.tiles_at_once))])
    counts = batch.layout.counts
    state, saved = batch.start(counts)

    def job(steps: int) -> object:
        # A call takes its state over: the next one goes on from what it gives.
        nonlocal state, saved
        call = Call(np.array([[steps]]), 0, 1, np.array([0]))
        state, saved = batch.advance(state, saved, counts, call)
        return saved

    return job


def rows(sizes: tuple[int, ...], dimensions: tuple[int, ...]) -> Iterator[Row]:
    """The largest ensembles of small p first; full weights at the first dimension only."""
    for replicas in sorted(sizes, reverse=True):
        for p in (4, 8, 32):
            # A scan of full weights draws them first: more steps, so that this does not count.
            yield Row(Weights(), p, dimensions[0], replicas, 256)
            for d in dimensions:
                yield Row(Chain(), p, d, replicas, 64)


def attempt(measure: Measure) -> float | None:
    """A rate, or None where the device's memory does not suffice."""
    try:
        return measure()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return None


def table(plan: list[Row], limit: float, target: float) -> str:
    """Every row measured until `limit` seconds have passed, as Markdown; printed as it grows."""
    began = time.perf_counter()
    lines = [
        "| form | p | d | replicas | at once | steps/s | textbook, steps/s | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for row in plan:
        head = f"| {row.simulator.name} | {row.p} | {row.d:.0e} | {row.replicas:.0e} | {row.at_once} |"
        if time.perf_counter() - began > limit:
            lines.append(f"{head} no time left | | |")
        else:
            ours, textbook = attempt(partial(row.rate, target)), attempt(row.textbook_rate)
            ratio = f"{ours / textbook:.1f}" if ours and textbook else ""
            lines.append(f"{head} {_figure(ours)} | {_figure(textbook)} | {ratio} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _figure(rate: float | None) -> str:
    return "does not fit" if rate is None else f"{rate:.2e}"


def main() -> None:
    """Measures, prints, and writes on demand."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--cpu", action="store_true", help="try the program on the CPU, at tiny sizes")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/RESULTS.md")
    parser.add_argument("--seconds", type=float, default=420, help="begin no row after so long (default: %(default)s)")
    options = parser.parse_args()
    if options.cpu:
        jax.config.update("jax_platforms", "cpu")
    elif jax.default_backend() != "gpu":
        sys.exit(f"No GPU: JAX runs on {jax.default_backend()} here. Use --cpu to try this program at tiny sizes.")
    sizes, dimensions, target = ((256,), (100,), 0.02) if options.cpu else ((10**4, 10**5, 10**6), (10**3, 10**6), 0.5)
    print(machine())
    measured = table(list(rows(sizes, dimensions)), options.seconds, target)
    if options.write:
        replace(f"## On a GPU\n\n`python -m benchmarks.gpu --write` on {machine()}.\n\n{measured}", "gpu")


if __name__ == "__main__":
    main()
