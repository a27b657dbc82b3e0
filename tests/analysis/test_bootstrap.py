"""Errors of means and of other statistics, by hand."""

import math

import numpy as np
import pytest

from sgdsim.analysis.bootstrap import mean_and_sem, with_error


def test_the_error_of_a_mean_by_hand():
    """1, 2, 6: squared distances from 3 are 4, 1, 9; over n - 1 = 2 their variance is 7, that of the mean 7/3."""
    mean, sem = mean_and_sem(np.array([1.0, math.nan, 2.0, 6.0, math.inf]))
    assert mean == 3
    assert sem == pytest.approx((7 / 3) ** 0.5, rel=1e-15)


def test_too_few_values_have_no_error():
    assert mean_and_sem(np.array([2.5, math.nan]))[0] == 2.5
    assert math.isnan(mean_and_sem(np.array([2.5, math.nan]))[1])
    assert all(map(math.isnan, mean_and_sem(np.array([math.nan]))))


def test_what_is_correlated_within_a_replica_stays_so():
    """The mean distance of y and x has no error where y = x + 1, however far both spread."""
    x = np.random.default_rng(0).normal(size=50)
    value, error = with_error(lambda one, other: np.mean(abs(other - one)), x, x + 1)
    assert value == pytest.approx(1, rel=1e-14)
    assert error < 1e-14


def test_the_error_of_a_mean_by_drawing_again():
    """In units of its exact value over these picks, the spread of the sample of divisor n: 5 % from 400 of them."""
    x = np.random.default_rng(1).normal(size=40)
    value, error = with_error(np.mean, x)
    assert value == x.mean()
    assert error == pytest.approx(x.std() / 40**0.5, rel=0.1)
