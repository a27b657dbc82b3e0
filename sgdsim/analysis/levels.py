"""When a falling curve reaches a level, with an error bar."""

import numpy as np
from jaxtyping import Float, Int

from sgdsim.analysis.plateau import local_slopes
from sgdsim.errors import ArgumentError


def first_crossing(
    x: Float[np.ndarray, " points"] | Int[np.ndarray, " points"],
    mean: Float[np.ndarray, " points"],
    level: float,
    sem: Float[np.ndarray, " points"] | None = None,
) -> tuple[float, float]:
    """The first x at which `mean` falls to `level`, and its standard error.

    Between two save times the curve is a straight line in log(mean) against log(x). To first order the error is

        error(x) / x = (sem / mean) / |d ln(mean) / d ln(x)|

    at the crossing, with the local slope of `plateau.local_slopes`. It is infinite where that slope does not fall.

    **Arguments:**

    - `x`: increasing, > 0.
    - `mean`, `sem`: the curve, > 0, and its standard error (none: the error is 0).
    - `level`: > 0.

    **Raises:** ArgumentError where the curve starts at or below the level, or stays above it.
    """
    x, mean = np.asarray(x, np.float64), np.asarray(mean, np.float64)
    below = np.flatnonzero(mean <= level)
    if len(below) == 0:
        raise ArgumentError("level", "be reached by the curve", level)
    right = int(below[0])
    if right == 0 or not np.isfinite(mean[right - 1]):
        raise ArgumentError("level", "be below the curve at its first save time", level)
    left = right - 1
    share = np.log(mean[left] / level) / np.log(mean[left] / mean[right])
    crossing = float(x[left] * (x[right] / x[left]) ** share)
    if sem is None:
        return crossing, 0.0
    slopes, scatter = local_slopes(x, mean), np.asarray(sem, np.float64) / mean
    slope, relative = ((1 - share) * part[left] + share * part[right] for part in (slopes, scatter))
    return crossing, float(crossing * relative / -slope) if slope < 0 else np.inf
