"""The law "known": values of cells and of waiting times beside those that are known."""

import numpy as np
import pytest
import xarray as xr

from sgdsim.laws.catalogue import LAWS, headline
from sgdsim.laws.known import KnownFit
from sgdsim.laws.law import Members
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.system import SYSTEM

LAW = LAWS["known"]
ALPHAS = (0.5, 0.75, 1.2)


def cell(**columns):
    return xr.Dataset({name: ("time", np.array(column)) for name, column in columns.items()} | {"n_replicas": 4})


def canyon(values):
    problems = [Recovery(alpha=alpha, eta=0.2, N=20) for alpha in ALPHAS]
    return Members(SYSTEM, problems, [cell(zero_modes=[0.9, value], zero_modes_sem=[0.0, 0.01]) for value in values])


def test_the_largest_difference_from_what_theory_says():
    keys = KnownFit(quantity="zero_modes", against="alpha", within=0.02)
    found = LAW.fit(keys, canyon([0.51, 0.22, 0.0]))
    assert (found.off, found.off_error, found.at) == pytest.approx((0.03, 0.01, 0.75))
    assert found.held is False
    assert found.points == [[0.5, 0.51, 0.01, None, 0.5], [0.75, 0.22, 0.01, None, 0.25], [1.2, 0.0, 0.01, None, 0.0]]
    assert headline(found) == (
        "zero_modes is off what is known by 0.030(10) at most, at alpha = 0.75 (asked: 0.02, not held)"
    )
    assert LAW.fit(keys, canyon([0.51, 0.24, 0.0])).held is True
    assert len(LAW.row("modes", found, str)) == len(LAW.columns)
    said = LAW.statement(found, str)
    assert [(one.value, one.theory) for one in said.numbers] == [
        ("0.510(10)", "0.5"),
        ("0.220(10)", "0.25"),
        ("0.000(10)", "0"),
    ]


def test_values_of_the_file_come_first():
    keys = KnownFit(quantity="zero_modes", against="alpha", expected=[0.5, 0.2, 0.1])
    found = LAW.fit(keys, canyon([0.5, 0.2, 0.0]))
    assert (found.off, found.at, found.held) == (0.1, 1.2, None)
    assert "nothing was asked" in LAW.row("modes", found, str)
    few = KnownFit(quantity="zero_modes", against="alpha", expected=[0.5])
    assert LAW.fit(few, canyon([0.5, 0.2, 0.0])).problem == "no fit: `expected` must be of the 3 points"


def test_what_nothing_is_known_of_has_no_law():
    members = Members(SYSTEM, [Recovery(alpha=0.5, eta=0.2, N=20)], [cell(loss=[0.1], loss_sem=[0.0])])
    found = LAW.fit(KnownFit(quantity="loss", against="alpha"), members)
    assert found.problem == "no fit: nothing is known of it"
    assert found.points == [[0.5, 0.1, 0.0, None, None]]


def ageing(theory=True):
    """Save times at the steps 0, 5, 10, 15 and t_w = 5 and 10 steps; the simulation is 1 % above theory."""
    length = np.array([1.0, 0.9, 0.8, 0.6])
    C = np.array([[1.0, 1.0], [0.9, 0.9], [0.7, 0.8], [0.5, 0.55]])
    data = {"C": ("time", length), "C_waiting": (("time", "waiting"), 1.01 * C)}
    data |= {"C_waiting_sem": (("time", "waiting"), 0.01 * C), "step": ("time", np.array([0, 5, 10, 15]))}
    if theory:
        data |= {"C_theory": ("time", length), "C_waiting_theory": (("time", "waiting"), C)}
    problem = Recovery(alpha=1.4, eta=0.2, waiting=(1.0, 2.0))
    return Members(SYSTEM, [problem], [xr.Dataset(data | {"n_replicas": 4})])


def test_normalised_correlations_after_a_lag():
    first, second = 0.7 / (0.9 * 0.8) ** 0.5, 0.55 / (0.8 * 0.6) ** 0.5
    keys = KnownFit(quantity="C_waiting", against="b", lag=1.0, expected=[first, second - 0.001], within=2e-3)
    found = LAW.fit(keys, ageing())
    assert (found.off, found.off_error, found.at, found.held) == (pytest.approx(1e-3), None, 2.0, True)
    assert np.array(found.points) == pytest.approx(
        np.array(
            [
                [1.0, 1.01 * first, 0.01 * first, first, first],
                [2.0, 1.01 * second, 0.01 * second, second, second - 0.001],
            ]
        )
    )
    assert "at t_w = 2 (asked: 0.002, held)" in headline(found)
    alone = LAW.fit(keys, ageing(theory=False))
    assert (alone.off, alone.off_error) == pytest.approx((0.01 * second + 0.001, 0.01 * second))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"lag": 0.8}, "no fit: `times` must have save times at t_w and t_w + 0.8 for t_w = 1"),
        ({"lag": 1.0, "expected": [0.5]}, "no fit: `expected` must be of the 2 points"),
    ],
)
def test_waiting_times_without_values_have_no_law(change, problem):
    keys = {"quantity": "C_waiting", "against": "b", "expected": [0.5, 0.5]} | change
    assert LAW.fit(KnownFit(**keys), ageing()).problem == problem


def test_correlations_of_several_cells_or_without_waiting_times_have_no_law():
    keys, members = KnownFit(quantity="C_waiting", against="b", lag=1.0, expected=[0.5, 0.5]), ageing()
    twice = Members(SYSTEM, [*members.problems] * 2, [*members.cells] * 2)
    assert LAW.fit(keys, twice).problem == "no fit: `where` must leave one cell"
    none = Members(SYSTEM, [Recovery(alpha=1.4, eta=0.2)], members.cells)
    assert LAW.fit(keys, none).problem == "no fit: `quantity` must be of a problem with waiting times"


def test_a_lag_belongs_to_correlations():
    assert "C_waiting" in LAW.quantities(SYSTEM.scalars)
    assert LAW.quantities(("risk",)) == ("risk",)
    assert next(iter(LAW.mistakes(KnownFit(quantity="C_waiting"))))[1] == 'must be given for quantity = "C_waiting"'
    assert next(iter(LAW.mistakes(KnownFit(quantity="loss", lag=1.0))))[1] == 'must not be given for quantity = "loss"'
    assert not list(LAW.mistakes(KnownFit(quantity="C_waiting", lag=1.0)))
