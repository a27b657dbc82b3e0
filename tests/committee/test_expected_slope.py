"""What theory expects of a log-log slope: a table over regions, quantities and axes, with values by hand."""

import math

import pytest

from sgdsim.committee.problem import Committee
from sgdsim.committee.system import SYSTEM, CommitteeSlopes

SLOPES = CommitteeSlopes()

DEVIATIONS = ("sup_deviation", "max_deviation", "final_deviation")
REGIONS = {"green": (0.0, 0.5), "blue": (0.0, 0.0), "orange": (0.0, -0.3), "red": (0.0, -0.6)}
"""kappa and delta of each, p the same at every d."""


def cells(kappa=0.0, delta=0.0, p0=4.0, noise=1e-2, dims=(100, 10000)):
    return [Committee.from_scaling(d=d, k=2, kappa=kappa, delta=delta, p0=p0, noise=noise) for d in dims]


@pytest.mark.parametrize("quantity", [*DEVIATIONS, "excess_risk", "samples_to_level", "risk"])
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("against", ["dt", "d", "gamma", "delta"])
def test_the_table(region, quantity, against):
    """dt = d^-3/2 (green), d^-1 (blue), d^-0.4 (orange); E |Omega - Omega_bar| ~ sqrt(dt); red has no limit."""
    kind = "deviation" if quantity in DEVIATIONS else quantity
    expected = {
        ("green", "deviation", "dt"): 0.5,
        ("green", "deviation", "d"): -0.75,
        ("green", "excess_risk", "d"): -0.5,
        ("green", "samples_to_level", "dt"): -1.0,
        ("green", "samples_to_level", "d"): 1.5,
        ("blue", "deviation", "dt"): 0.5,
        ("blue", "deviation", "d"): -0.5,
        ("blue", "excess_risk", "d"): 0.0,
        ("blue", "samples_to_level", "dt"): -1.0,
        ("blue", "samples_to_level", "d"): 1.0,
        ("orange", "deviation", "dt"): 0.5,
        ("orange", "deviation", "d"): -0.2,
    }.get((region, kind, against))
    kappa, delta = REGIONS[region]
    problems = cells(kappa, delta)
    assert {problem.region for problem in problems} == {region}
    found = SLOPES.slope(quantity, against, problems)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))
    assert SLOPES.assumes(quantity, against, problems) is None


@pytest.mark.parametrize(
    ("kappa", "delta", "against", "slope"),
    [
        # log log p grows by log(log 400/log 40) over log(100) of d.
        (0.5, 0.0, "d", -0.75 + math.log(math.log(400) / math.log(40)) / math.log(100)),
        (0.5, -0.5, "d", -0.5 + math.log(math.log(400) / math.log(40)) / math.log(100)),
        (0.5, -0.7, "d", -0.3 + math.log(math.log(400) / math.log(40)) / math.log(100)),
        (0.5, -0.5, "dt", 0.5 - math.log(math.log(400) / math.log(40)) / math.log(100)),
        (0.5, 0.0, "dt", 0.5 - math.log(math.log(400) / math.log(40)) / math.log(1000)),
    ],
)
@pytest.mark.parametrize("quantity", DEVIATIONS)
def test_where_p_grows_its_factor_counts(quantity, kappa, delta, against, slope):
    """p = 40 and 400 at d = 1e2 and 1e4: green and blue, orange at theta = -0.2."""
    problems = cells(kappa, delta)
    assert [problem.p for problem in problems] == [40, 400]
    assert SLOPES.slope(quantity, against, problems) == pytest.approx(slope, rel=1e-12)
    assert SLOPES.assumes(quantity, against, problems) == "with the factor log(p) of the bound, which need not be sharp"


def test_of_several_cells_it_is_a_least_squares_slope():
    """Of log log p at p = 20, 40, 63, 200 against log d; the rounded p counts, not p0 d^kappa."""
    dims, widths = (100, 400, 1000, 10000), (20, 40, 63, 200)
    problems = cells(0.5, -0.5, p0=2.0, dims=dims)
    assert tuple(problem.p for problem in problems) == widths
    x, y = ([math.log(value) for value in values] for values in (dims, map(math.log, widths)))
    middle = sum(x) / 4
    growth = sum((a - middle) * b for a, b in zip(x, y, strict=True)) / sum((a - middle) ** 2 for a in x)
    assert SLOPES.slope("sup_deviation", "d", problems) == pytest.approx(-0.5 + growth, rel=1e-12)
    assert SLOPES.slope("excess_risk", "d", problems) == 0.0
    assert SLOPES.assumes("excess_risk", "d", problems) is None


def test_a_width_of_one_has_no_factor():
    """All p = 1: nothing grows. From p = 1 on: log p = 0 is no factor, and nothing is expected."""
    assert SLOPES.slope("sup_deviation", "d", cells(p0=1.0)) == -0.5
    growing = cells(0.25, -0.25, p0=0.32)
    assert [problem.p for problem in growing] == [1, 3]
    for against in ("d", "dt"):
        assert SLOPES.slope("sup_deviation", against, growing) is None
        assert SLOPES.assumes("sup_deviation", against, growing) is None


def test_width_helps_where_all_else_is_the_same():
    """excess_inf ~ noise gamma/p: -1 in p, for one d, gamma and noise; without noise nothing is left."""

    def wider(d=100, gamma=1.0, noise=0.1, p=8):
        return [Committee(d=100, p=4, k=2, gamma=1.0, noise=0.1), Committee(d=d, p=p, k=2, gamma=gamma, noise=noise)]

    assert SLOPES.slope("excess_risk", "p", wider()) == -1.0
    for other in (wider(d=200), wider(gamma=2.0), wider(noise=0.2)):
        assert SLOPES.slope("excess_risk", "p", other) is None
    assert SLOPES.slope("excess_risk", "p", [Committee(d=100, p=p, k=2, gamma=1.0) for p in (4, 8)]) is None


def test_different_widths_at_the_same_dt_have_no_slope_in_it():
    problems = [*cells(dims=(100,)), *cells(p0=8.0, dims=(100,))]
    assert SLOPES.slope("sup_deviation", "dt", problems) is None


def test_cells_of_several_theta():
    """A common power of dt, and none of d; one red cell is enough for none at all; no risk without noise."""
    mixed = [*cells(delta=0.0), *cells(delta=0.5)]
    assert SLOPES.slope("sup_deviation", "dt", mixed) == 0.5
    assert SLOPES.slope("sup_deviation", "d", mixed) is None
    assert SLOPES.slope("samples_to_level", "d", mixed) is None
    assert SLOPES.slope("samples_to_level", "dt", mixed) == -1.0
    assert SLOPES.slope("sup_deviation", "dt", [*mixed, *cells(delta=-0.6)]) is None
    assert SLOPES.slope("samples_to_level", "dt", [*mixed, *cells(delta=-0.3)]) is None
    assert SLOPES.slope("excess_risk", "d", cells(noise=0.0)) is None


def test_the_system_knows_them():
    assert SYSTEM.expectations["power"] == CommitteeSlopes()
    assert set(SYSTEM.expectations) == {"power", "log_power", "two_term"}
