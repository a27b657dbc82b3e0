"""Where a relaxation time diverges: a power law from a threshold that is fitted too, over several windows."""

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float
from numpy.typing import ArrayLike

from sgdsim.errors import ArgumentError

FEWEST, NARROW, WIDE = 4, 6, 16
"""Points that a fit needs, and those of the narrowest and the widest window where there are so many."""
DISTANCES = np.geomspace(1e-9, 1e3, 481)
"""Distances of the threshold from the nearest point that are tried, in units of the window's length."""


@dataclass(frozen=True)
class Window:
    """The law fitted to the `points` points nearest the threshold: tau = prefactor * (x - threshold)^-exponent."""

    points: int
    threshold: float
    exponent: float
    prefactor: float


@dataclass(frozen=True)
class ThresholdLaw:
    """The law tau = prefactor * (x - threshold)^-exponent, and how far it depends on the window of the fit.

    The values are medians over the windows, `low` and `high` their range: a systematic error. A statistical one is not
    given. `longest`: the largest tau that was fitted.
    """

    threshold: float
    threshold_low: float
    threshold_high: float
    exponent: float
    exponent_low: float
    exponent_high: float
    prefactor: float
    longest: float
    windows: tuple[Window, ...]


def fit_threshold(x: ArrayLike, tau: ArrayLike) -> ThresholdLaw:
    """Fits log tau = log prefactor - exponent log(x - threshold), the threshold being below every x.

    Least squares with equal weights: over the threshold by a search in one dimension, over the rest by a straight line.
    A window holds the n points nearest the threshold, n = 6 ... 16 as far as there are so many; all of 4 or 5. One in
    which the threshold is not settled (tau does not bend upwards in log tau against x) is left out.

    **Arguments:**

    - `x`: distinct, in any order.
    - `tau`: relaxation times, > 0.

    **Raises:** ArgumentError with fewer than 4 points, or where no window settles the threshold.
    """
    x, tau = np.asarray(x, np.float64), np.asarray(tau, np.float64)
    if x.shape != tau.shape or x.ndim != 1:
        raise ArgumentError("tau", f"have one value for each of the {x.size} points", tau.shape)
    if len(x) < FEWEST:
        raise ArgumentError("x", f"have at least {FEWEST} points that recover", len(x))
    if not np.isfinite(x).all() or len(np.unique(x)) < len(x):
        raise ArgumentError("x", "be finite, and different at every point", x.tolist())
    if not (np.isfinite(tau) & (tau > 0)).all():
        raise ArgumentError("tau", "be finite and > 0 at every point", tau.tolist())
    order = np.argsort(x)
    x, tau = x[order], tau[order]
    sizes = range(min(NARROW, len(x)), min(WIDE, len(x)) + 1)
    windows = tuple(window for size in sizes if (window := _fit_window(x[:size], tau[:size])) is not None)
    if not windows:
        raise ArgumentError("tau", "grow towards a threshold, bending upwards in log tau against x", tau.tolist())
    thresholds, exponents = ([getattr(window, name) for window in windows] for name in ("threshold", "exponent"))
    return ThresholdLaw(
        threshold=float(np.median(thresholds)),
        threshold_low=min(thresholds),
        threshold_high=max(thresholds),
        exponent=float(np.median(exponents)),
        exponent_low=min(exponents),
        exponent_high=max(exponents),
        prefactor=float(np.median([window.prefactor for window in windows])),
        # Sizes grow: the last window holds all that any of them fitted.
        longest=float(tau[: windows[-1].points].max()),
        windows=windows,
    )


def _fit_window(x: Float[np.ndarray, " points"], tau: Float[np.ndarray, " points"]) -> Window | None:
    """The fit to these points, x increasing; None where the search runs to the end of its range."""
    span, offset, log_tau = x[-1] - x[0], (x - x[0]) / (x[-1] - x[0]), np.log(tau)

    def line(distance: float) -> tuple[np.ndarray, float, np.ndarray]:
        """Residuals, slope and log(offset + distance) of the straight line at this distance of the threshold."""
        log_u = np.log(offset + distance)
        centred = log_u - log_u.mean()
        slope = float(centred @ log_tau / (centred @ centred))
        return log_tau - log_tau.mean() - slope * centred, slope, log_u

    def gradient(log_distance: float) -> float:
        """Half the derivative of the squared residuals; that of the line's own coefficients drops out."""
        distance = float(np.exp(log_distance))
        residual, slope, _ = line(distance)
        return float(-slope * residual @ (distance / (offset + distance)))

    # A grid first: the squared residuals may have several minima, and a search would take the nearest.
    best = int(np.argmin([float(residual @ residual) for residual, _, _ in map(line, DISTANCES)]))
    if best in (0, len(DISTANCES) - 1):
        return None
    left, right = np.log(DISTANCES[best - 1]), np.log(DISTANCES[best + 1])
    # Without a change of sign the minimum is rounding: residuals that are all 0 have it anywhere.
    if not gradient(left) < 0 < gradient(right):
        return None
    distance = float(np.exp(scipy.optimize.root_scalar(gradient, bracket=(left, right), xtol=1e-14).root))
    _, slope, log_u = line(distance)
    if slope >= 0:
        return None
    intercept = float(log_tau.mean() - slope * (log_u.mean() + np.log(span)))
    return Window(len(x), float(x[0] - distance * span), -slope, float(np.exp(intercept)))
