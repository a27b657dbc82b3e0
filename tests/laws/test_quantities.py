"""What is read off a cell, from curves whose crossings, errors and final values are known by hand."""

import math

import numpy as np
import pytest
import xarray as xr

from sgdsim.laws.catalogue import fit_law
from sgdsim.laws.law import Members
from sgdsim.laws.power import PowerFit
from sgdsim.laws.quantities import quantity_of
from tests.toy import SYSTEM, Walk

STEPS = np.array([10.0, 20.0, 40.0, 80.0])


def cell(**curves):
    """Save times of steps of dt = 0.1 and three samples each; curves of them, and 100 replicas."""
    clock = {"t": STEPS / 10, "step": STEPS, "samples": 3 * STEPS}
    return xr.Dataset({name: ("time", values) for name, values in (clock | curves).items()} | {"n_replicas": 100})


FALLING = cell(risk=STEPS**-1.5, risk_sem=0.03 * STEPS**-1.5, risk_theory=2 * STEPS**-1.5)


@pytest.mark.parametrize(
    ("quantity", "unit"), [("steps_to_level", 1), ("samples_to_level", 3), ("relaxation_time", 0.1)]
)
def test_a_level_that_a_power_law_falls_to(quantity, unit):
    """30^-1.5 after 30 steps, 3 % over a slope of -1.5 being an error of 2 %; theory, twice as high, later."""
    mean, sem, theory = quantity_of(SYSTEM, quantity, 30**-1.5, FALLING)
    assert mean == pytest.approx(30 * unit, rel=1e-12)
    assert sem == pytest.approx(0.02 * mean, rel=1e-12)
    assert theory == pytest.approx(mean * 2 ** (2 / 3), rel=1e-12)


def test_a_final_value_is_the_last_with_its_own_error():
    assert quantity_of(SYSTEM, "risk", None, FALLING) == pytest.approx((80**-1.5, 0.03 * 80**-1.5, 2 * 80**-1.5))


def test_the_bias_and_the_spread_of_a_final_value():
    """Below theory or above it; 100 replicas of which four diverged; the spread has its prediction beside it."""
    mean, sem, theory = quantity_of(SYSTEM, "risk_bias", None, FALLING)
    assert (mean, sem) == pytest.approx((80**-1.5, 0.03 * 80**-1.5))
    assert math.isnan(theory)
    more = FALLING.assign(risk_std=FALLING.risk / 7, risk_predicted_std=FALLING.risk / 6, n_diverged=4)
    assert quantity_of(SYSTEM, "risk_std", None, more) == pytest.approx(
        (80**-1.5 / 7, 80**-1.5 / 7 / 190**0.5, 80**-1.5 / 6)
    )


def test_a_median_has_the_error_of_its_replicas():
    """The share rises by 0.2 for every factor of 2; of 100 replicas a standard error is 0.05 of them."""
    share = 0.3 + 0.2 * np.log2(STEPS / 10)
    mean, sem, theory = quantity_of(SYSTEM, "escape_time", None, cell(escaped=share, escaped_theory=share + 0.1))
    assert mean == pytest.approx(2.0, rel=1e-12)
    assert sem == pytest.approx(2.0 * math.log(2) / 4, rel=1e-12)
    assert theory == pytest.approx(2**0.5, rel=1e-12)


def test_a_power_law_of_theory_has_the_weights_of_the_data():
    """Theory is no power law, and the first point counts a hundred times as much as the others."""
    d, mean, sem = [10, 20, 40, 80], [1.0, 0.6, 0.3, 0.2], [0.001, 0.06, 0.03, 0.02]
    theory = [1.1, 0.5, 0.4, 0.1]
    rows = zip(mean, sem, theory, strict=True)
    cells = [cell(risk=[m] * 4, risk_sem=[e] * 4, risk_theory=[b] * 4) for m, e, b in rows]
    members = Members(SYSTEM, [Walk(d=number) for number in d], cells)
    found = fit_law(PowerFit(quantity="risk", against="d"), members)
    slope, constant = np.polyfit(np.log(d), np.log(theory), 1, w=np.divide(mean, sem))
    assert found.theory_slope == pytest.approx(slope, rel=1e-9)
    assert found.theory_constant == pytest.approx(math.exp(constant), rel=1e-9)
