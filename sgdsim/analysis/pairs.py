"""How independent the particles of a run are: the covariance of two of them over runs, and its bootstrap error."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sgdsim.analysis.bootstrap import RESAMPLES, with_error
from sgdsim.errors import ArgumentError


@dataclass(frozen=True)
class PairCovariance:
    """Covariance of two particles of one run over runs, and intraclass correlation, covariance/variance of a particle.

    Errors are standard deviations over bootstrap experiments.
    """

    covariance: float
    covariance_error: float
    correlation: float
    correlation_error: float


def pair_covariance(
    mean: Float[np.ndarray, " replicas"],
    variance: Float[np.ndarray, " replicas"],
    N: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairCovariance:
    """From the mean and the variance (of divisor N) of the N particles of every run.

        v = E variance + Var_runs(mean),   Cov(W^1, W^2) = Var_runs(mean) - E variance/(N - 1)

    The covariance is E (W^k - mu)(W^l - mu) over the N (N - 1) pairs k != l of a run: the N^2 products sum up to
    N^2 (mean - mu)^2, of which the N squares make N (variance + (mean - mu)^2). The correlation is Cov/v.

    Runs, never particles, are drawn again for the error bars: particles of a run are not independent.

    **Raises:** ArgumentError for arrays of another shape, fewer than three finite runs, or N < 2.
    """
    mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    if mean.ndim != 1 or mean.shape != variance.shape:
        remedy = "Of particles of several weights take one weight at a time."
        raise ArgumentError("mean, variance", "have one shape (replicas,)", [mean.shape, variance.shape], remedy)
    finite = np.isfinite(mean) & np.isfinite(variance)
    mean, variance = mean[finite], variance[finite]
    if len(mean) < 3:
        raise ArgumentError("mean", "hold at least three finite runs", len(mean))
    if N < 2:
        raise ArgumentError("N", "be at least 2", N)
    found, errors = with_error(
        lambda means, variances: _estimate(means, variances, N), mean, variance, resamples=resamples, seed=seed
    )
    return PairCovariance(float(found[0]), float(errors[0]), float(found[1]), float(errors[1]))


def _estimate(mean: np.ndarray, variance: np.ndarray, N: int) -> tuple[float, float]:
    """Covariance and intraclass correlation."""
    between, within = float(mean.var(ddof=1)), float(variance.mean())
    covariance, total = between - within / (N - 1), between + within
    return covariance, covariance / total if total > 0 else 0.0
