"""The Fokker-Planck solver against exact Gaussians, its conservation laws and order, and the density of benchmark A."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from scipy.special import ndtr

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.limits import fokker_planck
from sgdsim.meanfield.limits.density import solve_density
from sgdsim.meanfield.model import GaussianLaw
from tests.meanfield.by_hand import MODEL, X, drift_and_variance


def mean_reverting(faces, centres, masses, time):
    """v = -(w - mean/2), D = 0.3: the mean falls as exp(-t/2), the variance is 0.3 + (v0 - 0.3) exp(-2 t)."""
    return -(faces - masses @ centres / 2), jnp.full(faces.shape, 0.3)


def solve_gaussian(cells: int, steps: int, theta: float = 0.5) -> tuple[float, float]:
    """Errors of the mean and of the variance at t = 1, from N(1, 0.25)."""
    edges = np.linspace(-6, 8, cells + 1)
    centres, dx = (edges[1:] + edges[:-1]) / 2, 14 / cells
    rates = Partial(mean_reverting, jnp.asarray(edges[1:-1]), jnp.asarray(centres))
    start = jnp.asarray(np.diff(ndtr((edges - 1) / 0.5)))
    final = np.asarray(fokker_planck.evolve(rates, start, dx, 1 / steps, steps, 1, theta))[-1]
    mean = final @ centres
    variance = final @ centres**2 - mean**2 - dx**2 / 12
    return mean - np.exp(-0.5), variance - (0.3 + (0.25 - 0.3) * np.exp(-2))


def test_bernoulli_function():
    z = np.array([-800.0, -3.0, -1e-5, 0.0, 1e-5, 3.0, 800.0])
    exact = [800.0, -3 / np.expm1(-3.0), 1 + 5e-6, 1.0, 1 - 5e-6, 3 / np.expm1(3.0), 0.0]
    np.testing.assert_allclose(fokker_planck.bernoulli(jnp.asarray(z)), exact, rtol=1e-10, atol=1e-300)


def test_second_order_in_the_mesh():
    errors = np.abs([solve_gaussian(cells, steps) for cells, steps in ((70, 20), (140, 40), (280, 80))])
    orders = np.log2(errors[:-1] / errors[1:])
    assert (np.abs(orders - 2) < 0.15).all(), (errors, orders)
    assert errors[-1].max() < 1e-3


def test_the_implicit_scheme_is_of_first_order_in_time():
    """Differences are free of the error of the mesh, which does not fall with dt."""
    changes = np.diff([solve_gaussian(280, steps, 1.0) for steps in (20, 40, 80)], axis=0)
    np.testing.assert_allclose(changes[0] / changes[1], 2, atol=0.15)


def test_pure_transport_is_upwind_and_keeps_the_mass():
    """Without diffusion mass moves to the right and piles up at the end."""
    rates = Partial(lambda masses, time: (jnp.ones(39), jnp.zeros(39)))
    start = jnp.zeros(40).at[3].set(1.0)
    found = np.asarray(fokker_planck.evolve(rates, start, 0.1, 0.05, 200, 1, 1.0))[-1]
    assert found.min() >= 0
    assert abs(found.sum() - 1) < 1e-12
    assert found[-1] > 0.999


@pytest.fixture(scope="module")
def density():
    return solve_density(MODEL, 0.1, 5.0, 2.5e-3)


def test_benchmark_known_answer(density):
    assert abs(density.mean[-1] - 0.47413) < 2e-5
    assert abs(density.variance[-1] ** 0.5 - 0.64783) < 2e-5
    np.testing.assert_array_equal(density.edges[[0, -1]], [-7, 8])
    np.testing.assert_allclose([density.mean[0], density.variance[0]], [0.5, 0.25], atol=1e-12)


def test_mass_and_positivity(density):
    assert np.abs(density.masses.sum(axis=1) - 1).max() < 1e-12
    assert density.masses.min() >= 0


def euler_maruyama(noise: float, final: float, steps: int, count: int) -> np.ndarray:
    """Particles of benchmark A with noise of their own, by sums over the atoms."""
    rng = np.random.default_rng(8)
    w = rng.normal(0.5, 0.5, count)
    for _ in range(steps):
        h, Sigma = drift_and_variance(w, np.tanh(np.outer(w, X)).mean(axis=0))
        w = w + -h * final / steps + np.sqrt(noise * Sigma * final / steps) * rng.normal(size=count)
    return w


@pytest.mark.slow
def test_strong_noise_against_particles():
    """gamma = 20: the steps are 35 times as long as the bound for any start. The law is far from a Gaussian."""
    density = solve_density(MODEL, 20.0, 0.25, 2.5e-3)
    assert density.masses.min() >= 0
    assert np.abs(density.masses.sum(axis=1) - 1).max() < 1e-12
    w = euler_maruyama(20.0, 0.25, 400, 20_000)
    for power in (1, 2):
        moment = density.masses[-1] @ density.centres**power
        assert abs((w**power).mean() - moment) < 4 * (w**power).std() / len(w) ** 0.5
    assert np.abs(density.m[-1] - np.tanh(np.outer(w, X)).mean(axis=0)).max() < 4 / len(w) ** 0.5


def test_where_the_scheme_of_second_order_is_not_positive_the_implicit_one_is(monkeypatch):
    fine = solve_density(MODEL, 300.0, 0.1, 2.5e-3)
    monkeypatch.setattr("sgdsim.meanfield.limits.density.MOST_STEPS", 1)
    coarse = solve_density(MODEL, 300.0, 0.1, 2.5e-3)
    for density in (fine, coarse):
        assert density.masses.min() >= 0
        assert np.abs(density.masses.sum(axis=1) - 1).max() < 1e-12
    assert 1e-5 < abs(coarse.variance[-1] / fine.variance[-1] - 1) < 0.02


def test_histogram_of_the_density(density):
    edges = np.linspace(-7, 8, 31)
    found = density.histogram(np.array([0.0, 5.0]), edges)
    np.testing.assert_allclose(found[0], np.diff(ndtr((edges - 0.5) / 0.5)), atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    centres = (edges[1:] + edges[:-1]) / 2
    assert abs(found[1] @ centres - density.mean[-1]) < 5e-3


def test_a_point_has_no_density():
    point = eqx.tree_at(lambda model: model.law, MODEL, GaussianLaw(np.zeros(1), np.zeros(1)))
    with pytest.raises(ArgumentError, match="Gaussian of positive width"):
        solve_density(point, 0.1, 1.0, 0.1)


def test_rates_of_the_model_by_differences(density):
    """v = -h - Sigma'/2 noise, D = Sigma noise/2, with h and Sigma by sums over the atoms."""
    from sgdsim.meanfield.limits.density import ModelRates

    v, D = jax.jit(ModelRates.of(MODEL, density.edges, 0.1).__call__)(jnp.asarray(density.masses[-1]), 0.0)
    at, faces, m = slice(1000, 1400, 57), density.edges[1:-1], density.m[-1]
    h, Sigma = drift_and_variance(faces[at], m)
    slope = (drift_and_variance(faces[at] + 1e-5, m)[1] - drift_and_variance(faces[at] - 1e-5, m)[1]) / 2e-5
    np.testing.assert_allclose(v[at], -h - 0.05 * slope, atol=1e-9)
    np.testing.assert_allclose(D[at], 0.05 * Sigma, atol=1e-13)
