"""Plateaus of curves whose plateau is known."""

import numpy as np
import pytest

from sgdsim.analysis.plateau import FLAT, Plateau, find_plateau, local_slopes

T = np.geomspace(0.01, 1e4, 241)


def stairs(t, *, height=1e-2, first=3.0, last=300.0):
    """Falls like t^-2 to `height` at t = `first`, stays there up to `last`, falls like t^-2 again."""
    return height * np.where(t < first, (first / t) ** 2, np.where(t < last, 1.0, (last / t) ** 2))


def test_local_slopes_of_a_power_law_are_its_exponent():
    np.testing.assert_allclose(local_slopes(T, 3.0 * T**-0.7), -0.7, rtol=1e-12)


def test_local_slopes_reach_the_neighbours_on_a_coarse_grid():
    t = np.geomspace(1, 1e6, 4)
    np.testing.assert_allclose(local_slopes(t, t**-1.5), -1.5, rtol=1e-12)


def test_no_slope_where_the_curve_is_not_positive():
    value = stairs(T)
    value[100] = 0.0
    slopes = local_slopes(T, value)
    near = np.abs(np.log(T / T[100])) <= np.log(2.0)
    assert np.isnan(slopes[near]).all()
    assert np.isfinite(slopes[~near]).all()


def test_height_begin_and_end():
    plateau = find_plateau(T, stairs(T))
    assert isinstance(plateau, Plateau)
    assert plateau.height == pytest.approx(1e-2, rel=0.05)
    assert plateau.begin == pytest.approx(3.0, rel=0.3)
    assert plateau.end == pytest.approx(300.0, rel=0.3)


def test_the_height_is_the_geometric_mean_of_the_save_times_on_it():
    """Of a plateau that falls like t^-0.2, where every save time has a height of its own."""
    curve = np.where(T < 1, T**-2.0, np.where(T < 100, T**-0.2, 100**-0.2 * (T / 100) ** -2.0))
    on_it = local_slopes(T, curve) > -FLAT
    plateau = find_plateau(T, curve)
    assert plateau is not None
    assert plateau.height == pytest.approx(np.exp(np.log(curve[on_it]).mean()), rel=1e-12)


def test_it_does_not_end_where_the_curve_is_unknown():
    """A curve that is 0, or not finite, from the middle of its plateau on: how it goes on nobody knows."""
    for unknown in (0.0, np.nan):
        assert find_plateau(T, np.where(T < 30, stairs(T), unknown)) is None


def test_the_longest_of_two():
    two = np.where(T < 30, stairs(T, height=1e-2, first=1, last=10), stairs(T, height=1e-3, first=30, last=3000))
    plateau = find_plateau(T, two)
    assert plateau is not None
    assert plateau.height == pytest.approx(1e-3, rel=0.05)


def test_scatter_of_some_percent_does_not_break_it_up():
    rng = np.random.default_rng(0)
    scattered = find_plateau(T, stairs(T) * np.exp(0.03 * rng.standard_normal(T.size)))
    clean = find_plateau(T, stairs(T))
    assert scattered is not None
    assert clean is not None
    assert scattered.end / scattered.begin == pytest.approx(clean.end / clean.begin, rel=0.1)


@pytest.mark.parametrize(
    "curve",
    [
        T**-1.0,  # never flat
        T**-0.5 * 1.1,  # at the threshold throughout
        np.ones_like(T),  # flat throughout
        1 / (1 + T),  # a start that is flat, then a descent
        1e-3 + 1 / (1 + T) ** 2,  # a descent to a floor
        1 + T,  # rising
        np.full_like(T, np.nan),
    ],
)
def test_none(curve):
    assert find_plateau(T, curve) is None


def test_a_bend_is_no_plateau():
    assert find_plateau(T, stairs(T, first=3.0, last=4.0)) is None


def test_the_ends_are_where_the_slope_passes_the_threshold():
    plateau = find_plateau(T, stairs(T))
    assert plateau is not None
    at = np.interp(np.log([plateau.begin, plateau.end]), np.log(T), local_slopes(T, stairs(T)))
    np.testing.assert_allclose(at, -FLAT, atol=1e-9)


def test_no_slope_at_time_zero_and_where_save_times_fall_on_one_step():
    t = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 3.0, 9.0])
    slopes = local_slopes(t, np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1 / 3, 1 / 9]))
    assert np.isnan(slopes[:3]).all()  # at 0, and where all others in reach are at the same time
    assert np.isnan(slopes[3])  # no other time in reach
    np.testing.assert_allclose(slopes[4:], -1.0)


def test_time_zero_changes_no_slope_and_no_plateau():
    T0, value = np.concatenate([[0.0], T]), np.concatenate([[2.0], stairs(T)])
    np.testing.assert_array_equal(local_slopes(T0, value)[1:], local_slopes(T, stairs(T)))
    assert find_plateau(T0, value) == find_plateau(T, stairs(T))
