"""Timing of whole jobs: warm first, then the best of a few, until a time budget is spent."""

import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import jax

from sgdsim import __version__
from sgdsim.cgroups import usable_cores


def seconds(job: Callable[[], object], budget: float = 2.0, repeats: int = 3) -> float:
    """Duration of one warm call of `job`: the shortest of up to `repeats`, within about `budget` seconds."""
    job()
    best, began = float("inf"), time.perf_counter()
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        best = min(best, time.perf_counter() - start)
        if time.perf_counter() - began > budget:
            break
    return best


def cpu_seconds_each(jobs: Sequence[Callable[[], object]], repeats: int = 5) -> list[float]:
    """CPU time of one warm call of each job: the shortest of `repeats`, in turns, so that all see the same machine."""
    for job in jobs:
        job()
    best = [float("inf")] * len(jobs)
    for _ in range(repeats):
        for place, job in enumerate(jobs):
            start = time.process_time()
            job()
            best[place] = min(best[place], time.process_time() - start)
    return best


def machine() -> str:
    """The machine and the versions, in one line."""
    # Of sgdsim itself as it is imported: a checkout need not be installed.
    versions = ", ".join([*(f"{name} {version(name)}" for name in ("jax", "jaxlib", "numpy")), f"sgdsim {__version__}"])
    devices = f"{jax.local_device_count()} x {jax.local_devices()[0].device_kind}"
    python = f"Python {platform.python_version()}"
    return f"{_processor()}, {usable_cores()} cores; JAX devices: {devices}; {python}, {versions}"


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open() as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
