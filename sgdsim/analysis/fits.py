"""Power laws: weighted least squares on logs, with error bars from the replicas themselves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sgdsim.analysis.bootstrap import RESAMPLES, mean_and_sem
from sgdsim.analysis.goodness import in_words, judged
from sgdsim.analysis.numbers import rounded
from sgdsim.errors import ArgumentError

GATHER = 2**18
"""Numbers gathered at once while resampling: 2 MB, so that memory does not grow with the number of replicas."""


@dataclass(frozen=True)
class PowerLaw:
    """The fitted law y = constant * x^slope.

    `chi2` is the sum of squared residuals of log y in units of their standard errors; it is close to `dof` (points - 2)
    where a power law describes the points. `p_value`: the probability of a chi2 no smaller, where it does; below 1e-3
    the `_error` are the `_statistical_error` times `widening` = sqrt(chi2/dof), elsewhere the same.
    """

    slope: float
    slope_error: float
    slope_statistical_error: float
    constant: float
    constant_error: float
    constant_statistical_error: float
    chi2: float
    dof: int
    p_value: float
    widening: float

    def __str__(self) -> str:
        slope, constant = rounded(self.slope, self.slope_error), rounded(self.constant, self.constant_error)
        quality = in_words(self.chi2, self.dof, self.widening)
        return f"y = constant * x^slope: slope {slope}, constant {constant}, {quality}"


def fit_power_law(
    x: Sequence[float] | Float[np.ndarray, " points"],
    samples: Sequence[Float[np.ndarray, " replicas"]],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PowerLaw:
    """Fits mean(y) = constant * x^slope to points of which every replica is known.

    Minimises sum_i w_i (log mean_i - log constant - slope log x_i)^2 with w_i = (mean_i / sem_i)^2. The error bars are
    the standard deviations over `resamples` bootstrap experiments: the replicas of each point are drawn again with
    replacement, independently of the other points; the weights stay those of the data. The result depends on the data
    and `seed` only.

    **Arguments:**

    - `x`: abscissae, > 0, shape (points,).
    - `samples`: for each point, the values of its replicas, shape (replicas,); NaN (a diverged replica) is left out.
    - `resamples`: number of bootstrap experiments; the error bars are known to 1/sqrt(2 resamples). The cost is
      resamples * replicas random numbers per point.
    - `seed`: of the bootstrap.

    **Raises:** ArgumentError with fewer than two distinct x, or where a point has no positive mean or no spread.
    """
    finite, mean, sem = finite_samples(samples)
    design = _Design.of(x, mean, sem)
    rng = np.random.default_rng(seed)
    means = np.stack([resampled_means(sample, resamples, rng) for sample in finite])  # (points, resamples)
    # A mean within a few errors of 0 has resamples below it: of these there is no logarithm.
    if not (means > 0).all():
        raise ArgumentError("samples", "have a mean well above 0 at every point, in units of its error", means.min())
    slopes, intercepts = design.estimate(np.log(means))
    return design.law(mean, slopes.std(ddof=1), np.exp(intercepts).std(ddof=1))


def fit_power_law_to_means(
    x: Sequence[float] | Float[np.ndarray, " points"],
    mean: Float[np.ndarray, " points"],
    sem: Float[np.ndarray, " points"],
) -> PowerLaw:
    """Fits a power law to points of which only mean and standard error are known.

    The error bars are those of weighted least squares, Cov = (X^T W X)^-1 with W = diag((mean/sem)^2), and to first
    order constant_error = constant * error(log constant).

    **Raises:** ArgumentError with fewer than two distinct x, or where a mean or a standard error is not > 0.
    """
    mean, sem = np.asarray(mean, np.float64), np.asarray(sem, np.float64)
    design = _Design.of(x, mean, sem)
    slope_error, intercept_error = design.errors()
    _, intercept = design.estimate(np.log(mean)[:, None])
    return design.law(mean, slope_error, math.exp(intercept.item()) * intercept_error)


def weighted_law(
    x: Sequence[float] | Float[np.ndarray, " points"],
    mean: Float[np.ndarray, " points"],
    sem: Float[np.ndarray, " points"],
    values: Float[np.ndarray, " points"],
) -> tuple[float, float]:
    """(slope, constant) that the fit to (x, mean, sem) would find if it met `values` there: theory, seen as data are.

    **Raises:** ArgumentError as `fit_power_law_to_means` does, and where a value is not > 0.
    """
    values = np.asarray(values, np.float64)
    if not (np.isfinite(values) & (values > 0)).all():
        raise ArgumentError("values", "be finite and > 0 at every point", values.tolist())
    design = _Design.of(x, np.asarray(mean, np.float64), np.asarray(sem, np.float64))
    slope, intercept = design.estimate(np.log(values)[:, None])
    return float(slope.item()), math.exp(intercept.item())


@dataclass(frozen=True)
class _Design:
    """Weighted least squares of log y on log x, log x taken from its weighted mean."""

    log_x: Float[np.ndarray, " points"]
    weights: Float[np.ndarray, " points"]
    centre: float

    @classmethod
    def of(cls, x: object, mean: np.ndarray, sem: np.ndarray) -> "_Design":
        x = np.asarray(x, np.float64)
        if x.shape != mean.shape:
            raise ArgumentError("x", f"have one value for each of the {len(mean)} points", x.shape)
        if not (np.isfinite(x) & (x > 0)).all() or len(np.unique(x)) < 2:
            raise ArgumentError("x", "have at least two distinct values, all finite and > 0", x.tolist())
        for name, value in (("mean", mean), ("sem", sem)):
            if not (np.isfinite(value) & (value > 0)).all():
                raise ArgumentError(name, "be finite and > 0 at every point", value.tolist())
        # The error of log y is sem/mean, to first order.
        weights = (mean / sem) ** 2
        log_x = np.log(x)
        # From the weighted mean slope and intercept are uncorrelated, and their formulas do not cancel.
        centre = float(weights @ log_x / weights.sum())
        return cls(log_x=log_x - centre, weights=weights, centre=centre)

    def estimate(
        self, log_y: Float[np.ndarray, "points experiments"]
    ) -> tuple[Float[np.ndarray, " experiments"], Float[np.ndarray, " experiments"]]:
        """Slope and intercept of every experiment."""
        leverage = self.weights * self.log_x
        slope = leverage @ log_y / (leverage @ self.log_x)
        return slope, self.weights @ log_y / self.weights.sum() - slope * self.centre

    def errors(self) -> tuple[float, float]:
        """Standard errors of slope and intercept."""
        slope_variance = 1 / float(self.weights @ self.log_x**2)
        return math.sqrt(slope_variance), math.sqrt(1 / self.weights.sum() + self.centre**2 * slope_variance)

    def law(self, mean: np.ndarray, slope_error: float, constant_error: float) -> PowerLaw:
        """The law through the means, with these statistical errors."""
        slope, intercept = (value.item() for value in self.estimate(np.log(mean)[:, None]))
        residual = np.log(mean) - intercept - slope * (self.log_x + self.centre)
        judgement = judged(self.weights @ residual**2, len(mean) - 2, slope=slope_error, constant=constant_error)
        return PowerLaw(slope=slope, constant=math.exp(intercept), **judgement)


def finite_samples(
    samples: Sequence[Float[np.ndarray, " _"]],
) -> tuple[list[Float[np.ndarray, " _"]], Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """The finite replicas of every point, their means, and the standard errors of these.

    **Raises:** ArgumentError where a point has fewer than two.
    """
    finite = [sample[np.isfinite(sample)] for sample in (np.asarray(sample, np.float64) for sample in samples)]
    for sample in finite:
        if len(sample) < 2:
            raise ArgumentError("samples", "hold at least two finite replicas at every point", len(sample))
    mean, sem = np.array([mean_and_sem(sample) for sample in finite]).T
    return finite, mean, sem


def resampled_means(
    sample: Float[np.ndarray, " replicas"], resamples: int, rng: np.random.Generator
) -> Float[np.ndarray, " resamples"]:
    """Means of `resamples` samples drawn from `sample` with replacement, of its size."""
    rows = max(1, GATHER // len(sample))
    means = np.empty(resamples)
    for first in range(0, resamples, rows):
        # dtype fixed: a platform's default integer would take other bits from the generator.
        chosen = rng.integers(len(sample), size=(min(rows, resamples - first), len(sample)), dtype=np.int64)
        means[first : first + rows] = sample[chosen].mean(axis=1)
    return means
