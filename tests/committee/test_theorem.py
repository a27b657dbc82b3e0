"""The theorem E|Omega - Omega_bar|_inf <= C log(p) sqrt(dt) in p: from equal units, deviations grow like log p."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from sgdsim import simulate, solve
from sgdsim.analysis.log_power import fit_log_power
from sgdsim.committee import Committee, EqualStart, ExactODE

KNOWN = tomllib.loads((Path(__file__).parents[1] / "known_answers" / "theorem.toml").read_text())
START = EqualStart(0.5, diagonal=1.0, off_diagonal=0.25)
TIMES = np.array(KNOWN["times"])
REPLICAS = 256


def problem(p, d=KNOWN["d"]):
    return Committee(d=d, p=p, k=1, gamma=p, noise=KNOWN["noise"])


@pytest.fixture(scope="module")
def runs():
    """An ensemble for each width, with what theory predicts of it."""
    theory = ExactODE(fluctuations=True)
    return {p: simulate(problem(p), START, TIMES, replicas=REPLICAS, seed=2, theory=theory) for p in KNOWN["p"]}


@pytest.mark.slow
def test_deviations_are_those_of_the_table(runs):
    scale = KNOWN["d"] ** 0.5
    for p, known, error in zip(KNOWN["p"], KNOWN["sup"], KNOWN["error"], strict=True):
        sup = runs[p]["sup_deviation"].to_numpy() * scale
        assert abs(sup.mean() - known) < 3 * np.hypot(error, sup.std(ddof=1) / REPLICAS**0.5), p


@pytest.mark.slow
def test_they_grow_with_the_logarithm_of_the_width(runs):
    """b > 0 by more than 20 standard errors, and no smaller than 0.06: five doublings of p are on one line."""
    samples = [run["sup_deviation"].to_numpy() for run in runs.values()]
    law = fit_log_power([problem(p).dt for p in runs], list(runs), samples, exponent=0.5).law
    assert law.b > 20 * law.b_error
    assert abs(law.b - 0.067) < 4 * np.hypot(law.b_error, 0.0015)
    assert law.p_value > 1e-3


@pytest.mark.slow
def test_they_are_predicted_at_every_time(runs):
    """Every mean distance within 3.5 standard errors, and their average over widths and times within 2 %."""
    ratios, scores = [], []
    for run in runs.values():
        difference = run["deviation"] - run["deviation_predicted"]
        scores.append((difference / run["deviation_sem"]).to_numpy())
        ratios.append((run["deviation"] / run["deviation_predicted"]).to_numpy())
        assert float(run["max_deviation"]) <= float(run["sup_deviation"].mean())
    assert np.abs(scores).max() < 3.5
    assert abs(np.mean(ratios) - 1) < 0.02


@pytest.mark.slow
def test_the_prediction_goes_on_growing_to_ten_thousand_units():
    """About b = 0.067 to each factor e of p, or less as the square root of a logarithm would: not the factor p."""
    theory = ExactODE(fluctuations=True)
    found = [theory.predicted_deviation(problem(p, d=10**6), START, TIMES).max() * 1e3 for p in (64, 10_000)]
    assert 0.03 * np.log(10_000 / 64) < found[1] - found[0] < 0.08 * np.log(10_000 / 64)
    assert float(solve(problem(64), START, TIMES, theory=theory)["max_deviation_predicted"]) * 20 == pytest.approx(
        found[0], rel=0.03
    )
