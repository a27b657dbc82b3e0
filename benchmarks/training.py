"""Training in full weights against the built-in step: CPU seconds of both in one run, and their ratio.

python -m benchmarks.training
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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


def main() -> None:
    """A line for every case and kind."""
    print(machine())
    for d, p, batch in CASES:
        found = per_sample(d, p, batch, 4096)
        built_in = found["built-in step"]
        for kind, time in found.items():
            print(
                f"d = {d}, p = {p}, batch = {batch}: {kind}: {1e6 * time:.2f} us a sample, ratio {time / built_in:.2f}"
            )


if __name__ == "__main__":
    main()
