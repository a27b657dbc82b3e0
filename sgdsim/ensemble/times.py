"""Save times: where the observables of a trajectory are recorded."""

import numpy as np
from jaxtyping import Float

from sgdsim.checks import Integer, Real, Row, integer, number, positive, row
from sgdsim.contracts import Problem
from sgdsim.errors import ArgumentError

MOST_TIMES = 10_000_000
"""Save times that are made at once."""


def as_times(times: Row) -> Float[np.ndarray, " times"]:
    """Times as an array, float64. **Raises:** ArgumentError for what is no row of numbers."""
    return row("times", times, "Write e.g. sgdsim.linear_times(5.0, 50).")


def linear_times(final: Real, count: Integer) -> Float[np.ndarray, " times"]:
    """`count` equal steps of time up to `final`: final/count, 2 final/count, ..., final."""
    final, count = positive("final", final), _count(count)
    return final * np.arange(1, count + 1) / count


def log_times(final: Real, count: Integer, first: Real | None = None) -> Float[np.ndarray, " times"]:
    """`count` times from `first` (default final/1000) to `final`, equally spaced in log t."""
    final, count = positive("final", final), _count(count)
    first = final / 1000 if first is None else first
    first = number("first", first, f"be > 0 and <= final = {final}", lambda x: 0 < x <= final)
    times = np.geomspace(first, final, count)
    times[-1] = final
    return times


def _count(value: Integer) -> int:
    count = integer("count", value, 1)
    if count > MOST_TIMES:
        raise ArgumentError("count", f"be at most {MOST_TIMES}", count)
    return count


def check_save_times(problem: Problem, times: Float[np.ndarray, " times"]) -> None:
    """**Raises:** ArgumentError unless the save times are increasing, >= 0, and reach at least one step."""
    values = np.asarray(times, np.float64)
    if values.ndim != 1 or not len(values) or not np.all(np.isfinite(values)) or np.any(np.diff(values) <= 0):
        raise ArgumentError("times", "be finite and strictly increasing", times)
    if values[0] < 0 or problem.steps(values)[-1] < 1:
        raise ArgumentError("times", f"be >= 0 and reach at least one step, dt = {problem.dt:g}", times)
