"""Shares that rise as a law of Gumbel: found again, with honest errors, and their crossings."""

import numpy as np
import pytest
from scipy.stats import binom

from sgdsim.analysis.gumbel import crossing, fit_gumbel
from sgdsim.errors import ArgumentError

X = np.array([1.0, 1.3, 1.5, 1.6, 2.1])
N = np.array([40.0, 50.0, 60.0, 70.0, 80.0])
DRAWS = 600


def rise(z):
    return 2.0 ** -np.exp(-np.asarray(z))


def shares(midpoint, width):
    return rise((X - midpoint) / width)


def test_exact_shares_are_found_again():
    law = fit_gumbel(X, shares(1.45, 0.15), N)
    assert (law.midpoint, law.width) == pytest.approx((1.45, 0.15), rel=1e-9)
    assert (law.chi2, law.dof, law.widening) == (pytest.approx(0, abs=1e-9), 2, 1.0)


@pytest.mark.slow
def test_errors_are_those_of_many_draws():
    """Means within 5 errors, standard deviations within 4, of many draws."""
    rng, trials = np.random.default_rng(1), 20 * N
    fits = [fit_gumbel(X, rng.binomial(trials.astype(int), shares(1.45, 0.15)) / trials, trials) for _ in range(DRAWS)]
    one = fit_gumbel(X, shares(1.45, 0.15), trials)
    for name in ("midpoint", "width"):
        found = np.array([getattr(fit, name) for fit in fits])
        assert found.std() == pytest.approx(getattr(one, f"{name}_error"), rel=4 / (2 * DRAWS) ** 0.5)
        assert abs(found.mean() - getattr(one, name)) < 5 / DRAWS**0.5 * getattr(one, f"{name}_error")
    chi2 = np.array([fit.chi2 for fit in fits])
    assert chi2.mean() == pytest.approx(2, abs=5 * (4 / DRAWS) ** 0.5 + 0.1)  # at x = 1 all fail
    other = [fit_gumbel(X, rng.binomial(trials.astype(int), shares(1.5, 0.1)) / trials, trials) for _ in range(DRAWS)]
    at = np.array([crossing(*pair).at for pair in zip(fits, other, strict=True)])
    exact = crossing(one, fit_gumbel(X, shares(1.5, 0.1), trials))
    assert exact.at == pytest.approx(1.6)
    assert exact.share == pytest.approx(rise(1.0))
    assert at.std() == pytest.approx(exact.error, rel=4 / (2 * DRAWS) ** 0.5)


def test_shares_that_are_no_such_function_widen_the_errors():
    law = fit_gumbel(X, [0.3, 0.1, 0.9, 0.4, 0.8], 20 * N)
    p, successes = shares(law.midpoint, law.width), 20 * N * np.array([0.3, 0.1, 0.9, 0.4, 0.8])
    best = binom.logpmf(successes.round(), 20 * N, successes / 20 / N)
    assert law.chi2 == pytest.approx(2 * (best - binom.logpmf(successes.round(), 20 * N, p)).sum(), rel=1e-9)
    assert law.widening > 3
    assert law.midpoint_error == pytest.approx(law.widening * law.midpoint_statistical_error)
    tight = fit_gumbel(X, shares(law.midpoint, law.width), 20 * N)
    assert law.variance_at(1.2) == pytest.approx(law.widening**2 * tight.variance_at(1.2), rel=1e-6)


def test_a_steep_rise_far_from_the_middle_is_found():
    x = np.linspace(0, 100, 60)
    law = fit_gumbel(x, rise((x - 97) / 0.8), np.full(60, 1e5))
    assert (law.midpoint, law.width) == pytest.approx((97, 0.8), rel=1e-6)


@pytest.mark.parametrize("share", [[0.0, 0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.5, 1.0], [0.0] * 5, [1.0] * 5])
def test_a_jump_has_no_width(share):
    with pytest.raises(ArgumentError, match="`share` must rise from 0 to 1 over two values"):
        fit_gumbel(X, share, N)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ((X, [0.9, 0.8, 0.5, 0.3, 0.1], N), "`share` must rise with x"),
        ((X, [0.1, 0.2, 1.5, 0.3, 0.1], N), r"`share` must be in \[0, 1\]"),
        ((X, shares(1.5, 0.2), [1.0, 1.0, 0.0, 1.0, 1.0]), "`trials` must be > 0"),
        (([1.0, 2.0, np.nan, 3.0, 4.0], shares(1.5, 0.2), N), "`x` must be finite"),
    ],
)
def test_errors(points, message):
    with pytest.raises(ArgumentError, match=message):
        fit_gumbel(*points)


def test_functions_of_one_slope_do_not_cross():
    first, second = (fit_gumbel(X, shares(midpoint, 0.15), N) for midpoint in (1.45, 1.5))
    with pytest.raises(ArgumentError, match="`width` must differ by 2 standard errors"):
        crossing(first, second)
    steep = fit_gumbel(X, shares(1.5, 0.05), N)
    found, other = crossing(first, steep), crossing(steep, first)
    assert (found.at, found.share) == pytest.approx((1.525, rise(0.5)))
    assert (other.at, other.error, other.share) == pytest.approx((found.at, found.error, found.share))
