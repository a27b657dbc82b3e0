"""Losses against their definitions: slopes by finite differences, least risks by a search that shares no code."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.meanfield.losses import CallableLoss, CrossEntropy, Logistic, Squared

BUILT_IN = [
    (Squared(), lambda m, y: (m - y) ** 2 / 2),
    (Squared(scale=2.0), lambda m, y: (m - y) ** 2),
    (Logistic(), lambda m, y: np.log1p(np.exp(-y * m))),
    (CrossEntropy(), lambda m, y: -y * np.log(1 / (1 + np.exp(-m))) - (1 - y) * np.log(1 / (1 + np.exp(m)))),
]
LABELS = {Squared: [[0.3, -0.7], [1.0, 2.0]], Logistic: [[1.0, -1.0]] * 2, CrossEntropy: [[1.0, 0.0]] * 2}
WEIGHTS = np.array([[0.1, 0.3], [0.4, 0.2]])


@pytest.mark.parametrize(("loss", "definition"), BUILT_IN)
@given(m=st.floats(-4, 4), label=st.sampled_from([0, 1]))
def test_value_and_slope(loss, definition, m, label):
    y = LABELS[type(loss)][0][label]
    assert float(loss(jnp.asarray(m), jnp.asarray(y))) == pytest.approx(definition(m, y), rel=1e-12, abs=1e-12)
    difference = (definition(m + 1e-5, y) - definition(m - 1e-5, y)) / 2e-5
    assert float(loss.slope(jnp.asarray(m), jnp.asarray(y))) == pytest.approx(difference, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("loss", "definition"), BUILT_IN)
def test_least_risk_is_the_minimum_over_predictions(loss, definition):
    labels, grid = np.array(LABELS[type(loss)]), np.linspace(-6, 6, 24001)
    risks = sum(
        (p[:, None] * definition(grid[None], y[:, None])).sum(axis=0).min()
        for p, y in zip(WEIGHTS, labels, strict=True)
    )
    assert loss.least(labels, WEIGHTS) == pytest.approx(risks, rel=1e-6)


def test_a_function_of_ones_own_is_a_loss():
    own = CallableLoss(lambda m, y: 0.5 * (m - y) ** 2)
    labels = np.array(LABELS[Squared])
    m, y = jnp.array([0.2, -1.0]), jnp.array([1.0, 3.0])
    np.testing.assert_allclose(own.slope(m, y), Squared().slope(m, y), rtol=1e-14)
    np.testing.assert_allclose(own(m, y), Squared()(m, y), rtol=1e-14)
    assert own.least(labels, WEIGHTS) == pytest.approx(Squared().least(labels, WEIGHTS), rel=1e-9)


def test_a_sure_label_leaves_no_risk():
    assert Logistic().least(np.array([[1.0, -1.0]]), np.array([[1.0, 0.0]])) == 0.0
