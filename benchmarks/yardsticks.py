"""Steps per second and core against loops in C++, alternated in one process, each on all cores."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.c_loops import chain_in_c, weights_in_c
from benchmarks.forms import committee
from benchmarks.table import Row
from benchmarks.timing import cpu_seconds_each
from sgdsim.cgroups import usable_cores
from sgdsim.committee import Chain, OverlapStart, Weights
from sgdsim.contracts import Simulator
from sgdsim.ensemble.replicas import Ensemble

Jobs = dict[str, tuple[int, Callable[[], object]]]
"""Steps of all replicas, and what makes them, by name."""
GRID = (10**4, 10**5, 10**6, 10**7)


def chain_rows() -> Iterator[Row]:
    """The chain: one large ensemble, and small ones for a grid of d."""
    section = "Chain per core against a loop in C++ (p = k = 4, float32)"
    lanes, steps = 256, 4000
    loop = chain_in_c(committee(10**6, 4), lanes)
    if loop is None:
        return
    jobs: Jobs = {"the loop in C++": _on_every_core(loop, lanes, steps)}
    grid = f"{len(GRID)} cells of 32 replicas"
    for kernel in ("auto", "xla"):
        jobs[f"4096 replicas, kernel = {kernel}"] = _ensembles(Chain(kernel=kernel), (10**6,), 4, 4096, 2000)
        jobs[f"{grid}, kernel = {kernel}"] = _ensembles(Chain(kernel=kernel), GRID, 4, 32, 50_000)
    yield from _rows(section, jobs)


def weights_rows() -> Iterator[Row]:
    """Full weights, for a narrow and a wide student."""
    for p in (4, 32):
        section = f"Full weights per core against a loop in C++ (p = {p}, k = 4, d = 1024, float32)"
        lanes, steps = 8, 800
        loop = weights_in_c(committee(1024, p), lanes)
        if loop is None:
            return
        jobs: Jobs = {"the loop in C++": _on_every_core(loop, lanes, steps)}
        for kernel in ("auto", "xla"):
            # Long enough for the start, 0.02 s, to be a small part: the loop has none.
            jobs[f"64 replicas, kernel = {kernel}"] = _ensembles(Weights(kernel=kernel), (1024,), p, 64, 6400)
        yield from _rows(section, jobs)


def _on_every_core(loop: Callable[[int], Any], lanes: int, steps: int) -> tuple[int, Callable[[], object]]:
    """Steps of all, and the job of a loop that runs on every core at once, which share caches as in an ensemble."""
    cores = usable_cores()

    def job() -> list[Any]:
        with ThreadPoolExecutor(cores) as pool:
            return list(pool.map(loop, [steps] * cores))

    return cores * lanes * steps, job


def _ensembles(
    simulator: Simulator, dimensions: tuple[int, ...], p: int, replicas: int, steps: int
) -> tuple[int, Callable[[], object]]:
    """Steps of all, and the job of running ensembles one after another."""
    problems = [committee(d, p) for d in dimensions]
    ensembles = [
        Ensemble(problem, OverlapStart(0.5, 1), simulator, None, np.array([steps * problem.dt]), replicas, 0)
        for problem in problems
    ]
    return len(ensembles) * replicas * steps, lambda: [ensemble.run() for ensemble in ensembles]


def _rows(section: str, jobs: Jobs) -> Iterator[Row]:
    """Rates per core, and their share of the first."""
    seconds = cpu_seconds_each([job for _, job in jobs.values()])
    rates = [steps / time for (steps, _), time in zip(jobs.values(), seconds, strict=True)]
    for name, rate in zip(jobs, rates, strict=True):
        yield Row(section, name, f"{rate:.3g} steps/s", rate / rates[0], "the loop in C++")
