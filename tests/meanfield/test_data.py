"""Atoms and samplers: exact averages, frequencies of what is drawn, and what is refused."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.data import Atoms, TwoGaussians
from sgdsim.meanfield.losses import Squared
from tests.meanfield.by_hand import MODEL, G

KEYS = jnp.asarray(replica_keys(3, 0, 0, 20_000))


def atoms(weights=(0.1, 0.2, 0.3, 0.4)) -> Atoms:
    return Atoms(np.array([[0.5], [2.0]]), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array(weights).reshape(2, 2))


def test_coefficients_and_risk_by_hand():
    m = jnp.array([0.5, -1.0])
    c, s = atoms().coefficients(Squared(), m)
    np.testing.assert_allclose(c, [0.1 * -0.5 + 0.2 * -1.5, 0.3 * -4 + 0.4 * -5], rtol=1e-14)
    np.testing.assert_allclose(s, [0.1 * 0.25 + 0.2 * 2.25, 0.3 * 16 + 0.4 * 25], rtol=1e-14)
    assert float(atoms().risk(Squared(), m)) == pytest.approx(0.5 * (0.1 * 0.25 + 0.2 * 2.25 + 0.3 * 16 + 0.4 * 25))


def test_excess_risk_of_the_benchmark_is_that_of_the_target():
    """Labels g +- 1/2 cost 1/8 whatever is predicted; the rest is E (m - g)^2 / 2."""
    m = np.linspace(0, 0.5, 8)
    excess = float(MODEL.data.risk(MODEL.loss, jnp.asarray(m))) - MODEL.least_risk
    assert excess == pytest.approx(np.mean((m - G) ** 2) / 2, rel=1e-12)
    assert MODEL.least_risk == pytest.approx(0.125, rel=1e-12)


def test_atoms_are_drawn_with_their_probabilities():
    key = (KEYS[0], KEYS[1])
    draw_atom = eqx.filter_jit(atoms().draw_atom)
    index = np.asarray(draw_atom(key, jnp.uint32(4)))
    counts = np.bincount(index, minlength=4)
    assert stats.chisquare(counts, 20_000 * np.array([0.1, 0.2, 0.3, 0.4])).pvalue > 1e-4
    other = np.asarray(draw_atom(key, jnp.uint32(5)))
    assert abs(np.corrcoef(index, other)[0, 1]) < 5 / 20_000**0.5
    (x,), y = atoms().atom(jnp.asarray(index), jnp.dtype("float64"))
    np.testing.assert_array_equal(x, np.array([0.5, 0.5, 2.0, 2.0])[index])
    np.testing.assert_array_equal(y, index + 1.0)


def test_two_gaussians_have_their_variances():
    data = TwoGaussians(3)
    x, y = eqx.filter_jit(data.draw)((KEYS[0], KEYS[1]), jnp.uint32(9), jnp.dtype("float64"))
    x, y = np.stack(x), np.asarray(y)
    assert abs(y.mean()) < 5 / 20_000**0.5
    for sign in (1, -1):
        part = x[:, y == sign]
        variance, error = (1 + 0.8 * sign) ** 2, (2 / part.shape[1]) ** 0.5
        np.testing.assert_allclose(np.cov(part), variance * np.eye(3), atol=5 * error * variance)
        assert np.abs(part.mean(axis=1)).max() < 5 * (variance / part.shape[1]) ** 0.5


def test_two_gaussians_average_over_their_points():
    data, predictions = TwoGaussians(2, count=4), jnp.array([1.0, 2.0, 3.0, -6.0])
    np.testing.assert_allclose(data.order_parameters(predictions), [2.0, -2.0])
    assert float(data.risk(Squared(2.0), predictions)) == pytest.approx((0 + 9 + 4 + 25) / 4)


@pytest.mark.parametrize("weights", [(0.1, 0.2, 0.3, 0.3), (-0.1, 0.4, 0.3, 0.4)])
def test_weights_that_are_no_probabilities_are_refused(weights):
    with pytest.raises(ArgumentError, match="weights"):
        atoms(weights)


def test_shapes_that_do_not_agree_are_refused():
    with pytest.raises(ArgumentError, match="shapes"):
        Atoms(np.zeros((3, 1)), np.zeros((2, 2)), np.full((2, 2), 0.25))
