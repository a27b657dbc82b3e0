"""A power and a logarithm: recovered exactly, errors against resampled noise, and what cannot be fitted."""

import numpy as np
import pytest

from sgdsim.analysis.power_log import fit_power_log
from sgdsim.errors import ArgumentError

X = np.geomspace(1e-3, 0.3, 7)


def law(C: float, s: float, q: float) -> np.ndarray:
    return C * X**s * np.log(1 + 1 / X) ** q


def test_exact_values_are_found_again():
    found = fit_power_log(X, law(0.7, 0.5, 1.0), 0.1 * X)
    assert (found.slope, found.log_slope, found.constant) == pytest.approx((0.5, 1.0, 0.7), rel=1e-9)
    assert found.chi2 == pytest.approx(0, abs=1e-18)
    assert found.dof == 4


def test_errors_are_those_of_repeated_experiments():
    """Of 2000 data sets with errors of 1 to 3 %: standard deviations of the fits, and their correlation."""
    rng, mean = np.random.default_rng(2), law(2.0, 1.0, -0.5)
    sem = mean * np.linspace(0.01, 0.03, len(X))
    fits = [fit_power_log(X, mean + sem * rng.standard_normal(len(X)), sem) for _ in range(2000)]
    values = np.array([(one.slope, one.log_slope, one.constant) for one in fits])
    told = fit_power_log(X, mean, sem)
    errors = (told.slope_statistical_error, told.log_slope_statistical_error, told.constant_statistical_error)
    np.testing.assert_allclose(values.std(axis=0, ddof=1), errors, rtol=0.1)
    assert np.corrcoef(values[:, 0], values[:, 1])[0, 1] == pytest.approx(told.correlation, abs=0.02)
    assert abs(np.mean([one.chi2 for one in fits]) - 4) < 5 * (8 / 2000) ** 0.5


def test_what_cannot_be_fitted():
    good = np.array([1.0, 2.0, 3.0])
    with pytest.raises(ArgumentError, match="three distinct"):
        fit_power_log([0.1, 0.1, 0.2], good, good)
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(ArgumentError, match="mean"):
            fit_power_log([0.1, 0.2, 0.3], np.array([1.0, bad, 2.0]), good)
