"""Fluctuations of predictions and mean weights: closed forms, another method of one time, and runs of SGD."""

import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.clt import Clt
from sgdsim.meanfield.data import Atoms
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.limits.fluctuations import fluctuations
from sgdsim.meanfield.limits.linear_noise import linear_noise
from sgdsim.meanfield.losses import Squared
from sgdsim.meanfield.model import GaussianLaw, Model
from sgdsim.meanfield.models import radial_model
from sgdsim.meanfield.particles import Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import LawStart
from tests.helpers import run
from tests.meanfield.by_hand import MODEL

X, Y, P = np.array([1.0, -0.5]), np.array([0.6, 0.4]), np.array([0.4, 0.6])
LINEAR = Model(
    name="linear",
    feature=lambda w, x: w[0] * x[0] + w[1],
    loss=Squared(),
    data=Atoms(X[:, None], Y[:, None], P[:, None]),
    law=GaussianLaw(np.array([0.2, -0.1]), np.array([0.5, 0.3])),
)
"""F = w_0 x + w_1: all particles move by the same vector, and the mean weights are a linear system of their own."""


def exponential(matrix: np.ndarray, t: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.exp(-values * t)) @ vectors.T


def test_linear_features_in_closed_form():
    """mean' = -A mean + b with A = E z z^T, z = (x, 1): from the starts exp(-A t) V exp(-A s), and no other moves."""
    z = np.stack([X, np.ones(2)], axis=1)
    A, V = (z * P[:, None]).T @ z, np.diag([0.25, 0.09])
    found = fluctuations(LINEAR, 2.0).at(np.array([0.7, 2.0]))
    late, soon = exponential(A, 2.0), exponential(A, 0.7)
    np.testing.assert_allclose(found.start[1, 2:, 0, 2:], late @ V @ soon, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(found.start[1, :2, 1, :2], z @ late @ V @ late @ z.T, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(found.variance, [[0.25, 0.09]] * 2, rtol=2e-3)
    # Own noise of a linear particle: its mean is that of the same equation with 1/N of the noise.
    np.testing.assert_allclose(found.own, found.common, rtol=1e-2, atol=1e-5)
    grid = np.linspace(0, 2.0, 2001)
    mean = np.array([0.2, -0.1])
    target = np.linalg.solve(A, z.T @ (P * Y))
    total = np.zeros((2, 2))
    for t in (grid[1:] + grid[:-1]) / 2:
        c = P * (z @ (target + exponential(A, t) @ (mean - target)) - Y)
        noise = z.T @ (np.diag(c**2 / P) - np.outer(c, c)) @ z
        step = exponential(A, 2.0 - t)
        total += step @ noise @ step * 1e-3
    np.testing.assert_allclose(found.common[1, 2:, 1, 2:], total, rtol=1e-2, atol=1e-6)


def test_one_weight_as_by_matrices_of_nodes():
    """The covariance of two particles, by another method: `linear_noise` evolves fields on nodes."""
    found, other = fluctuations(MODEL, 5.0).at(np.array([5.0])), linear_noise(MODEL, 5.0)
    known = found.of_two_particles(0.1, 50, common=True)[0, 0]
    assert abs(known - (0.1 * other.common_covariance + other.start_covariance / 50)) < 2e-5
    assert abs(found.of_two_particles(0.1, 50, common=False)[0, 0] - other.start_covariance / 50) < 2e-5


@pytest.mark.parametrize(
    ("dynamics", "times"),
    [pytest.param(Sgd(batch=2), [1.0, 3.0], marks=pytest.mark.slow), (Sde("independent", dt=0.1), [1.0, 3.0])],
)
def test_spread_of_predictions_over_runs(dynamics, times):
    """Standard deviations of m and the mean, and the largest deviation, over 4096 runs of 40 particles."""
    problem = MeanField(model=MODEL, N=40, gamma=0.3, beta=0.25, dynamics=dynamics)
    tiles = run(problem, LawStart(), Particles(), times, 4096)
    spread = Clt().spread(problem, LawStart(), np.array(times))
    for name in ("m", "mean"):
        ratio = tiles.kept[name].std(axis=0, ddof=1) / spread.std[name][-1]
        assert np.abs(ratio - 1).max() < 0.02 + 5 / (2 * 4096) ** 0.5, (name, ratio)
    assert spread.deviation.shape == (2,)
    assert spread.deviation.max() < spread.sup_deviation < spread.deviation.sum()


def test_deviation_of_one_time_is_the_mean_of_a_maximum():
    problem = MeanField(model=MODEL, N=40, gamma=0.3, beta=0.25)
    spread = Clt().spread(problem, LawStart(), np.array([3.0]))
    covariance = fluctuations(MODEL, 3.0).at(np.array([3.0])).covariance(problem.eps, 40, True)[0, :8, 0, :8]
    sizes = np.abs(np.random.default_rng(1).multivariate_normal(np.zeros(8), covariance, 40_000)).max(axis=1)
    assert spread.sup_deviation == pytest.approx(spread.deviation[0])
    assert abs(spread.deviation[0] / sizes.mean() - 1) < 0.03


@pytest.mark.parametrize(
    ("keys", "argument"), [({"beta": 1.0, "dynamics": Sde()}, "beta"), ({"model": radial_model(4)}, "model")]
)
def test_what_has_no_such_theory_is_refused(keys, argument):
    problem = MeanField(**({"model": MODEL, "N": 9, "gamma": 0.1, "beta": 0.5} | keys))
    assert not Clt().exists(problem)
    with pytest.raises(ArgumentError) as caught:
        Clt().check(problem)
    assert caught.value.argument == argument


def test_many_weights_are_refused():
    wide = GaussianLaw(np.zeros(9), np.ones(9))
    model = Model(name="wide", feature=lambda w, x: jnp.tanh(w[0] * x[0]), loss=Squared(), data=LINEAR.data, law=wide)
    with pytest.raises(ArgumentError, match="weights"):
        fluctuations(model, 1.0)
