"""A share that rises with a parameter, as a law of Gumbel, by maximum likelihood; and where two of them cross."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import xlogy

from sgdsim.analysis.goodness import judged
from sgdsim.errors import ArgumentError

_STEPS = 100
SURE = 2.0
"""Standard errors by which slopes have to differ for two functions to cross."""


_OPEN = 0.5
"""Variance of a number of successes below which it is sure to be none, or all."""
_LOWEST = -6.0
"""z below which a share is 0: there it would be 2^-400."""


def gumbel(z: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """2^(-exp(-z)): from 0 suddenly, through 1/2 at z = 0, to 1 as slowly as exp(-z)."""
    return np.exp(-_rate(z))


def _rate(z: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """y of a share exp(-y)."""
    return math.log(2.0) * np.exp(-np.maximum(z, _LOWEST))


@dataclass(frozen=True)
class GumbelLaw:
    """The fitted law E share = 2^(-exp(-z)), z = (x - midpoint)/width.

    Errors are those of the binomial law, `chi2` is the deviance; where it says that the law does not hold, errors are
    widened. `dof`: points less 2, of those whose share may be another: n p (1 - p) is 1/2 or more. `variances`: of z at
    x = 0 and of its slope, widened.
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
        """The variance of z = (x - midpoint)/width."""
        direction = np.array([1.0, x])
        return float(direction @ np.array(self.variances) @ direction)


@dataclass(frozen=True)
class Crossing:
    """Where two such functions are equal, with its standard error, and their share there."""

    at: float
    error: float
    share: float


def fit_gumbel(
    x: Sequence[float] | Float[np.ndarray, " points"],
    share: Sequence[float] | Float[np.ndarray, " points"],
    trials: Sequence[float] | Float[np.ndarray, " points"],
) -> GumbelLaw:
    """Fits the law to shares of so many independent trials each.

    Maximises sum_i n_i [s_i log p_i + (1 - s_i) log(1 - p_i)], which is concave, by Fisher's scoring; the errors are
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
        z = columns @ found
        score = trials * (share - gumbel(z)) * _rate(z) / -np.expm1(-_rate(z))
        step = np.linalg.solve(_information(columns, trials, z), columns.T @ score)
        # Far from the maximum a whole step may overshoot: z moves by 2 at most.
        found = found + step * min(1.0, 2.0 / max(np.abs(columns @ step).max(), 1e-300))
        if np.abs(step).max() < 1e-12 * max(1.0, np.abs(found).max()):
            break
    if not found[1] > 0:
        raise ArgumentError("share", "rise with x", share.tolist())
    return _law(x, share, trials, float(middle), found)


def _information(
    columns: Float[np.ndarray, "n 2"], trials: Float[np.ndarray, " n"], z: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "2 2"]:
    """Fisher's: the square of dp/dz = p y over the variance p (1 - p) of a trial."""
    weights = trials * gumbel(z) * _rate(z) ** 2 / -np.expm1(-_rate(z))
    return columns.T @ (columns * weights[:, None])


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
) -> GumbelLaw:
    """The law with its errors, from z at the middle of x and its slope."""
    value, slope = float(found[0]), float(found[1])
    columns = np.column_stack([np.ones_like(x), x - middle])
    z = columns @ found
    variances = np.linalg.inv(_information(columns, trials, z))
    away = -value / slope  # of the midpoint from the middle
    direction = np.array([1.0, away])
    # log p = -y, also where p is 0 in floating point.
    failures = xlogy(1 - share, 1 - share) - xlogy(1 - share, -np.expm1(-_rate(z)))
    deviance = 2 * trials @ (xlogy(share, share) + share * _rate(z) + failures)
    judgement = judged(
        max(float(deviance), 0.0),
        max(int((trials * gumbel(z) * (1 - gumbel(z)) >= _OPEN).sum()) - 2, 0),
        midpoint=math.sqrt(direction @ variances @ direction) / slope,
        width=math.sqrt(variances[1, 1]) / slope**2,
    )
    shift = np.array([[1.0, -middle], [0.0, 1.0]])  # to the value at x = 0
    wide = shift @ variances @ shift.T * judgement["widening"] ** 2
    rows = tuple((float(row[0]), float(row[1])) for row in wide)
    return GumbelLaw(midpoint=middle + away, width=1 / slope, variances=(rows[0], rows[1]), **judgement)


def crossing(first: GumbelLaw, second: GumbelLaw) -> Crossing:
    """Where both are equal: z = a + b x of both at x = (a1 - a2)/(b2 - b1), with an error to first order.

    **Raises:** ArgumentError where their slopes differ by less than `SURE` standard errors: they may not cross.
    """
    slopes = 1 / first.width, 1 / second.width
    apart = slopes[1] - slopes[0]
    error = math.sqrt(first.variances[1][1] + second.variances[1][1])
    if not abs(apart) > SURE * error:
        raise ArgumentError("width", f"differ by {SURE:g} standard errors of the slope", (first.width, second.width))
    at = (second.midpoint * slopes[1] - first.midpoint * slopes[0]) / apart
    spread = math.sqrt(first.variance_at(at) + second.variance_at(at)) / abs(apart)
    return Crossing(at, spread, float(gumbel(np.array([at - first.midpoint]) * slopes[0])[0]))
