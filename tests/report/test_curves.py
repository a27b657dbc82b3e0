"""Helpers of the figures of curves."""

import numpy as np

from sgdsim.figures.common.curves import bounded, by_columns, evenly, is_logarithmic


def test_a_curve_is_drawn_until_it_blows_up():
    np.testing.assert_array_equal(bounded(np.array([0.0, 3.0, -2e6, np.inf, np.nan])), [0, 3, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(bounded(np.array([1e4, 2e6, 2e10])), [1e4, 2e6, np.nan])
    assert np.isnan(bounded(np.array([np.nan, 1e300]))[1])


def test_cells_are_picked_evenly_with_both_ends():
    assert evenly(list(range(10, 20)), 4) == [10, 13, 16, 19]
    assert evenly([3, 5], 4) == [3, 5]


def test_rows_of_a_legend_are_filled_by_columns():
    handles, columns = by_columns([["a", "b", "c"], ["d"], []])
    assert columns == 3
    assert [handle if isinstance(handle, str) else "" for handle in handles] == ["a", "d", "b", "", "c", ""]


def test_times_that_grow_by_factors():
    assert is_logarithmic(np.geomspace(1, 100, 10))
    assert not is_logarithmic(np.linspace(1, 100, 10))
    assert is_logarithmic(np.array([0.0, 1.0, 10.0, 100.0]))  # t = 0 is left out
    assert not is_logarithmic(np.linspace(0, 100, 10))
