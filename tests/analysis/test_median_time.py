"""The median time of replicas, censored ones included."""

import numpy as np
import pytest

from sgdsim.analysis.levels import NotReachedError, median_time
from sgdsim.errors import ArgumentError


def test_it_is_the_median_of_known_arrivals():
    """Log-normal arrivals of which the latest are censored: the share at each x is that of the law."""
    rng = np.random.default_rng(0)
    arrivals = np.exp(3 + 0.7 * rng.normal(size=(400, 101)))
    x = np.geomspace(0.5, 60.0, 200)
    found = [median_time(x, (row[None] <= x[:, None]).mean(axis=1), 101) for row in arrivals]
    medians, errors = np.array(found).T
    assert np.abs(medians / np.median(arrivals, axis=1) - 1).max() < 0.06  # two save times are 2.4 % apart
    assert np.mean(errors) == pytest.approx(medians.std(), rel=0.1)


def test_between_two_save_times():
    assert median_time(np.array([0.0, 10.0]), np.array([0.0, 1.0]))[0] == pytest.approx(5.0)
    assert median_time(np.array([1.0, 16.0]), np.array([0.25, 0.75]))[0] == pytest.approx(4.0)


def test_what_is_not_reached_is_told():
    x = np.array([1.0, 2.0, 4.0])
    with pytest.raises(NotReachedError):
        median_time(x, np.array([0.0, 0.2, 0.4]), 100)
    with pytest.raises(ArgumentError, match="begin before"):
        median_time(x, np.array([0.6, 0.7, 0.8]), 100)
    assert median_time(x, np.array([0.0, 0.2, 0.51]), 100)[1] == np.inf
