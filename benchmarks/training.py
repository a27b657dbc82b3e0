"""Training in full weights against the built-in step: CPU seconds of both in one run, and their ratio.

python -m benchmarks.training --write
"""

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.table import Row, show, write
from benchmarks.timing import cpu_seconds_each, machine
from sgdsim.committee import Committee, OverlapStart, Weights
from sgdsim.ensemble.random import replica_keys
from sgdsim.training import SGD, Adam, FiniteData

KINDS: dict[str, dict[str, Any]] = {
    "built-in step": {},
    "sgd of optax": {"optimiser": SGD()},
    "adam of optax": {"optimiser": Adam()},
    "n = 2 d data, shuffled": {"data": FiniteData(n0=2.0)},
}
CASES = ((300, 4, 1), (1000, 4, 1), (1000, 8, 16))
"""d, p = k, batch."""
BUILT_IN = "the built-in step"
TITLE = "## Training in full weights"
WORDS = """CPU time of a sample, 64 replicas in float32; kinds take turns, so that a busy machine slows all alike.
The built-in step is fused, in C++; finite data are not drawn but read, in a random order. SGD of optax is to stay below
1.5 (`tests/benchmarks/test_training.py`)."""
_advance = jax.jit(lambda kernel, state, steps: kernel.advance(state, steps))
_begin = jax.jit(lambda kernel, initial, keys: kernel.init(initial, keys))


def job_of(problem: Committee, samples: int) -> tuple[Callable[[], object], int]:
    """One tile through so many samples of each replica, and how many that are of all."""
    kernel, start = Weights().bind(problem, 64, 1.0), OverlapStart(0.5, 1)
    initial = start.draw(problem, np.random.default_rng(0), 1)
    state = _begin(kernel, initial, jnp.asarray(replica_keys(0, 0, 0, kernel.lanes)))
    steps = jnp.asarray(samples // problem.batch)
    return lambda: jax.block_until_ready(_advance(kernel, state, steps)), samples * kernel.lanes


def per_sample(d: int, p: int, batch: int, samples: int) -> dict[str, float]:
    """CPU seconds that a sample takes, of every kind."""
    problems = [Committee(d=d, p=p, k=p, gamma=0.5, noise=0.1, batch=batch, **more) for more in KINDS.values()]
    jobs, counts = zip(*(job_of(problem, samples) for problem in problems), strict=True)
    return dict(
        zip(KINDS, (time / count for time, count in zip(cpu_seconds_each(jobs), counts, strict=True)), strict=True)
    )


def rows_of(d: int, p: int, batch: int, found: dict[str, float]) -> list[Row]:
    """A row for every kind of a case, beside the built-in step."""
    built_in = found["built-in step"]
    return [
        Row(f"Training, d = {d}, p = k = {p}, batch = {batch}", kind, f"{1e6 * time:.2f} us", time / built_in, BUILT_IN)
        for kind, time in found.items()
    ]


def main() -> None:
    """Measures every case, prints, and writes on demand."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/RESULTS.md")
    options = parser.parse_args()
    rows = [row for case in CASES for row in rows_of(*case, per_sample(*case, 4096))]
    show(rows)
    if options.write:
        write(rows, "training", f"{TITLE}\n\n`python -m benchmarks.training --write` on {machine()}.\n{WORDS}")


if __name__ == "__main__":
    main()
