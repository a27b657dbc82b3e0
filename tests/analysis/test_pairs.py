"""Covariance of two particles of a run: recovered from Gaussians, with an error bar that covers it."""

import numpy as np
import pytest

from sgdsim.analysis.pairs import pair_covariance
from sgdsim.errors import ArgumentError


def runs(rng: np.random.Generator, count: int, N: int, covariance: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the particles of every run; particles have variance 1 + covariance."""
    W = rng.normal(size=(count, N)) + covariance**0.5 * rng.normal(size=(count, 1))
    return W.mean(axis=1), W.var(axis=1)


def test_all_pairs_by_hand():
    """Three runs of three particles: the products of their deviations, pair by pair, with an unsymmetric spread."""
    W = np.array([[1.0, 2.0, 6.0], [0.0, -1.0, 4.0], [2.0, 2.5, 0.5]])
    runs_mean, N = W.mean(axis=1), 3
    mu = runs_mean.mean()
    pairs = [(row[one] - mu) * (row[two] - mu) for row in W for one in range(N) for two in range(N) if one != two]
    # About the mean of the runs themselves the products are too small, by as much as the variance of divisor R is.
    expected = sum(pairs) / len(pairs) + runs_mean.var(ddof=1) - runs_mean.var()
    found = pair_covariance(runs_mean, W.var(axis=1), N)
    assert found.covariance == pytest.approx(expected, rel=1e-13)
    total = W.var(axis=1).mean() + runs_mean.var(ddof=1)
    assert found.correlation == pytest.approx(expected / total, rel=1e-13)


def test_covariance_and_coverage():
    rng, N = np.random.default_rng(3), 20
    found = [pair_covariance(*runs(rng, 60, N, 0.05), N, resamples=200) for _ in range(150)]
    for value, error, exact in (
        ("covariance", "covariance_error", 0.05),
        ("correlation", "correlation_error", 0.05 / 1.05),
    ):
        values, errors = (np.array([getattr(one, name) for one in found]) for name in (value, error))
        assert abs(values.mean() - exact) < 4 * values.std(ddof=1) / np.sqrt(len(values)) + 0.001
        covered = np.mean(np.abs(values - exact) < 2 * errors)
        assert 0.87 < covered < 0.99, covered


def test_runs_that_diverged_are_left_out():
    mean, variance = runs(np.random.default_rng(1), 30, 5, 0.2)
    padded = (np.append(values, np.nan) for values in (mean, variance))
    whole, with_nan = pair_covariance(mean, variance, 5), pair_covariance(*padded, 5)
    assert whole == with_nan


def test_too_little_is_refused():
    with pytest.raises(ArgumentError, match="three finite runs"):
        pair_covariance(np.ones(2), np.ones(2), 5)
    with pytest.raises(ArgumentError, match="at least 2"):
        pair_covariance(np.ones(4), np.ones(4), 1)
