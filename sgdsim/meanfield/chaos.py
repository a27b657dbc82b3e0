"""How independent particles are: the covariance of two particles of a run."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

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
    resamples: int = 400,
    seed: int = 0,
) -> PairCovariance:
    """From the mean and the variance (of divisor N) of the N particles of every run.

        v = E variance + Var_runs(mean),   Cov(W^1, W^2) = (N Var_runs(mean) - v)/(N - 1)

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
    rng = np.random.default_rng(seed)
    again = [rng.integers(len(mean), size=len(mean)) for _ in range(resamples)]
    drawn = np.array([_estimate(mean[chosen], variance[chosen], N) for chosen in again])
    covariance, correlation = _estimate(mean, variance, N)
    errors = drawn.std(axis=0, ddof=1)
    return PairCovariance(covariance, float(errors[0]), correlation, float(errors[1]))


def _estimate(mean: np.ndarray, variance: np.ndarray, N: int) -> tuple[float, float]:
    """Covariance and intraclass correlation."""
    between = float(mean.var(ddof=1))
    total = float(variance.mean()) + between
    covariance = (N * between - total) / (N - 1)
    return covariance, covariance / total if total > 0 else 0.0
