"""Copies of one network: dependence of two particles in closed form, and which of them share what."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.meanfield.dynamics import Sgd
from sgdsim.meanfield.kernels.copies import covariance, distance_covariance
from sgdsim.meanfield.limits.linear_noise import linear_noise
from sgdsim.meanfield.particles import Copies
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import ExplicitStart, LawStart
from tests.helpers import run
from tests.meanfield.by_hand import MODEL


def z_score(values: np.ndarray, expected: float) -> float:
    return float((values.mean() - expected) / (values.std(ddof=1) / values.size**0.5))


@cache
def gaussians(rho: float) -> list[tuple[jnp.ndarray]]:
    """Four runs of three particles, N(0, 1) with correlation rho, in many lanes."""
    z = np.random.default_rng(4).standard_normal((4, 4, 100_000))
    return [(jnp.asarray(rho**0.5 * one[:1] + (1 - rho) ** 0.5 * one[1:]),) for one in z]


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8])
def test_dependence_of_gaussians_in_closed_form(rho):
    """Szekely, Rizzo & Bakirov 2007, theorem 7: of standard normals with correlation rho."""
    expected = (
        4 / np.pi * (rho * np.arcsin(rho) + (1 - rho**2) ** 0.5 - rho * np.arcsin(rho / 2) - (4 - rho**2) ** 0.5 + 1)
    )
    values = np.asarray(distance_covariance(gaussians(rho)))
    assert abs(z_score(values, expected)) < 5
    assert abs(z_score(np.asarray(covariance(gaussians(rho))), rho)) < 5
    if rho == 0.8:
        assert values.std() / values.size**0.5 < 0.02 * expected


def test_dependence_and_covariance_by_hand():
    """Two particles of two weights, in one lane: all 2 x 3 products of distances, written out."""
    rng = np.random.default_rng(1)
    W = rng.standard_normal((4, 2, 2))  # runs, weights, particles

    def between(i: int, j: int) -> np.ndarray:
        return np.linalg.norm(W[i] - W[j], axis=0)

    found = 0.0
    for a, b, c, d in ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2)):
        D = between(a, d) + between(b, c) - between(a, c) - between(b, d)
        found += D[0] * D[1] / 12
    runs = [tuple(jnp.asarray(w)[:, None] for w in one) for one in W]
    assert float(distance_covariance(runs)[0]) == pytest.approx(found)
    apart = [W[0] - W[1], W[2] - W[3]]
    assert float(covariance(runs)[0]) == pytest.approx(sum((one[:, 0] * one[:, 1]).sum() for one in apart) / 4)


def test_given_start_and_data_nothing_is_left():
    """From one start copies with the data of the first are the first; those with data of their own are not."""
    start = ExplicitStart(tuple((0.1 * k,) for k in range(6)))
    problem = MeanField(model=MODEL, N=6, gamma=0.3, beta=1.0)
    tiles = run(problem, start, Copies(), [1.5], 16)
    assert not tiles.kept["covariance_given_data"].any()
    assert not tiles.kept["dependence_given_data"].any()
    assert (np.abs(tiles.kept["covariance"]) > 1e-4).all()


@pytest.mark.slow
@pytest.mark.parametrize("dynamics", [Sgd(), Sgd("per_particle")])
def test_covariance_is_that_of_linear_noise(dynamics):
    """eps of it is of the data that particles share, 1/N of the starts; given the data the latter alone."""
    problem = MeanField(model=MODEL, N=24, gamma=0.2, beta=0.25, dynamics=dynamics)
    tiles, theory = run(problem, LawStart(), Copies(), [5.0], 2048), linear_noise(MODEL, 5.0)
    shared = theory.common_covariance * problem.eps if dynamics.common else 0.0
    for name, expected in (("covariance", shared), ("covariance_given_data", 0.0)):
        values, known = tiles.kept[name], expected + theory.start_covariance / 24
        error = values.std(ddof=1) / len(values) ** 0.5
        # The next order is about 2 eps of each term, and 1/N of the second.
        room = (0.02 + 2 * problem.eps) * (abs(shared) + abs(theory.start_covariance) / 24) + 1 / 24**2
        assert abs(values.mean() - known) < 5 * error + room, name
        assert error < 0.1 * abs(theory.start_covariance) / 24


@pytest.mark.slow
def test_particles_of_sgd_at_beta_1_are_independent_given_the_data_only():
    tiles = run(MeanField(model=MODEL, N=256, gamma=0.3, beta=1.0), LawStart(), Copies(), [5.0], 256)
    assert z_score(tiles.kept["dependence"], 0.0) > 5
    assert abs(z_score(tiles.kept["dependence_given_data"], 0.0)) < 5
