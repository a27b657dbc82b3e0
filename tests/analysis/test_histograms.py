import numpy as np
import pytest
from scipy.stats import norm, wasserstein_distance

from sgdsim.analysis.histograms import binned_wasserstein

EDGES = np.linspace(-6, 6, 401)


def masses(mean, std):
    return np.diff(norm.cdf(EDGES, mean, std))


def test_a_shift_is_its_length():
    left, right = masses(-0.3, 0.7), np.stack([masses(0.2, 0.7), masses(-0.3, 0.7)])
    found = binned_wasserstein(np.stack([left, left]), right, EDGES[1] - EDGES[0])
    assert found == pytest.approx([0.5, 0], abs=1e-9)


def test_mass_to_the_right_of_all_bins_is_at_the_last_edge():
    """A quarter is moved from the second of two bins of width 0.4, at 0.6 in the mean, to the edge at 0.8."""
    found = binned_wasserstein(np.array([[0.5, 0.5]]), np.array([[0.5, 0.25]]), 0.4)
    assert found == pytest.approx([0.25 * 0.2], rel=1e-14)


def test_samples_as_scipy_has_it():
    """Within the width of a bin, 0.03."""
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal(300), 0.4 * rng.standard_normal(300) + 0.2
    counts = [np.histogram(values, EDGES)[0][None] / 300 for values in (left, right)]
    exact = wasserstein_distance(left, right)
    assert exact > 0.3
    for pair in (counts, counts[::-1]):
        assert binned_wasserstein(*pair, EDGES[1] - EDGES[0]) == pytest.approx([exact], abs=0.005)
