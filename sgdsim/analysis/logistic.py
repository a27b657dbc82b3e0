"""A share that rises with a parameter, as a logistic function, by maximum likelihood; and where two of them cross."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit, xlogy

from sgdsim.analysis.goodness import judged
from sgdsim.errors import ArgumentError

_STEPS = 100
SURE = 2.0
"""Standard errors by which slopes have to differ for two functions to cross."""


@dataclass(frozen=True)
class LogisticLaw:
    """The fitted law E share = 1/(1 + exp(-(x - midpoint)/width)).

    Errors are those of the binomial law, `chi2` is the deviance, with dof = points - 2; where it says that the law does
    not hold, errors are widened. `variances`: of the logit's value at x = 0 and its slope, widened.
    """

    midpoint: float
    midpoint_error: float
    midpoint_statistical_error: float
    width: float
    width_error: float
    width_statistical_error: float
    variances: tuple[tuple[float, float], tuple[float, float]]
    chi2: float
    dof: int
    p_value: float
    widening: float

    def variance_at(self, x: float) -> float:
        """The variance of the logit (x - midpoint)/width."""
        direction = np.array([1.0, x])
        return float(direction @ np.array(self.variances) @ direction)


@dataclass(frozen=True)
class Crossing:
    """Where two logistic functions are equal, with its standard error, and their share there."""

    at: float
    error: float
    share: float


def fit_logistic(
    x: Sequence[float] | Float[np.ndarray, " points"],
    share: Sequence[float] | Float[np.ndarray, " points"],
    trials: Sequence[float] | Float[np.ndarray, " points"],
) -> LogisticLaw:
    """Fits the law to shares of so many independent trials each.

    Maximises sum_i n_i [s_i log p_i + (1 - s_i) log(1 - p_i)], which is concave, by Newton's method; the errors are
    those of the inverse of Fisher's information, and of midpoint and width to first order.

    **Raises:** ArgumentError where an x is not finite, a share not in [0, 1], a number of trials not > 0, and where no
    value of x has both successes below others' failures: then any small width will do.
    """
    x, share, trials = (np.asarray(values, np.float64) for values in (x, share, trials))
    _check(x, share, trials)
    middle = x.mean()
    columns = np.column_stack([np.ones_like(x), x - middle])
    found = np.zeros(2)
    for _ in range(_STEPS):
        p = expit(columns @ found)
        information = columns.T @ (columns * (trials * p * (1 - p))[:, None])
        step = np.linalg.solve(information, columns.T @ (trials * (share - p)))
        # Far from the maximum a whole step may overshoot: the logit moves by 2 at most.
        found = found + step * min(1.0, 2.0 / max(np.abs(columns @ step).max(), 1e-300))
        if np.abs(step).max() < 1e-12 * max(1.0, np.abs(found).max()):
            break
    if not found[1] > 0:
        raise ArgumentError("share", "rise with x", share.tolist())
    return _law(x, share, trials, float(middle), found)


def _check(x: Float[np.ndarray, " n"], share: Float[np.ndarray, " n"], trials: Float[np.ndarray, " n"]) -> None:
    """**Raises:** ArgumentError for points through which there is no one law."""
    for name, value, good, must in (
        ("x", x, np.isfinite(x), "be finite at every point"),
        ("share", share, (share >= 0) & (share <= 1), "be in [0, 1] at every point"),
        ("trials", trials, np.isfinite(trials) & (trials > 0), "be > 0 at every point"),
    ):
        if not good.all():
            raise ArgumentError(name, must, value.tolist())
    successes, failures = x[share > 0], x[share < 1]
    if not (len(successes) and len(failures) and successes.min() < failures.max()):
        raise ArgumentError("share", "rise from 0 to 1 over two values of x or more", share.tolist())


def _law(
    x: Float[np.ndarray, " n"],
    share: Float[np.ndarray, " n"],
    trials: Float[np.ndarray, " n"],
    middle: float,
    found: Float[np.ndarray, " 2"],
) -> LogisticLaw:
    """The law with its errors, from the logit's value at the middle of x and its slope."""
    value, slope = float(found[0]), float(found[1])
    columns = np.column_stack([np.ones_like(x), x - middle])
    p = expit(columns @ found)
    variances = np.linalg.inv(columns.T @ (columns * (trials * p * (1 - p))[:, None]))
    away = -value / slope  # of the midpoint from the middle
    direction = np.array([1.0, away])
    deviance = (
        2 * trials @ (xlogy(share, share) - xlogy(share, p) + xlogy(1 - share, 1 - share) - xlogy(1 - share, 1 - p))
    )
    judgement = judged(
        max(float(deviance), 0.0),
        len(x) - 2,
        midpoint=math.sqrt(direction @ variances @ direction) / slope,
        width=math.sqrt(variances[1, 1]) / slope**2,
    )
    shift = np.array([[1.0, -middle], [0.0, 1.0]])  # to the value at x = 0
    wide = shift @ variances @ shift.T * judgement["widening"] ** 2
    rows = tuple((float(row[0]), float(row[1])) for row in wide)
    return LogisticLaw(midpoint=middle + away, width=1 / slope, variances=(rows[0], rows[1]), **judgement)


def crossing(first: LogisticLaw, second: LogisticLaw) -> Crossing:
    """Where both are equal: the logits a + b x at x = (a1 - a2)/(b2 - b1), with an error to first order.

    **Raises:** ArgumentError where their slopes differ by less than `SURE` standard errors: they may not cross.
    """
    slopes = 1 / first.width, 1 / second.width
    apart = slopes[1] - slopes[0]
    error = math.sqrt(first.variances[1][1] + second.variances[1][1])
    if not abs(apart) > SURE * error:
        raise ArgumentError("width", f"differ by {SURE:g} standard errors of the slope", (first.width, second.width))
    at = (second.midpoint * slopes[1] - first.midpoint * slopes[0]) / apart
    spread = math.sqrt(first.variance_at(at) + second.variance_at(at)) / abs(apart)
    return Crossing(at, spread, float(expit((at - first.midpoint) * slopes[0])))
