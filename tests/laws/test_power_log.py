"""The law "power_log" over the cells of a grid, and the largest mean over time that it takes."""

import numpy as np
import pytest
import xarray as xr

from sgdsim.analysis.power_log import fit_power_log
from sgdsim.laws.catalogue import LAWS, headline
from sgdsim.laws.law import Members
from sgdsim.laws.power_log import PowerLogFit
from sgdsim.laws.quantities import quantity_of
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.system import SYSTEM
from tests.meanfield.by_hand import MODEL

EPS = [0.2, 0.1, 0.05, 0.025]


def cell(values, sem=0.01):
    columns = {"assigned": values, "assigned_sem": [sem * value for value in values]}
    data = {name: ("time", np.asarray(column)) for name, column in columns.items()}
    return xr.Dataset(data | {"n_replicas": 4})


@pytest.fixture
def members():
    problems = [MeanField(model=MODEL, N=4, gamma=eps, beta=1.0) for eps in EPS]
    return Members(SYSTEM, problems, [cell([0.5 * eps**2, eps**2 * (1 + eps), 0.1 * eps**2]) for eps in EPS])


def test_largest_mean_over_time(members):
    mean, sem, theory = quantity_of(SYSTEM, "assigned_largest", None, members.cells[1])
    assert (mean, sem) == pytest.approx((0.011, 0.00011))
    assert np.isnan(theory)
    known = members.cells[1].assign(assigned_theory=("time", [1.0, 2.0, 3.0]))
    assert quantity_of(SYSTEM, "assigned_largest", None, known)[2] == 2.0


def test_law_of_largest_means_beside_the_theorem(members):
    keys = PowerLogFit(quantity="assigned_largest", against="eps")
    found = LAWS["power_log"].fit(keys, members)
    mean = np.array([eps**2 * (1 + eps) for eps in EPS])
    law = fit_power_log(EPS, mean, 0.01 * mean)
    assert (found.slope, found.log_slope_error) == pytest.approx((law.slope, law.log_slope_error))
    assert (found.bound_slope, found.bound_log_slope) == (1.0, 2.0)
    assert "(bound 1, 2)" in headline(found)
    row = LAWS["power_log"].row("best", found, str)
    assert len(row) == len(LAWS["power_log"].columns)
    assert "bounded by exponents 1 and 2" in LAWS["power_log"].statement(found, str).note[0]


def test_means_that_are_not_positive_have_no_law(members):
    cells = [*members.cells[:-1], cell([-1.0, -2.0])]
    found = LAWS["power_log"].fit(
        PowerLogFit(quantity="assigned", against="eps"), Members(SYSTEM, members.problems, cells)
    )
    assert found.slope is None
    assert "mean" in found.problem
