"""The law "finite_size" over the cells of a grid: sizes against one another, and what it needs."""

import numpy as np
import pytest
import xarray as xr

from sgdsim.analysis.gumbel import crossing, fit_gumbel
from sgdsim.laws.catalogue import LAWS, headline
from sgdsim.laws.finite_size import FiniteSizeFit
from sgdsim.laws.law import Members
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.system import SYSTEM

LAW = LAWS["finite_size"]
ALPHA = [1.0, 1.3, 1.5, 1.7, 2.1]
SHAPES = {200: (1.55, 0.08), 50: (1.6, 0.2), 100: (1.58, 0.12)}
KEYS = FiniteSizeFit(quantity="recovered", against="alpha", second="N", expected=1.5)


def rise(z):
    return 2.0 ** -np.exp(-z)


def share(alpha, N):
    midpoint, width = SHAPES[N]
    return float(rise((alpha - midpoint) / width))


def cell(value, replicas=400, diverged=0):
    data = {"recovered": ("time", np.array([0.0, value])), "recovered_sem": ("time", np.array([0.0, 0.01]))}
    return xr.Dataset(data | {"n_replicas": replicas, "n_diverged": diverged})


def members(values=share, sizes=(200, 50, 100)):
    grid = [(alpha, N) for N in sizes for alpha in ALPHA]
    problems = [Recovery(alpha=alpha, eta=0.2, N=N) for alpha, N in grid]
    return Members(SYSTEM, problems, [cell(values(alpha, N)) for alpha, N in grid])


def test_every_size_and_the_crossings_of_neighbours():
    found = LAW.fit(KEYS, members())
    laws = [fit_gumbel(ALPHA, [share(alpha, N) for alpha in ALPHA], [400.0] * 5) for N in (50, 100, 200)]
    assert [row[:4] for row in found.sizes] == [
        pytest.approx([N, *SHAPES[N][:1], law.midpoint_error, SHAPES[N][1]])
        for N, law in zip((50, 100, 200), laws, strict=True)
    ]
    first, second = crossing(*laws[:2]), crossing(*laws[1:])
    assert found.crossings == [
        pytest.approx([50, 100, first.at, first.error, first.share]),
        pytest.approx([100, 200, second.at, second.error, second.share]),
    ]
    assert (found.midpoint, found.width) == pytest.approx((1.55, 0.08))
    assert (found.crossing, found.crossing_error) == pytest.approx((1.49, second.error))
    assert found.dof == sum(law.dof for law in laws) == 3
    assert found.points[0] == [1.0, 50, share(1.0, 50), 400]
    assert "at N = 200; crosses that at N = 100 at 1.49" in headline(found)
    assert "expected for an infinite size 1.5" in headline(found)
    assert len(LAW.row("gd", found, str)) == len(LAW.columns)
    said = LAW.statement(found, str).numbers
    assert [one.what for one in said][-1] == "crossing of N = 100 and 200"
    assert all(one.theory == "1.5" for one in said)


def test_replicas_that_diverged_are_no_trials():
    whole = members(sizes=(50,))
    fewer = Members(SYSTEM, whole.problems, [cell(share(alpha, 50), 800, 400) for alpha in ALPHA])
    assert LAW.fit(KEYS, fewer).sizes == LAW.fit(KEYS, whole).sizes
    assert LAW.fit(KEYS, whole).crossing is None
    assert "not surely another" in headline(LAW.fit(KEYS, whole))


def test_sizes_of_one_slope_do_not_cross():
    found = LAW.fit(KEYS, members(lambda alpha, N: float(rise((alpha - 1.5 - 1 / N) / 0.2))))
    assert found.crossings == []
    assert (found.crossing, found.midpoint) == (None, pytest.approx(1.505))


def test_shares_without_a_rise_have_no_law():
    found = LAW.fit(KEYS, members(lambda alpha, N: 0.0))
    assert found.midpoint is None
    assert found.problem == "no fit: `share` must rise from 0 to 1 over two values of x or more"
    twice = members(sizes=(50, 50))
    assert LAW.fit(KEYS, twice).problem == "no fit: `where` must leave one cell for each value and size"


def test_cells_of_other_axes_are_asked_to_be_left_out():
    columns = {"alpha": [1.0, 1.3, 1.0], "N": [50.0, 50.0, 50.0]}
    missing = LAW.misses(KEYS, columns)
    assert missing is not None
    assert missing[0] == "where"
    assert LAW.misses(KEYS, {"alpha": [1.0, 1.0], "N": [50.0, 100.0]}) is None
    assert LAW.misses(KEYS.model_copy(update={"where": {"b": [1.0]}}), columns) is None
    assert LAW.quantities(SYSTEM.scalars) == ("recovered",)
