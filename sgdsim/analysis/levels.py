"""When a falling curve reaches a level, with an error bar, a median time of replicas, and where a quantity rises."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from sgdsim.analysis.plateau import local_slopes
from sgdsim.errors import ArgumentError


class NotReachedError(ArgumentError):
    """A curve that stays above the level."""


def first_crossing(
    x: Float[np.ndarray, " points"] | Int[np.ndarray, " points"],
    mean: Float[np.ndarray, " points"],
    level: float,
    sem: Float[np.ndarray, " points"] | None = None,
) -> tuple[float, float]:
    """The first x at which `mean` falls to `level`, and its standard error.

    Between two save times the curve is a straight line in log(mean) against log(x); in mean, where it falls below 0,
    and against x, from x = 0 on. To first order the error is

        error(x) / x = (sem / mean) / |d ln(mean) / d ln(x)|

    at the crossing, with the local slope of `plateau.local_slopes`, or from x = 0 on with that of the straight line. It
    is infinite where that slope does not fall.

    **Arguments:**

    - `x`: increasing, >= 0.
    - `mean`, `sem`: the curve, > 0, and its standard error (none: the error is 0).
    - `level`: > 0.

    **Raises:** NotReachedError where the curve stays above the level, ArgumentError where it starts at or below it.
    """
    x, mean = np.asarray(x, np.float64), np.asarray(mean, np.float64)
    below = np.flatnonzero(mean <= level)
    if len(below) == 0:
        raise NotReachedError("level", "be reached by the curve", level)
    right = int(below[0])
    if right == 0 or not np.isfinite(mean[right - 1]):
        raise ArgumentError("level", "be below the curve at its first save time", level)
    left = right - 1
    # Straight in logarithms where there are two: risks fall by decades between save times.
    if mean[right] > 0:
        share = np.log(mean[left] / level) / np.log(mean[left] / mean[right])
    else:
        share = (mean[left] - level) / (mean[left] - mean[right])
    crossing = float(share * x[right] if x[left] == 0 else x[left] * (x[right] / x[left]) ** share)
    if sem is None:
        return crossing, 0.0
    slopes, scatter = local_slopes(x, mean), np.asarray(sem, np.float64) / mean
    if x[left] == 0 and mean[right] > 0:
        slopes[[left, right]] = -share * np.log(mean[left] / mean[right])
    slope, relative = ((1 - share) * part[left] + share * part[right] for part in (slopes, scatter))
    return crossing, float(crossing * relative / -slope) if slope < 0 else np.inf


def median_time(
    x: Float[np.ndarray, " points"] | Int[np.ndarray, " points"],
    share: Float[np.ndarray, " points"],
    replicas: int | None = None,
) -> tuple[float, float]:
    """The x at which half of the replicas have arrived, and its standard error.

    `share` of them has at each x. Those that never do are censored at the last x: they count as later, whenever.
    Between two points the share is a straight line in log(x), from x = 0 on in x. The order statistics at shares
    1/2 -+ 1/sqrt(4 replicas) are a standard error away: half of ln of their ratio is the relative error, infinite where
    the upper one is beyond the last x. It is 0 without replicas.

    **Raises:** NotReachedError where fewer than half arrive, ArgumentError where half are there from the first x on.
    """
    x, share = np.asarray(x, np.float64), np.asarray(share, np.float64)
    median = _rise(x, share, 0.5)
    if replicas is None:
        return median, 0.0
    width = 0.5 / np.sqrt(replicas)
    try:
        low, high = _rise(x, share, 0.5 - width), _rise(x, share, 0.5 + width)
    except NotReachedError:
        return median, np.inf
    return median, median * float(np.log(high / low)) / 2


def _rise(x: Float[np.ndarray, " points"], share: Float[np.ndarray, " points"], level: float) -> float:
    above = np.flatnonzero(share >= level)
    if len(above) == 0:
        raise NotReachedError("times", "go on until half of the replicas, with a standard error, have arrived", x[-1])
    right = int(above[0])
    if right == 0:
        raise ArgumentError("times", "begin before half of the replicas have arrived", x[0])
    left = right - 1
    part = float((level - share[left]) / (share[right] - share[left]))
    return float(part * x[right]) if x[left] == 0 else float(x[left] * (x[right] / x[left]) ** part)


@dataclass(frozen=True)
class OnsetBracket:
    """A quantity rises through a level between the neighbours `low` and `high`; `onset` is their geometric mean.

    It is the arithmetic mean where `low` is not > 0.
    """

    onset: float
    low: float
    high: float


def find_onset(x: ArrayLike, values: ArrayLike, level: float) -> OnsetBracket:
    """Where along x the values first rise through the level. A value that is not finite, a blow-up, is above it.

    **Arguments:**

    - `x`: distinct, in any order.

    **Raises:** ArgumentError where the first value is above the level already, or none is.
    """
    order = np.argsort(np.asarray(x, np.float64))
    x, values = np.asarray(x, np.float64)[order], np.asarray(values, np.float64)[order]
    above = np.flatnonzero(~np.isfinite(values) | (values > level))
    if len(np.unique(x)) < len(x):
        raise ArgumentError("x", "be different at every point", x.tolist())
    if len(above) == 0:
        raise ArgumentError("level", "be passed at some point", level)
    if above[0] == 0:
        raise ArgumentError("level", "not be passed at the first point already", level)
    low, high = float(x[above[0] - 1]), float(x[above[0]])
    return OnsetBracket(float(np.sqrt(low * high)) if low > 0 else (low + high) / 2, low, high)
