"""Sums of two terms on data whose coefficients are known, and their error bars against repeated experiments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.analysis.two_term import fit_two_term, fit_two_term_to_means
from sgdsim.errors import ArgumentError
from sgdsim.laws.two_term import FittedTwoTerm

N = np.array([256.0, 1024.0, 256.0, 1024.0, 4096.0])
U, V = 0.1 * N ** np.array([-0.5, -0.5, -0.25, -0.25, -0.25]), 1 / N
FIRST, SECOND = 1.2, 7.0


def experiment(rng, replicas=64):
    """Positive replicas of mean FIRST u + SECOND v and relative spread 1/2 (gamma of shape 4)."""
    return [mean * rng.gamma(4.0, 1 / 4.0, size=replicas) for mean in FIRST * U + SECOND * V]


@given(
    first=st.floats(-10, 10),
    second=st.floats(-100, 100),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
    relative=st.lists(st.floats(0.01, 1), min_size=5, max_size=5),
)
def test_an_exact_law_is_found(first, second, scale, relative):
    """Whatever the units of the terms, and the errors."""
    law = fit_two_term_to_means(scale * U, V, first * U + second * V, np.array(relative) * V)
    assert scale * law.first_coefficient == pytest.approx(first, abs=1e-9)
    assert law.second_coefficient == pytest.approx(second, abs=1e-8)
    assert law.dof == 3
    values = FittedTwoTerm(quantity="m", second="v", **vars(law)).at(scale * U, V)
    assert values == pytest.approx(first * U + second * V, abs=1e-10)


@given(order=st.permutations(range(5)))
def test_the_order_of_points_and_of_terms_does_not_matter(order):
    mean, sem = np.array([0.3, 0.1, 0.2, -0.1, 0.4]), np.array([1e-2, 2e-2, 1e-2, 3e-2, 1e-2])
    law, turned = fit_two_term_to_means(U, V, mean, sem), fit_two_term_to_means(*(x[order] for x in (V, U, mean, sem)))
    found = [turned.second_coefficient, turned.second_error, turned.first_coefficient, turned.first_error, turned.chi2]
    expected = [law.first_coefficient, law.first_error, law.second_coefficient, law.second_error, law.chi2]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_against_a_straight_line():
    """With v = 1 it is the line of numpy.polyfit, which takes the inverse standard deviations."""
    mean, sem = np.array([1.0, 2.5, 3.0, 9.0]), np.array([0.1, 0.05, 0.3, 0.2])
    u = np.array([1.0, 2.0, 3.0, 7.0])
    (slope, intercept), covariance = np.polyfit(u, mean, 1, w=1 / sem, cov="unscaled")
    law = fit_two_term_to_means(u, np.ones(4), mean, sem)
    np.testing.assert_allclose([law.first_coefficient, law.second_coefficient], [slope, intercept], rtol=1e-10)
    np.testing.assert_allclose([law.first_error, law.second_error], np.sqrt(np.diag(covariance)), rtol=1e-10)
    assert law.chi2 == pytest.approx((((mean - slope * u - intercept) / sem) ** 2).sum(), rel=1e-10)


def test_error_bars_and_chi2_are_those_of_repeated_experiments():
    """The bootstrap's: the true coefficients are within one error bar in 68 % of the experiments, +- 4 sigma."""
    rng = np.random.default_rng(5)
    laws = [fit_two_term(U, V, experiment(rng), resamples=200) for _ in range(600)]
    for name, value in (("first", FIRST), ("second", SECOND)):
        found = np.array([getattr(law, f"{name}_coefficient") for law in laws])
        errors = np.array([getattr(law, f"{name}_error") for law in laws])
        assert errors.mean() == pytest.approx(found.std(ddof=1), rel=0.1)
        assert np.mean(np.abs(found - value) < errors) == pytest.approx(0.68, abs=4 * np.sqrt(0.68 * 0.32 / 600))
    assert np.mean([law.chi2 for law in laws]) == pytest.approx(3.0, rel=0.2)


def test_the_bootstrap_is_deterministic_and_agrees_with_the_means():
    samples = experiment(np.random.default_rng(1), replicas=400)
    law = fit_two_term(U, V, samples)
    mean = np.array([sample.mean() for sample in samples])
    sem = np.array([sample.std(ddof=1) / 20 for sample in samples])
    of_means = fit_two_term_to_means(U, V, mean, sem)
    assert fit_two_term(U, V, samples) == law
    assert (law.first_coefficient, law.chi2) == (of_means.first_coefficient, of_means.chi2)
    assert law.first_error == pytest.approx(of_means.first_error, rel=0.2)
    assert law.second_error == pytest.approx(of_means.second_error, rel=0.2)
    diverged = [np.append(sample, [np.nan, np.inf]) for sample in samples]
    assert fit_two_term(U, V, diverged) == law


@pytest.mark.parametrize(
    ("u", "v", "mean", "sem", "reason"),
    [
        (3 * V, V, V, V, "`u and v` must not be proportional over the points"),
        (U[:1], V[:1], V[:1], V[:1], "must not be proportional"),
        (U[:2], V, V, V, "one value for each of the 5 points"),
        (U, 0 * V, V, V, "`v` must not be 0 at every point"),
        (U, V, np.full(5, np.nan), V, "`mean` must be finite"),
        (np.full(5, np.inf), V, V, V, "`u` must be finite"),
        (U, V, V, 0 * V, "`sem` must be finite and > 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(u, v, mean, sem, reason):
    with pytest.raises(ArgumentError, match=reason):
        fit_two_term_to_means(u, v, mean, sem)


def test_a_point_of_one_replica_is_refused():
    samples = experiment(np.random.default_rng(1))
    with pytest.raises(ArgumentError, match="at least two finite replicas"):
        fit_two_term(U, V, [np.array([1.0, np.nan]), *samples[1:]])
