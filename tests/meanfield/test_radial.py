"""The law of |w| of two Gaussians: closed forms against quadrature, and the risk of particles in many dimensions."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from sgdsim.meanfield.limits import radial
from sgdsim.meanfield.limits.limit import solution
from sgdsim.meanfield.models import radial_model, tanh_model
from sgdsim.meanfield.problem import MeanField

MODEL = radial_model(40)


def step(u: float) -> float:
    return float(np.clip(-2.5 + 10 * (u - 0.5), -2.5, 7.5))


def expected(sigma: float) -> float:
    """E s(sigma G)."""
    density = lambda g: step(sigma * g) * np.exp(-g * g / 2) / np.sqrt(2 * np.pi)  # noqa: E731
    knots = [-9, *[a / sigma for a in (0.5, 1.5) if a / sigma < 9], 9]
    return sum(quad(density, a, b, epsabs=1e-12)[0] for a, b in pairwise(knots))


@pytest.mark.parametrize("r", [0.3, 0.8, 2.0])
def test_outputs_by_quadrature(r):
    plus, minus = radial.outputs(jnp.asarray(r))
    np.testing.assert_allclose([plus, minus], [expected(1.8 * r), expected(0.2 * r)], atol=1e-9)
    for slope, at in zip(radial.slopes(jnp.asarray(r)), (1.8, 0.2), strict=True):
        differences = (expected(at * (r + 1e-4)) - expected(at * (r - 1e-4))) / 2e-4
        np.testing.assert_allclose(slope, differences, atol=1e-6)


def test_velocity_is_down_the_slope_of_psi():
    """psi = -q+ (1 - Q+) + q- (1 + Q-), with q+- by quadrature, at unsymmetric Q+-."""
    Q, r, small = (0.3, -0.4), 1.1, 1e-4
    psi = [-expected(1.8 * r) * (1 - Q[0]) + expected(0.2 * r) * (1 + Q[1]) for r in (r - small, r + small)]
    (velocity,) = radial.velocity((jnp.array([[r]]),), jnp.array(Q))
    assert float(velocity[0, 0]) == pytest.approx(-(psi[1] - psi[0]) / (2 * small), rel=1e-6)


def test_risk_is_that_of_the_model():
    """Of predictions that are Q+ for y = 1 and Q- for y = -1: the mean loss over the points."""
    Q = jnp.array([0.7, -0.2])
    predictions = jnp.tile(Q, len(MODEL.data.points) // 2)
    np.testing.assert_allclose(MODEL.data.order_parameters(predictions), Q, rtol=1e-12)
    assert float(radial.risk(Q)) == pytest.approx(0.3**2 / 2 + 0.8**2 / 2, rel=1e-12)
    assert float(MODEL.data.risk(MODEL.loss, predictions)) == pytest.approx(float(radial.risk(Q)), rel=1e-12)


@pytest.fixture(scope="module")
def solved():
    return solution(MeanField(model=MODEL, N=100, gamma=0.1, beta=0.5), 8.0)


@pytest.mark.slow
def test_risk_falls(solved):
    """Gradient flow: the risk never rises, and it falls by more than a half."""
    risk = np.asarray(radial.risk(solved.limit.m))
    assert np.diff(risk).max() < 1e-10
    assert risk[-1] < risk[0] / 2


@pytest.mark.slow
def test_start_has_the_chi_square_law(solved):
    """E r^2 = 0.64, and the histogram agrees with samples of |w|."""
    assert abs(float(solved.limit.variance[0].sum()) - 0.64) < 1e-6
    edges = np.linspace(0, 12, 481)
    norms = np.linalg.norm(np.random.default_rng(0).normal(0, 0.8 / 40**0.5, (20000, 40)), axis=1)
    counts = np.histogram(norms, edges)[0] / 20000
    found = solved.histogram(np.array([0.0, 2.0]), edges)
    np.testing.assert_allclose(found[0], counts, atol=4 * 0.5 / 20000**0.5)
    centres = (edges[1:] + edges[:-1]) / 2
    variance = float(solved.limit.variance_at(jnp.array([2.0]))[0, 0])
    np.testing.assert_allclose(found[1] @ centres**2, 40 * variance, rtol=1e-3)


@pytest.mark.slow
def test_quadrature_agrees_with_samples_of_the_start(solved):
    (r,), _ = radial.start_quantiles(MODEL)
    chance = radial.start_quantiles(MODEL)[1]
    q = np.stack([np.asarray(value)[:, 0] for value in radial.outputs(r)], axis=1)
    by_quantiles = np.sum((q[1:] + q[:-1]) / 2 * np.diff(chance)[:, None], axis=0)
    np.testing.assert_allclose(solved.limit.m[0], by_quantiles, atol=1e-6)


def test_which_models_are_radial():
    assert radial.is_radial(MODEL)
    assert not radial.is_radial(tanh_model())
