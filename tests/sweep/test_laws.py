"""Fits over the cells of the toy system: levels, factors of a logarithm, and theory seen as the data are."""

import math

import numpy as np
import pytest

from sgdsim.analysis.levels import first_crossing
from sgdsim.sweep.engine import ensemble_of, open_sweep
from sgdsim.sweep.experiment import Fit
from sgdsim.sweep.progress import Meter
from sgdsim.sweep.results import write_results
from tests.toy import make_experiment


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """The risk of the walk is exp(-2t) (p = 2) plus scatter of order dt."""
    experiment = make_experiment(d=(50, 100, 200, 400), replicas=200, block=None)
    experiment.fits.update(
        reached=Fit("samples_to_level", "d", level=0.4),
        unreached=Fit("samples_to_level", "d", level=1e-6),
        log=Fit("sup_deviation", "d", log=True),
        final_log=Fit("risk", "d", log=True),
        plain=Fit("sup_deviation", "d"),
    )
    sweep = open_sweep(experiment, tmp_path_factory.mktemp("laws"))
    assert sweep.run(Meter())
    return experiment, write_results(sweep)["fits"]


def test_samples_to_a_level(fits):
    experiment, entries = fits
    fit = entries["reached"]
    assert (fit["quantity"], fit["against"], fit["level"]) == ("samples_to_level", "d", 0.4)
    for cell, (d, samples, error) in zip(experiment.cells, fit["points"], strict=True):
        ensemble = ensemble_of(experiment, cell)
        risk = ensemble.run().mean["risk"].mean(axis=0)  # tiles are equally full
        assert samples == pytest.approx(first_crossing(ensemble.steps, risk, 0.4)[0], rel=1e-9)
        assert abs(samples / d - math.log(1 / 0.4) / 2) < 0.05 + 5 * error / d
    assert fit["slope"] == pytest.approx(1.0, abs=0.03)
    assert fit["theory_slope"] == pytest.approx(1.0, abs=1e-9)


def test_a_level_that_is_not_reached_gives_no_law_and_says_so(fits):
    fit = fits[1]["unreached"]
    assert fit["slope"] is None
    assert fit["theory_slope"] is None
    assert fit["problem"] == "no fit: `level` must be reached by the curve (4 of 4 cells)"
    assert fit["points"] == [[d, None, None] for d in (50.0, 100.0, 200.0, 400.0)]


def test_a_factor_of_the_logarithm(fits):
    plain, log = fits[1]["plain"], fits[1]["log"]
    assert (plain["log"], log["log"]) == (False, True)
    for (d, mean, sem), divided in zip(plain["points"], log["points"], strict=True):
        np.testing.assert_allclose(divided, [d, mean / math.log(d), sem / math.log(d)], rtol=1e-12)
    assert (plain["expected_slope"], log["expected_slope"]) == (-0.5, None)
    assert log["slope"] < plain["slope"] - 0.1
    assert fits[1]["final_log"]["points"][0][1] == pytest.approx(fits[1]["risk"]["points"][0][1] / math.log(50))


def test_a_deviation_from_theory_has_no_slope_of_theory(fits):
    assert fits[1]["plain"]["theory_slope"] is None
    assert fits[1]["risk"]["theory_slope"] == pytest.approx(0.0, abs=1e-9)
