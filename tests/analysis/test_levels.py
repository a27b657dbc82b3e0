"""First crossings of curves that are known, and their error bars against repeated experiments."""

import numpy as np
import pytest

from sgdsim.analysis.levels import NotReachedError, find_onset, first_crossing
from sgdsim.errors import ArgumentError

X = np.geomspace(10, 1e5, 30)


def test_a_power_law_is_interpolated_exactly():
    crossing, error = first_crossing(X, 5.0 * X**-0.8, 1e-2)
    assert crossing == pytest.approx((5.0 / 1e-2) ** (1 / 0.8), rel=1e-12)
    assert error == 0.0


def test_steps_may_be_integers():
    steps = np.array([1, 10, 100])
    assert first_crossing(steps, 1.0 / steps, 0.02)[0] == pytest.approx(50.0)


def test_the_first_of_several_crossings_counts():
    mean = np.array([1.0, 0.1, 1.0, 0.01])
    assert first_crossing(np.array([1.0, 2.0, 3.0, 4.0]), mean, 0.5)[0] < 2.0


def test_the_error_bar_is_that_of_repeated_experiments():
    """Independent scatter at every point moves the crossing by the scatter of the line between two of them."""
    rng = np.random.default_rng(3)
    mean = 1.0 / X
    sem = 0.02 * mean
    _, error = first_crossing(X, mean, 1e-3, sem)
    common = [first_crossing(X, mean * (1 + 0.02 * rng.standard_normal()), 1e-3)[0] for _ in range(2000)]
    assert error == pytest.approx(np.std(common), rel=0.06)


def test_the_nearer_neighbour_counts_more():
    """At a quarter of the way, in ln x, from an error of 1 % to one of 5 %: 2 %, over a slope of -2."""
    x = np.array([1.0, 2.0, 4.0, 8.0])
    mean = x**-2.0
    crossing, error = first_crossing(x, mean, (2 * 2**0.25) ** -2.0, np.array([1, 0.01, 0.05, 1]) * mean)
    assert crossing == pytest.approx(2 * 2**0.25, rel=1e-12)
    assert error / crossing == pytest.approx(0.02 / 2, rel=1e-12)


def test_a_curve_that_does_not_fall_there_has_no_error_bar():
    x = np.array([1.0, 1.1, 1.2, 1.3])
    assert first_crossing(x, np.array([1.0, 0.9, 1.5, 2.0]), 0.95, 0.1 * np.ones(4))[1] == np.inf


@pytest.mark.parametrize(("level", "reason"), [(1e-9, "be reached"), (1e3, "at its first save time")])
def test_a_level_out_of_reach_is_refused(level, reason):
    with pytest.raises(ArgumentError, match=reason):
        first_crossing(X, 1 / X, level)


def test_a_curve_of_diverged_replicas_is_refused():
    with pytest.raises(ArgumentError, match="be reached"):
        first_crossing(X, np.full_like(X, np.nan), 0.1)


def test_a_curve_that_falls_below_zero_is_a_straight_line_there():
    crossing, _ = first_crossing(np.array([1.0, 4.0]), np.array([1.0, -1.0]), 0.5)
    assert crossing == pytest.approx(4.0**0.25)


def test_only_a_curve_that_stays_above_has_not_reached_the_level():
    with pytest.raises(NotReachedError):
        first_crossing(X, 1 / X, 1e-9)
    with pytest.raises(ArgumentError) as caught:
        first_crossing(X, 1 / X, 1e3)
    assert not isinstance(caught.value, NotReachedError)


@pytest.mark.parametrize("blown_up", [1.0, np.inf, np.nan])
def test_the_onset_lies_between_its_neighbours(blown_up):
    found = find_onset([0.4, 0.1, 0.2, 0.8], [blown_up, 1e-9, 1e-8, 1e-9], 1e-3)
    assert (found.low, found.high) == (0.2, 0.4)
    assert found.onset == pytest.approx(np.sqrt(0.08))
    assert find_onset([-1.0, 2.0], [0.0, blown_up], 0.5).onset == 0.5


@pytest.mark.parametrize(
    ("x", "values", "reason"),
    [
        ([1.0, 2.0], [0.0, 0.1], "be passed at some point"),
        ([1.0, 2.0], [2.0, 0.1], "at the first point already"),
        ([1.0, 1.0], [0.0, 2.0], "be different"),
    ],
)
def test_what_has_no_onset_is_refused(x, values, reason):
    with pytest.raises(ArgumentError, match=reason):
        find_onset(x, values, 1.0)


@pytest.mark.parametrize("first", [1, 3])
def test_a_curve_saved_at_zero_too_is_exponential_from_there(first):
    """A crossing before the first time > 0 is found on exp(-x), with the error of that; a later one does not change."""
    x = np.array([0.0, 1.0, 1.5, 2.0, 3.0, 4.0])
    mean = np.exp(-x)
    level = np.exp(-(x[first] + x[first - 1]) / 2)
    crossing, error = first_crossing(x, mean, level, 0.01 * mean)
    if first == 1:
        assert crossing == pytest.approx(0.5, rel=1e-12)
        assert error == pytest.approx(0.01, rel=1e-12)
    else:
        assert (crossing, error) == first_crossing(x[1:], mean[1:], level, 0.01 * mean[1:])
        assert np.isfinite(error)
