"""Save times: where the observables of a trajectory are recorded."""

import math

import numpy as np
from jaxtyping import Float

from sgdsim.ensemble.contracts import Problem
from sgdsim.errors import ArgumentError


def _check(final: float, count: int) -> None:
    if not (math.isfinite(final) and final > 0):
        raise ArgumentError("final", "be finite and > 0", final)
    if count < 1:
        raise ArgumentError("count", "be an integer >= 1", count)


def linear_times(final: float, count: int) -> Float[np.ndarray, " times"]:
    """`count` equal steps of time up to `final`: final/count, 2 final/count, ..., final."""
    _check(final, count)
    return final * np.arange(1, count + 1) / count


def log_times(final: float, count: int, first: float | None = None) -> Float[np.ndarray, " times"]:
    """`count` times from `first` (default final/1000) to `final`, equally spaced in log t."""
    _check(final, count)
    first = final / 1000 if first is None else first
    if not (math.isfinite(first) and 0 < first <= final):
        raise ArgumentError("first", f"be > 0 and <= final = {final}", first)
    times = np.geomspace(first, final, count)
    times[-1] = final
    return times


def check_save_times(problem: Problem, times: Float[np.ndarray, " times"]) -> None:
    """**Raises:** ArgumentError unless the save times are increasing, >= 0, and reach at least one step."""
    values = np.asarray(times, np.float64)
    if values.ndim != 1 or not len(values) or not np.all(np.isfinite(values)) or np.any(np.diff(values) <= 0):
        raise ArgumentError("times", "be finite and strictly increasing", times)
    if values[0] < 0 or problem.steps(values)[-1] < 1:
        raise ArgumentError("times", f"be >= 0 and reach at least one step, dt = {problem.dt:g}", times)
