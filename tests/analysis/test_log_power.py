"""Laws with a logarithm: known coefficients, errors against another solver, and which of two forms is excluded."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.optimize import curve_fit

from sgdsim.analysis.log_power import fit_log_power, fit_log_power_to_means, weighted_log_power
from sgdsim.errors import ArgumentError

P = np.array([1.0, 4.0, 16.0, 64.0, 256.0, 2.0, 8.0, 32.0, 3.0, 17.0])
X = np.array([1e-3] * 5 + [1e-2] * 3 + [1e-4] * 2)
A, B, S = 0.385, 0.067, 0.5
GROWTHS = {"log": np.log, "sqrt_log": lambda p: np.sqrt(np.log(p))}
SEM = 0.01 * np.array([1.0, 2.0, 1.0, 1.5, 1.0, 3.0, 1.0, 1.0, 2.0, 1.0]) * X**0.5


def law(x, p, a=A, b=B, s=S, growth="log"):
    return (a + b * GROWTHS[growth](p)) * x**s


@pytest.mark.parametrize("exponent", [None, S])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_an_exact_law_is_found(exponent, scale):
    """Whatever the unit of x; p = 1, where the logarithm is 0, is a point like others."""
    growth = fit_log_power_to_means(scale * X, P, law(X, P), SEM, exponent)
    assert growth.law.a * scale**S == pytest.approx(A, rel=1e-9)
    assert growth.law.b * scale**S == pytest.approx(B, rel=1e-9)
    assert growth.law.exponent == pytest.approx(S, rel=1e-10)
    assert growth.law.chi2 == pytest.approx(0, abs=1e-12)
    assert growth.law.dof == growth.rival.dof == len(P) - (3 if exponent is None else 2)
    assert growth.rival.chi2 > 10
    assert math.isnan(growth.law.exponent_error) == (exponent is not None)


@pytest.mark.parametrize("growth", GROWTHS)
@pytest.mark.parametrize("exponent", [None, S])
def test_against_another_solver(growth, exponent):
    """scipy's, which knows neither the start nor the centring: values, errors and chi2 with unequal weights."""
    mean = law(X, P) + SEM * np.random.default_rng(0).standard_normal(len(P))
    both = fit_log_power_to_means(X, P, mean, SEM, exponent)
    found = both.law if growth == "log" else both.rival
    start = [0.3, 0.1, 0.45] if exponent is None else [0.3, 0.1]
    free = {} if exponent is None else {"s": exponent}
    options = {"sigma": SEM, "absolute_sigma": True, "xtol": 1e-14, "ftol": 1e-14}
    best, covariance = curve_fit(lambda x, *c: law(x, P, *c, **free, growth=growth), X, mean, start, **options)
    names = ("a", "b", "exponent")[: len(best)]
    np.testing.assert_allclose([getattr(found, name) for name in names], best, rtol=1e-6)
    errors = [getattr(found, f"{name}_statistical_error") for name in names]
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance)), rtol=1e-5)
    residual = (mean - law(X, P, *best, **free, growth=growth)) / SEM
    assert found.chi2 == pytest.approx(float(residual @ residual), rel=1e-8)


def test_a_lost_fit_against_the_mixture_is_the_square_of_the_exclusion():
    """Exactly so where the exponent is given, and the law linear."""
    mean = law(X, P) + SEM * np.random.default_rng(1).standard_normal(len(P))
    growth = fit_log_power_to_means(X, P, mean, SEM, S)
    assert growth.excluded.dof == growth.law.dof - 1
    assert growth.excluded.log**2 == pytest.approx(growth.law.chi2 - growth.excluded.chi2, rel=1e-6)
    assert growth.excluded.sqrt_log**2 == pytest.approx(growth.rival.chi2 - growth.excluded.chi2, rel=1e-6)


@pytest.mark.parametrize("exponent", [pytest.param(None, marks=pytest.mark.slow), S])
@pytest.mark.parametrize("truth", GROWTHS)
def test_the_other_form_is_excluded_and_the_truth_is_not(truth, exponent):
    """The number of standard errors of the truth is that of a standard normal, over 200 experiments."""
    rng = np.random.default_rng(2)
    b = B if truth == "log" else 3 * B
    means = law(X, P, b=b, growth=truth) + 0.5 * SEM * rng.standard_normal((200, len(P)))
    fits = [fit_log_power_to_means(X, P, mean, 0.5 * SEM, exponent).excluded for mean in means]
    (other,) = set(GROWTHS) - {truth}
    right, wrong = (np.array([getattr(fit, name) for fit in fits]) for name in (truth, other))
    assert (right < 1).mean() == pytest.approx(0.683, abs=4 * 0.033)
    assert np.sqrt((right**2).mean()) == pytest.approx(1, abs=4 / math.sqrt(400))
    assert (right > 3).sum() <= 4  # of 0.5 expected
    assert np.median(wrong) > 4
    assert (wrong > right).mean() > 0.99


@pytest.mark.parametrize("truth", GROWTHS)
def test_from_replicas_the_other_form_is_excluded_too(truth):
    rng = np.random.default_rng(3)
    heights = law(X, P, b=B if truth == "log" else 3 * B, growth=truth)
    found = fit_log_power(X, P, [height * rng.gamma(16.0, 1 / 16.0, size=2000) for height in heights])
    (other,) = set(GROWTHS) - {truth}
    assert getattr(found.excluded, other) > 4 > 3 > getattr(found.excluded, truth)
    right, wrong = (found.law, found.rival) if truth == "log" else (found.rival, found.law)
    assert right.p_value > 0.01 > 1e-3 > wrong.p_value
    assert right.widening == 1.0 < wrong.widening


def test_where_the_mixture_does_not_hold_either_form_is_excluded_less_surely():
    """As if the errors of the points were as large as their scatter."""
    mean = law(X, P) + 4 * SEM * np.random.default_rng(7).standard_normal(len(P))
    found = fit_log_power_to_means(X, P, mean, SEM).excluded
    assert found.p_value < 1e-3
    wider = fit_log_power_to_means(X, P, mean, found.widening * SEM).excluded
    assert (wider.widening, wider.chi2 / wider.dof) == (1.0, pytest.approx(1.0))
    assert (found.log, found.sqrt_log) == pytest.approx((wider.log, wider.sqrt_log), rel=1e-6)


def test_the_bootstrap_is_deterministic_and_agrees_with_the_means():
    rng = np.random.default_rng(4)
    samples = [height * rng.gamma(4.0, 1 / 4.0, size=400) for height in law(X, P)]
    found = fit_log_power(X, P, samples)
    mean = np.array([sample.mean() for sample in samples])
    sem = np.array([sample.std(ddof=1) / 20 for sample in samples])
    of_means = fit_log_power_to_means(X, P, mean, sem)
    assert fit_log_power(X, P, [np.append(sample, np.nan) for sample in samples]) == found
    assert fit_log_power(X, P, samples, seed=1).law.b_error != found.law.b_error
    assert (found.law.b, found.law.chi2) == (of_means.law.b, of_means.law.chi2)
    for name in ("a_error", "b_error", "exponent_error"):
        assert getattr(found.law, name) == pytest.approx(getattr(of_means.law, name), rel=0.15)
    assert found.excluded.sqrt_log == pytest.approx(of_means.excluded.sqrt_log, rel=0.2)
    given = fit_log_power(X, P, samples, exponent=S)
    assert math.isnan(given.law.exponent_error)
    assert given.law.a_error < found.law.a_error


def test_the_order_of_the_points_does_not_matter():
    mean = law(X, P) + SEM * np.random.default_rng(5).standard_normal(len(P))
    turned = fit_log_power_to_means(*(values[::-1] for values in (X, P, mean, SEM)))
    for name, value in dataclasses.asdict(fit_log_power_to_means(X, P, mean, SEM).law).items():
        assert getattr(turned.law, name) == pytest.approx(value, rel=1e-7)


def test_the_measured_growth_with_the_width_of_the_student():
    """Six measured means of sup_t |Omega - Omega_bar|_inf/sqrt(dt), equal units, k = 1, d = 400, 256 replicas."""
    p = 2.0 ** np.arange(1, 7)
    mean = np.array([0.418, 0.479, 0.524, 0.571, 0.617, 0.665])
    sem = np.array([8, 8, 8, 6, 7, 7]) * 1e-3
    growth = fit_log_power_to_means(np.full(6, 1 / 400), p, mean / 20, sem / 20, 0.5)
    assert abs(growth.law.a - 0.385) < 2 * growth.law.a_error
    assert abs(growth.law.b - 0.067) < 2 * growth.law.b_error
    assert growth.law.b > 20 * growth.law.b_error
    assert growth.law.p_value > 0.05
    assert growth.excluded.log < 1 < 2 < growth.excluded.sqrt_log < 3


def test_of_two_values_the_forms_are_not_told_apart():
    """Both go through the same two heights; of three values and two points each they are."""
    p = np.array([2.0, 2.0, 8.0, 8.0])
    mean = law(X[:4], p) * np.array([1.01, 0.99, 1.01, 0.99])
    growth = fit_log_power_to_means(X[:4], p, mean, SEM[:4], S)
    assert growth.excluded is None
    assert growth.law.chi2 == pytest.approx(growth.rival.chi2, rel=1e-6)
    assert fit_log_power_to_means(X[:3], P[:3], law(X, P)[:3], SEM[:3], S).excluded is not None


def test_theory_seen_as_data_are():
    """Of values that follow no such law: the same numbers as of data at these values."""
    values = 0.3 * P**0.2 * X**0.45
    a, b, s = weighted_log_power(X, P, SEM, values)
    found = fit_log_power_to_means(X, P, values, SEM).law
    assert (a, b, s) == (found.a, found.b, found.exponent)
    assert s == pytest.approx(0.45, abs=0.03)
    assert weighted_log_power(X, P, SEM, values, 0.5)[2] == 0.5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x": X[:4]}, "`x` must have one value for each of the 10 points"),
        ({"x": -X}, "`x` must be finite and > 0"),
        ({"v": P - 0.5}, "`v` must be finite and >= 1"),
        ({"v": np.full(10, 4.0)}, "`v` must take at least two values"),
        ({"mean": -SEM}, "`mean` must be finite and > 0"),
        ({"sem": 0 * SEM}, "`sem` must be finite and > 0"),
        ({"x": np.full(10, 1e-3)}, "`exponent` must be given where x is the same at every point, e.g. exponent = 0.5"),
        ({"x": X[3:6:2], "v": P[3:6:2], "mean": SEM[3:6:2], "sem": SEM[3:6:2]}, "`x` must have at least 3 points"),
        ({"v": 1e6 + 1e-3 * np.arange(10)}, "`x and v` must settle the coefficients"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, reason):
    points = {"x": X, "v": P, "mean": law(X, P), "sem": SEM} | change
    with pytest.raises(ArgumentError, match=reason):
        fit_log_power_to_means(**points)


def test_an_exponent_that_the_points_leave_open_is_refused():
    """Along p = p0 sqrt(1/x) alone a bootstrap experiment may take a power for the logarithm."""
    x = np.geomspace(1e-2, 1e-4, 7)
    p = np.round(2 * x**-0.5)
    rng = np.random.default_rng(6)
    samples = [height * rng.gamma(16.0, 1 / 16.0, size=100) for height in law(x, p)]
    with pytest.raises(ArgumentError, match="`exponent` must be settled by the points, or given"):
        fit_log_power(x, p, samples)
    assert fit_log_power(x, p, samples, exponent=0.5).law.dof == 5
