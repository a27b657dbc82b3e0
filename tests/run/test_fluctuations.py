"""Predicted fluctuations from the experiment file to results.nc and summary.json."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import xarray as xr

from sgdsim.contracts import Spread
from sgdsim.errors import ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.store.identity import differing_keys
from tests.experiment.bad_configs import GOOD
from tests.helpers import finish
from tests.toy import DecayTheory, make_experiment


@dataclass(frozen=True)
class PredictingTheory(DecayTheory):
    """The walk's variance solves s' = -2 s + dt noise."""

    def spread(self, problem, start, times):
        x = np.sqrt(problem.dt * problem.noise * (1 - np.exp(-2 * times)) / 2)
        risk = x * start.height * np.exp(-times) * problem.p**0.5
        std = {"x": np.repeat(x[:, None], problem.p, axis=1), "risk": risk}
        deviation = problem.dt**0.5 * np.linspace(1.5, 1.0, len(times))
        return Spread(std, deviation, sup_deviation=2 * problem.dt**0.5)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Three cells with a prediction and one without a theory."""
    experiment = make_experiment(d=(50, 100, 200, 400), replicas=400, block=None)
    theories = [PredictingTheory()] * 3 + [None]
    cells = tuple(replace(cell, theory=theory) for cell, theory in zip(experiment.cells, theories, strict=True))
    folder = tmp_path_factory.mktemp("fluctuations")
    summary = finish(replace(experiment, cells=cells), folder)
    with xr.open_dataset(folder / "results.nc", engine="netcdf4") as data:
        return data.load(), summary


def test_the_prediction_stands_beside_the_measured_spread(results):
    data, _ = results
    for name in ("x", "risk"):
        predicted = data[f"{name}_predicted_std"]
        assert predicted.dims == data[name].dims
        assert predicted.attrs["long_name"].endswith("predicted spread")
        assert np.isnan(predicted[3]).all()
        ratio = (data[f"{name}_std"] / predicted)[:3]
        assert float(np.abs(ratio - 1).max()) < 0.2  # 400 replicas: 3.5 %, and terms of order dt
    for name, constant in (("sup", 2), ("max", 1.5), ("final", 1)):
        np.testing.assert_allclose(data[f"{name}_deviation_predicted"][:3], constant / np.sqrt([50, 100, 200]))
    assert data["deviation_predicted"].dims == data["deviation"].dims == ("cell", "time")


def test_the_summary_has_the_predicted_means(results):
    cells = results[1].cells
    predicted = {"sup_deviation": 0.2, "max_deviation": 0.15, "final_deviation": 0.1}
    assert cells[1].predicted.model_dump() == pytest.approx(predicted)
    assert cells[3].predicted is None


def test_the_fitted_law_has_the_predicted_constant(tmp_path):
    experiment = make_experiment(d=(50, 100, 200), replicas=40, block=None)
    cells = tuple(replace(cell, theory=PredictingTheory()) for cell in experiment.cells)
    fit = finish(replace(experiment, cells=cells), tmp_path).fits["scaling"]
    assert fit.theory_slope == pytest.approx(0.5, rel=1e-9)
    assert fit.theory_constant == pytest.approx(2.0, rel=1e-9)
    assert fit.theory_points == pytest.approx([2 / d**0.5 for d in (50, 100, 200)])


def load(tmp_path, text, *options):
    path = tmp_path / "experiment.toml"
    path.write_text(text)
    return load_experiment(path, options)


def test_an_experiment_may_ask_for_them_of_a_finished_run(tmp_path):
    plain = load(tmp_path, GOOD)
    asked = load(tmp_path, GOOD, "theory.fluctuations=true")
    assert not plain.cells[0].theory.fluctuations
    assert asked.cells[0].theory.fluctuations
    assert differing_keys(plain.resolved, asked.resolved) == []


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("start.per_replica=true", "must be false where every replica has a start of its own"),
        ("theory.kind=none", "must be false without a theory"),
        ("problem.p0=40", "must be false where M and Q have more than 400 independent entries"),
    ],
)
def test_what_cannot_be_predicted_is_refused_before_the_run(tmp_path, option, message):
    with pytest.raises(ExperimentError, match=message) as caught:
        load(tmp_path, GOOD, "theory.fluctuations=true", option)
    assert "theory.fluctuations" in str(caught.value)
