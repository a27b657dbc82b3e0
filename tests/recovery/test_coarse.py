"""The mean-field theory with a memory of few old times, against the whole one and against known values."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import sgdsim
from sgdsim.cost import THEORY_OPERATION
from sgdsim.ensemble.theory import solve_theory, solve_unchecked
from sgdsim.recovery import CoarseDmft, Dmft, ExactStart, Recovery
from sgdsim.recovery.coarse import CALLS
from sgdsim.recovery.old_times import PERIOD, RECENT, most_times, thin

KNOWN = tomllib.loads((Path(__file__).parents[1] / "known_answers" / "interrupted_aging.toml").read_text())
GLASSY = {"alpha": 1.4, "eta": 0.2, "m0": 0.0}


def errors(problem, steps, theory=None, every=7):
    """The largest difference from the whole theory, by observable."""
    times = np.arange(0, steps + 1, every) * problem.eta
    whole, coarse = (solve_theory(problem, ExactStart(), times, one) for one in (Dmft(), theory or CoarseDmft()))
    assert whole.keys() == coarse.keys()
    return {name: np.abs(whole[name] - coarse[name]).max() for name in whole}


def test_while_all_times_are_kept_it_is_the_whole_theory():
    problem = Recovery(alpha=1.5, eta=0.1, b=0.3, m0=-0.4, C00=0.7, waiting=(0.5, 2.0, 90.0))
    assert max(errors(problem, 60).values()) < 1e-12


@pytest.mark.parametrize("b", [1.0, 0.2])
def test_old_times_are_interpolated(b):
    """GD, whose response alternates between even and odd steps, and SGD; at 700 steps half of the times are dropped."""
    problem = Recovery(b=b, waiting=(10.0, 30.2, 80.0), **GLASSY)
    assert max(errors(problem, 700).values()) < 2e-6


def test_errors_fall_with_the_spacing():
    problem = Recovery(alpha=1.6, eta=0.1, b=0.3, m0=0.05, C00=1.2, waiting=(3.0,))
    wide, narrow = (max(errors(problem, 420, CoarseDmft(spacing)).values()) for spacing in (0.3, 0.1))
    assert narrow < wide / 30


@pytest.mark.slow
@pytest.mark.parametrize("b", [1.0, 0.2])
def test_errors_at_three_thousand_steps(b):
    assert max(errors(Recovery(b=b, waiting=(10.0, 80.0, 260.0), **GLASSY), 3000, every=50).values()) < 1e-6


def kept(alpha, b, waiting):
    """C(t_w + 50, t_w) over both lengths, times in steps."""
    problem = Recovery(alpha=alpha, eta=0.2, b=b, m0=0.0, waiting=tuple(0.2 * step for step in waiting))
    steps = np.unique([*waiting, *(step + 50 for step in waiting)])
    seen = solve_theory(problem, ExactStart(), 0.2 * steps, CoarseDmft())
    first, second = (np.searchsorted(steps, np.array(waiting) + more) for more in (0, 50))
    correlation = seen["C_waiting"][second, np.arange(len(waiting))]
    return correlation / np.sqrt(seen["C"][first] * seen["C"][second])


@pytest.mark.parametrize("name", ["sgd", "gd", pytest.param("sgd_few_data", marks=pytest.mark.slow)])
def test_sgd_is_stationary_where_gd_freezes(name):
    """To 2e-3: SGD at alpha = 1.4 saturates; GD, and SGD at alpha = 1, forget less and less."""
    known = KNOWN[name]
    found = kept(known["alpha"], known["b"], known["waiting"])
    np.testing.assert_allclose(found, known["kept"], rtol=0, atol=known["error"])
    # How 1 - C falls with the age: as a power of it where it freezes.
    slope = np.log((1 - found[-1]) / (1 - found[-2])) / np.log(known["waiting"][-1] / known["waiting"][-2])
    assert slope < -0.5 if known["freezes"] else slope > -0.15


def test_what_is_dropped_goes_on_through_its_neighbours():
    """Polynomials of degree 7 on even and on odd steps, each apart, are interpolated exactly."""
    times = np.arange(400)
    thinning = thin(times, 0.15)
    rng = np.random.default_rng(3)
    even, odd = (np.polynomial.Polynomial(rng.normal(size=8)) for _ in range(2))
    values = np.where(times % 2, odd(times / 400), even(times / 400))
    assert len(thinning.dropped) > 50
    np.testing.assert_allclose(thinning.phi @ values[thinning.kept], values[thinning.dropped], rtol=0, atol=1e-11)
    np.testing.assert_allclose(thinning.phi.sum(axis=1), 1.0, rtol=1e-12)
    assert sorted([*thinning.kept, *thinning.dropped]) == times.tolist()


@pytest.mark.parametrize("spacing", [0.1, 0.3])
def test_times_that_are_kept(spacing):
    """All of the youngest; others of either parity within the spacing; never more than the bound."""
    times, most = np.arange(1), 0
    for now in range(1, 3000):
        times = np.append(times, now)
        most = max(most, len(times))
        assert len(times) <= most_times(now, spacing)
        if now % PERIOD == 0:
            times = times[thin(times, spacing).kept]
            assert np.isin(np.arange(max(now - RECENT, 0), now + 1), times).all()
    for parity in (0, 1):
        own = times[times % 2 == parity]
        gap = np.diff(own)
        assert (gap[gap > 2] <= spacing * np.minimum(own[:-1], times[-1] - own[1:])[gap > 2]).all()
    assert most < 500


def test_a_recovery_ends_and_a_blow_up_is_told():
    problem = Recovery(alpha=2.5, eta=0.1, b=0.5, m0=-0.2)
    whole, coarse = (solve_theory(problem, ExactStart(), np.array([10.0, 20.0]), one(1e-3)) for one in (Dmft, _coarse))
    for name, values in whole.items():
        np.testing.assert_allclose(coarse[name], values, rtol=0, atol=1e-9, err_msg=name)
    assert coarse["distance"][0] == coarse["distance"][1] < 1e-3
    unstable = Recovery(alpha=2.5, eta=2.0, b=0.5)
    curve = solve_unchecked(unstable, ExactStart(), np.array([2.0, 6e3]), CoarseDmft())
    assert np.isfinite(curve["distance"][0])
    assert curve["distance"][1] == curve["loss"][1] == np.inf
    assert np.isnan(curve["m"][1])
    with pytest.raises(sgdsim.ArgumentError, match=r"at or before t = 2, .* smaller `spacing`"):
        solve_theory(unstable, ExactStart(), np.array([2.0, 6e3]), CoarseDmft())


def _coarse(tolerance):
    return CoarseDmft(tolerance=tolerance)


def test_cost_is_known_before():
    problem, times = Recovery(waiting=(1.0, 5.0), **GLASSY), np.array([1.0, 2e4])
    n = most_times(100_000, 0.1) + 3
    assert CoarseDmft().memory(problem, times) == 48 * n**2 < 40e6
    assert CoarseDmft().cost(problem, ExactStart(), times) == pytest.approx(
        1e5 * (CALLS + 12 * n**2 * THEORY_OPERATION)
    )
    assert CoarseDmft().once(problem, ExactStart(), times) == ()


def test_errors():
    with pytest.raises(sgdsim.ArgumentError, match="'linear' for degree 1"):
        solve_theory(Recovery(alpha=2.5, eta=0.1, degree=1), ExactStart(), np.array([1.0]), CoarseDmft())
    for spacing in (0.0, 0.4):
        with pytest.raises(sgdsim.ArgumentError, match="spacing"):
            CoarseDmft(spacing)


@pytest.mark.slow
def test_a_mean_square_that_interpolation_has_made_negative_is_told():
    """At alpha = 1 SGD freezes and its loss vanishes slowly: too wide a spacing ends before 2000 steps."""
    problem = Recovery(alpha=1.0, eta=0.2, b=0.2, m0=0.0)
    with pytest.raises(sgdsim.ArgumentError, match="smaller `spacing`"):
        solve_theory(problem, ExactStart(), np.array([10.0, 600.0]), CoarseDmft(0.3))


@pytest.mark.slow
def test_a_descent_that_goes_up_is_told():
    """GD at alpha = 1.4 with too wide a spacing: its loss rises between steps 1500 and 2500."""
    problem = Recovery(alpha=1.4, eta=0.2, m0=0.0)
    with pytest.raises(sgdsim.ArgumentError, match="smaller `spacing`"):
        solve_theory(problem, ExactStart(), np.array([300.0, 500.0]), CoarseDmft(0.3))
    assert np.isfinite(solve_theory(problem, ExactStart(), np.array([300.0]), CoarseDmft(0.3))["loss"]).all()
