"""Power laws recovered from noisy points, and error bars held against the scatter of many experiments."""

import math

import numpy as np
import pytest

from sgdsim.analysis import fits
from sgdsim.analysis.fits import PowerLaw, fit_power_law, fit_power_law_to_means
from sgdsim.analysis.goodness import judged
from sgdsim.errors import ArgumentError
from sgdsim.laws.power import FittedPower

X = np.geomspace(1e-4, 1e-2, 6)
SLOPE, CONSTANT = 0.5, 0.237


def experiment(rng, replicas):
    """Replicas of positive quantities with mean CONSTANT x^SLOPE and relative spread 1/2 (gamma of shape 4)."""
    return [CONSTANT * x**SLOPE * rng.gamma(4.0, 1 / 4.0, size=replicas) for x in X]


def summarise(samples):
    mean = np.array([sample.mean() for sample in samples])
    return mean, np.array([sample.std(ddof=1) / math.sqrt(len(sample)) for sample in samples])


def test_an_exact_power_law_is_recovered_to_rounding():
    law = fit_power_law_to_means(X, 3.0 * X**-1.25, 0.01 * X**-1.0)
    assert math.isclose(law.slope, -1.25, rel_tol=1e-12)
    assert math.isclose(law.constant, 3.0, rel_tol=1e-12)
    assert law.chi2 < 1e-15
    assert law.dof == 4
    np.testing.assert_allclose(FittedPower(quantity="m", **vars(law)).at(X), 3.0 * X**-1.25, rtol=1e-12)


def test_the_weights_are_the_inverse_variances_of_the_logs():
    """Against numpy.polyfit, which takes the inverse standard deviations."""
    mean, sem = np.array([1.0, 2.5, 3.0, 9.0]), np.array([0.1, 0.05, 0.3, 0.2])
    x = np.array([1.0, 2.0, 3.0, 7.0])
    (slope, intercept), covariance = np.polyfit(np.log(x), np.log(mean), 1, w=mean / sem, cov="unscaled")
    law = fit_power_law_to_means(x, mean, sem)
    np.testing.assert_allclose([law.slope, law.constant], [slope, math.exp(intercept)], rtol=1e-12)
    np.testing.assert_allclose(
        [law.slope_error, law.constant_error / law.constant], np.sqrt(np.diag(covariance)), rtol=1e-12
    )


def test_the_measured_finite_size_law_of_the_committee():
    """Six measured means of sup_t |Omega - Omega_bar|_inf (erf, p = k = 4, T = 5), d = 100 ... 30000, 512 replicas."""
    d = np.array([100, 300, 1000, 3000, 10000, 30000])
    mean = np.array([0.02374, 0.01368, 0.00755, 0.00433, 0.00236, 0.00135])
    sem = np.array([23, 12, 7, 4, 2, 1]) * 1e-5
    law = fit_power_law_to_means(1 / d, mean, sem)
    assert abs(law.slope - 0.50) < 0.01
    assert abs(law.constant - 0.237) < 2 * law.constant_error
    assert law.constant_error < 0.005
    assert law.chi2 / law.dof < 2


@pytest.mark.parametrize("from_replicas", [pytest.param(True, marks=pytest.mark.slow), False])
def test_reported_errors_match_the_scatter_of_many_experiments(from_replicas):
    rng = np.random.default_rng(7)
    laws = []
    for _ in range(1500):
        samples = experiment(rng, 200)
        laws.append(
            fit_power_law(X, samples, resamples=100)
            if from_replicas
            else fit_power_law_to_means(X, *summarise(samples))
        )
    for name, truth in (("slope", SLOPE), ("constant", CONSTANT)):
        fitted = np.array([getattr(law, name) for law in laws])
        error = np.array([getattr(law, f"{name}_error") for law in laws])
        # The scatter of 1500 experiments is itself known to 1/sqrt(3000) = 1.8 %.
        assert abs(fitted.std(ddof=1) / error.mean() - 1) < 0.08
        coverage = (np.abs(fitted - truth) < error).mean()  # 0.683 for a normal law, known to 0.012
        assert abs(coverage - 0.683) < 0.05
        assert abs(fitted.mean() - truth) < 5 * fitted.std(ddof=1) / math.sqrt(len(laws))
    chi2 = np.array([law.chi2 for law in laws])
    assert abs(chi2.mean() - laws[0].dof) < 0.3


def test_the_bootstrap_is_deterministic_and_seeded():
    samples = experiment(np.random.default_rng(0), 64)
    first, again, other = (fit_power_law(X, samples, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.slope == other.slope
    assert first.slope_error != other.slope_error


def test_the_bootstrap_does_not_depend_on_how_it_is_cut_in_memory(monkeypatch):
    samples = experiment(np.random.default_rng(0), 64)
    whole = fit_power_law(X, samples)
    monkeypatch.setattr(fits, "GATHER", 1000)
    cut = fit_power_law(X, samples)
    assert math.isclose(whole.slope_error, cut.slope_error, rel_tol=1e-12)


def test_diverged_replicas_are_left_out():
    samples = experiment(np.random.default_rng(0), 64)
    spoilt = [np.concatenate([sample, [np.nan, np.nan]]) for sample in samples]
    assert fit_power_law(X, spoilt) == fit_power_law(X, samples)


@pytest.mark.parametrize(
    ("x", "mean", "sem", "argument"),
    [
        ([1.0], [1.0], [0.1], "x"),
        ([1.0, 1.0], [1.0, 2.0], [0.1, 0.1], "x"),
        ([0.0, 1.0], [1.0, 2.0], [0.1, 0.1], "x"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], [0.1, 0.1], "x"),
        ([1.0, 2.0], [1.0, -2.0], [0.1, 0.1], "mean"),
        ([1.0, 2.0], [1.0, math.nan], [0.1, 0.1], "mean"),
        ([1.0, 2.0], [1.0, 2.0], [0.1, 0.0], "sem"),
    ],
)
def test_points_that_cannot_be_fitted(x, mean, sem, argument):
    with pytest.raises(ArgumentError) as caught:
        fit_power_law_to_means(x, np.array(mean), np.array(sem))
    assert caught.value.argument == argument


@pytest.mark.parametrize("sample", [np.array([1.0]), np.array([np.nan, np.nan, 1.0]), np.ones(5), -np.ones(5)])
def test_replicas_that_cannot_be_fitted(sample):
    good = np.array([1.0, 1.1, 0.9])
    with pytest.raises(ArgumentError):
        fit_power_law([1.0, 2.0], [good, sample])


def test_replicas_whose_resampled_mean_may_vanish_are_refused():
    with pytest.raises(ArgumentError, match="well above 0"):
        fit_power_law([1.0, 2.0], [np.array([1.0, 1.1]), np.array([-1.0, 1.1])])


def test_a_law_prints_itself_with_its_errors():
    law = PowerLaw(slope=0.5, constant=0.24, **judged(3.21, 4, slope=0.001, constant=0.003))
    assert str(law) == "y = constant * x^slope: slope 0.5000(10), constant 0.240(3), chi2/dof = 3.21/4"


def test_a_law_that_does_not_hold_says_so():
    law = PowerLaw(slope=0.5, constant=0.24, **judged(36.0, 4, slope=0.001, constant=0.003))
    words = "p = 3e-07: the law does not hold, errors widened by 3"
    assert str(law) == f"y = constant * x^slope: slope 0.500(3), constant 0.240(9), chi2/dof = 36/4, {words}"
