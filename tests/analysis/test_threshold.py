"""Thresholds of relaxation times that are known, and what the fit may not depend on."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdsim.analysis.threshold import fit_threshold
from sgdsim.errors import ArgumentError
from sgdsim.laws.threshold import FittedThreshold

X = np.geomspace(2.4, 4.0, 20)
NOISY = 3.0 * (X - 2.2) ** -1.3 * np.exp(0.02 * np.random.default_rng(5).standard_normal(20))


@cache
def noisy_law():
    return fit_threshold(X, NOISY)


@settings(deadline=None, max_examples=30)
@given(
    threshold=st.floats(-3.0, 2.39),
    exponent=st.floats(0.3, 4.0),
    prefactor=st.floats(1e-3, 1e3),
    points=st.integers(4, 20),
)
def test_an_exact_law_is_found_in_every_window(threshold, exponent, prefactor, points):
    x = X[:points]
    law = fit_threshold(x, prefactor * (x - threshold) ** -exponent)
    narrow = [abs(window.threshold - threshold) for window in law.windows]
    assert max(narrow) < 1e-8 * max(1.0, ((x[0] - threshold) / (x[min(5, points - 1)] - x[0])) ** 3)
    if threshold > 1.5:
        assert max(narrow) < 1e-8
        assert law.exponent == pytest.approx(exponent, rel=1e-7)
        assert law.prefactor == pytest.approx(prefactor, rel=1e-6)
        found = FittedThreshold(quantity="relaxation_time", level=0.1, **vars(law))
        assert found.beyond(x - threshold) == pytest.approx(prefactor * (x - threshold) ** -exponent, rel=1e-7)


@pytest.mark.parametrize(("points", "sizes"), [(4, [4]), (5, [5]), (8, [6, 7, 8]), (20, list(range(6, 17)))])
def test_the_windows_are_the_points_nearest_the_threshold(points, sizes):
    law = fit_threshold(X[:points], (X[:points] - 2.2) ** -1.5)
    assert [window.points for window in law.windows] == sizes
    assert law.longest == pytest.approx((X[0] - 2.2) ** -1.5)


def test_another_law_far_from_the_threshold_widens_the_range_alone():
    tau = (X - 2.2) ** -1.5
    tau[8:] *= 1 + 2 * (X[8:] - X[8])
    law = fit_threshold(X, tau)
    assert law.windows[0].threshold == pytest.approx(2.2, abs=1e-8)
    assert law.threshold_high - law.threshold_low > 1e-3
    assert law.threshold_low <= law.threshold <= law.threshold_high
    assert law.exponent_low <= law.exponent <= law.exponent_high


@pytest.mark.slow
def test_scatter_moves_the_threshold_by_what_repeated_experiments_show():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        law = fit_threshold(X[:16], 3.0 * (X[:16] - 2.2) ** -1.3 * np.exp(0.01 * rng.standard_normal(16)))
        found.append(law.windows[-1].threshold)
    scatter = np.std(found, ddof=1)
    assert abs(np.mean(found) - 2.2) < 4 * scatter / np.sqrt(60) + scatter**2 / 0.2
    assert scatter < 0.05


@given(factor=st.floats(1e-6, 1e6))
@settings(deadline=None, max_examples=6)
def test_the_unit_of_time_changes_the_prefactor_alone(factor):
    plain, scaled = noisy_law(), fit_threshold(X, factor * NOISY)
    assert scaled.threshold == pytest.approx(plain.threshold, rel=1e-9)
    assert scaled.exponent == pytest.approx(plain.exponent, rel=1e-8)
    assert scaled.prefactor == pytest.approx(factor * plain.prefactor, rel=1e-8)


@given(order=st.permutations(range(20)))
@settings(deadline=None, max_examples=6)
def test_the_order_of_the_points_does_not_matter(order):
    assert fit_threshold(X[order], NOISY[order]) == noisy_law()


@pytest.mark.parametrize(
    ("x", "tau", "reason"),
    [
        (X[:3], X[:3], "at least 4 points"),
        (X[:5], X[:4], "one value for each"),
        (np.ones(6), X[:6], "different at every point"),
        (X[:5], -X[:5], "finite and > 0"),
        (X, np.exp(-X), "bending upwards"),
        (X, X, "bending upwards"),
    ],
)
def test_what_has_no_threshold_is_refused(x, tau, reason):
    with pytest.raises(ArgumentError, match=reason):
        fit_threshold(x, tau)
