"""Coefficients of the fluctuations: known answers, and a direct simulation of the nonlinear particles in NumPy."""

import numpy as np
import pytest

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.limits.linear_noise import linear_noise
from sgdsim.meanfield.models import output_model
from tests.meanfield.by_hand import MODEL, G, X


@pytest.fixture(scope="module")
def found():
    return linear_noise(MODEL, 5.0)


def test_known_answers(found):
    assert abs(found.independent - 1.0003) < 5e-5
    assert abs(found.common - 0.1590) < 5e-5
    assert abs(found.start - 0.2872) < 5e-5
    assert abs(found.common_covariance - 0.1074) < 5e-5
    assert abs(found.deviation_covariance - 0.2235) < 5e-5


def flow(w: np.ndarray) -> np.ndarray:
    """Runs of particles (runs, N) at T = 5 without noise, by Heun's scheme."""

    def velocity(w: np.ndarray) -> np.ndarray:
        outputs = [np.tanh(w * x) for x in X]
        pulls = [(t.mean(axis=1, keepdims=True) - g) * x * (1 - t**2) for t, g, x in zip(outputs, G, X, strict=True)]
        return -sum(pulls) / len(X)

    for _ in range(20):
        first = velocity(w)
        w = w + 0.125 * (first + velocity(w + 0.25 * first))
    return w


def test_covariance_from_random_starts(found):
    """N Var(mean) - v of 1500 runs of 100 particles: N Cov(W^1, W^2)."""
    w = flow(np.random.default_rng(5).normal(0.5, 0.5, (1500, 100)))
    between = w.mean(axis=1).var(ddof=1)
    total = w.var(axis=1).mean() + between
    error = np.hypot(100 * between * np.sqrt(2 / 1500), 0.5 * np.sqrt(2 / w.size))
    assert abs(100 * (100 * between - total) / 99 - found.start_covariance) < 4 * error + 0.01


def test_particles_of_several_weights_are_refused():
    with pytest.raises(ArgumentError, match="one weight"):
        linear_noise(output_model(), 1.0)
