"""Plateaus of a positive curve on logarithmic axes: where a risk that was falling stops for a while."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

FLAT = 0.5
"""A curve is on a plateau where it falls more slowly than t^-FLAT."""
REACH = 2.0
"""The slope at t is that of the straight line through the points from t/REACH to REACH t."""
SHORTEST = 3.0
"""end / begin of a plateau at least: less is a bend."""


@dataclass(frozen=True)
class Plateau:
    """A stretch from `begin` to `end` in t over which the curve hardly falls; `height` is its geometric mean there."""

    height: float
    begin: float
    end: float


def local_slopes(t: Float[np.ndarray, " times"], value: Float[np.ndarray, " times"]) -> Float[np.ndarray, " times"]:
    """d ln(value) / d ln(t) at every t, by least squares over a factor REACH to either side and the neighbours.

    NaN at t = 0, which is nobody's neighbour, and where a value in reach is not finite and > 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = np.log(np.asarray(t, np.float64)), np.log(np.asarray(value, np.float64))
    x[~np.isfinite(x)] = np.nan  # t = 0: a difference of infinities would warn
    slopes = np.full(len(x), np.nan)
    for index, centre in enumerate(x):
        near = np.abs(x - centre) <= np.log(REACH)
        near[max(index - 1, 0) : index + 2] = True
        near &= np.isfinite(x)
        if np.isfinite(centre) and np.ptp(x[near]) > 0 and np.isfinite(y[near]).all():
            offset = x[near] - x[near].mean()
            if offset.any():  # save times that fall on one step are one point
                slopes[index] = offset @ y[near] / (offset @ offset)
    return slopes


def find_plateau(t: Float[np.ndarray, " times"], value: Float[np.ndarray, " times"]) -> Plateau | None:
    """The longest plateau (in ln t) of a curve, or None.

    A plateau is a run of save times at which the local slope d ln(value) / d ln(t) is above -FLAT, with a steeper
    descent both before and after it: neither the start of a curve that has not begun to fall, nor the floor on which it
    ends, is one. Its ends are the times, interpolated in ln t, at which the slope passes -FLAT.

    **Arguments:**

    - `t`: times, increasing; where t = 0, or the curve is not finite and > 0, the slope is unknown and breaks a run.
    - `value`: the curve.
    """
    t, value = np.asarray(t, np.float64), np.asarray(value, np.float64)
    slopes = local_slopes(t, value)
    flat = slopes > -FLAT
    found = []
    for first, last in _runs(flat):
        before, after = first - 1, last + 1
        if before < 0 or after >= len(t) or not (slopes[before] <= -FLAT and slopes[after] <= -FLAT):
            continue
        begin, end = _passing(t, slopes, before, first), _passing(t, slopes, last, after)
        height = float(np.exp(np.log(value[first : last + 1]).mean()))
        found.append(Plateau(height=height, begin=begin, end=end))
    longest = max(found, key=lambda plateau: plateau.end / plateau.begin, default=None)
    return longest if longest is not None and longest.end / longest.begin >= SHORTEST else None


def _runs(marks: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]]).astype(int)))
    return [(int(first), int(stop) - 1) for first, stop in zip(edges[::2], edges[1::2], strict=True)]


def _passing(t: np.ndarray, slopes: np.ndarray, left: int, right: int) -> float:
    """The time between two neighbours at which the slope passes -FLAT."""
    share = (-FLAT - slopes[left]) / (slopes[right] - slopes[left])
    return float(t[left] * (t[right] / t[left]) ** share)
