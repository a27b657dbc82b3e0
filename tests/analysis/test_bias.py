"""The 1/x law on data whose coefficients are known, and its error bars against repeated experiments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.analysis.bias import fit_bias
from sgdsim.errors import ArgumentError
from sgdsim.laws.bias import FittedBias

X = np.array([100.0, 200.0, 400.0, 800.0])
SEM = np.array([3e-3, 1e-3, 2e-3, 1e-3])


@given(intercept=st.floats(-10, 10), coefficient=st.floats(-100, 100))
def test_an_exact_law_is_found(intercept, coefficient):
    law = fit_bias(X, intercept + coefficient / X, SEM)
    assert law.intercept == pytest.approx(intercept, abs=1e-10)
    assert law.coefficient == pytest.approx(coefficient, abs=1e-8)
    assert law.chi2 == pytest.approx(0.0, abs=1e-12)
    assert law.dof == 2
    assert FittedBias(quantity="m", **vars(law)).at(1 / X) == pytest.approx(intercept + coefficient / X, abs=1e-10)


def test_the_error_bars_and_chi2_are_those_of_repeated_experiments():
    rng = np.random.default_rng(2)
    laws = [fit_bias(X, 0.1 - 3.0 / X + SEM * rng.standard_normal(4), SEM) for _ in range(2000)]
    for name, value in (("intercept", 0.1), ("coefficient", -3.0)):
        found, error = np.array([getattr(law, name) for law in laws]), getattr(laws[0], f"{name}_error")
        assert found.std(ddof=1) == pytest.approx(error, rel=0.07)
        assert abs(found.mean() - value) < 4 * error / np.sqrt(2000)
    assert np.mean([law.chi2 for law in laws]) == pytest.approx(2.0, abs=4 * 2 / np.sqrt(2000))


def test_the_order_of_the_points_does_not_matter():
    difference = np.array([0.3, 0.1, 0.2, -0.1])
    plain, turned = fit_bias(X, difference, SEM), fit_bias(X[::-1], difference[::-1], SEM[::-1])
    assert turned.intercept == pytest.approx(plain.intercept, rel=1e-10)
    assert turned.chi2 == pytest.approx(plain.chi2, rel=1e-10)


@pytest.mark.parametrize(
    ("x", "difference", "sem", "reason"),
    [
        (X[:2], X, SEM, "one value for each"),
        (np.ones(4), X, SEM, "two distinct"),
        (-X, X, SEM, "finite and > 0"),
        (X, np.full(4, np.nan), SEM, "be finite at every point"),
        (X, X, 0 * SEM, "finite and > 0 at every point"),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, difference, sem, reason):
    with pytest.raises(ArgumentError, match=reason):
        fit_bias(x, difference, sem)
