"""Quantities against a parameter, point by point, over the cells of the toy system."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from sgdsim.experiment.experiment import load_experiment
from sgdsim.experiment.schema import AgainstSection
from sgdsim.run.against import read_points
from sgdsim.run.ensembles import ensemble_of
from tests.experiment.bad_configs import GOOD
from tests.helpers import finish
from tests.toy import SYSTEM, make_experiment


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    asked = (
        AgainstSection(quantity="samples_to_level", axis="d", level=0.4),
        AgainstSection(quantity="sup_deviation", axis="dt"),
        AgainstSection(quantity="risk", axis="d"),
        AgainstSection(quantity="steps_to_level", axis="d", level=0.15),
        AgainstSection(quantity="relaxation_time", axis="noise", level=0.4),
    )
    experiment = replace(make_experiment(d=(40, 20, 80), noise=(1.0, 9.0), block=None), against=asked)
    return experiment, finish(experiment, tmp_path_factory.mktemp("against")).against


def test_what_is_asked_for_is_told_again(entries):
    keys = [(entry.quantity, entry.axis, entry.level) for entry in entries[1]]
    assert keys == [(asked.quantity, asked.axis, asked.level) for asked in entries[0].against]


def test_a_series_for_every_value_of_the_other_axes_in_the_order_of_x(entries):
    risk = entries[1][2]
    assert list(risk.series) == ["noise=1", "noise=9"]
    assert [[point[0] for point in points] for points in risk.series.values()] == [[20.0, 40.0, 80.0]] * 2
    assert [point[0] for point in entries[1][1].series["noise=9"]] == [1 / 80, 1 / 40, 1 / 20]
    assert list(entries[1][4].series) == ["d=40", "d=20", "d=80"]
    assert [[point[0] for point in points] for points in entries[1][4].series.values()] == [[1.0, 9.0]] * 3


def test_points_are_those_of_the_cells(entries):
    experiment, (_, deviation, risk, *_) = entries
    cell = experiment.cells[5]
    assert cell.axes == {"d": 80, "noise": 9.0}
    tiles = ensemble_of(experiment, cell).run()
    values = tiles.kept["risk"]
    x, mean, sem, theory = risk.series["noise=9"][2]
    expected = (80, values.mean(), values.std(ddof=1) / len(values) ** 0.5, tiles.theory["risk"][0, -1])
    assert (x, mean, sem, theory) == pytest.approx(expected, rel=1e-9)
    x, mean, sem, theory = deviation.series["noise=9"][0]
    values = tiles.sup_deviation
    assert (x, mean, sem) == pytest.approx((1 / 80, values.mean(), values.std(ddof=1) / len(values) ** 0.5), rel=1e-9)
    assert theory is None


def test_a_level_that_is_not_reached_leaves_no_point_and_says_so(entries):
    experiment, (*_, entry, _) = entries
    missing = {label: [point[0] for point in points if point[1] is None] for label, points in entry.series.items()}
    lowest = {
        (cell.axes["noise"], cell.axes["d"]): ensemble_of(experiment, cell).run().mean["risk"].mean(axis=0).min()
        for cell in experiment.cells
    }
    above = {noise: [d for d in (20, 40, 80) if lowest[noise, d] > 0.15] for noise in (1.0, 9.0)}
    assert missing == {"noise=1": above[1.0], "noise=9": above[9.0]}
    count = len(above[1.0]) + len(above[9.0])
    assert 0 < count < 6
    assert entry.missed == {"`level` must be reached by the curve": count}
    assert entries[1][0].missed == {}


def test_a_cell_that_failed_has_no_point(entries):
    experiment = entries[0]
    lost = xr.Dataset({"risk": ("time", [np.nan]), "risk_sem": ("time", [np.nan]), "n_replicas": 0})
    data = [xr.Dataset({"risk": ("time", [0.5]), "risk_sem": ("time", [0.1]), "n_replicas": 9})] * 5 + [lost]
    entry = read_points(SYSTEM, experiment.cells, data, AgainstSection(quantity="risk", axis="d"), {5: "an error"})
    assert [point[:3] for point in entry.series["noise=9"]] == [[20.0, 0.5, 0.1], [40.0, 0.5, 0.1]]
    assert len(entry.series["noise=1"]) == 3


def test_in_a_file(tmp_path):
    path = tmp_path / "test.toml"
    path.write_text(f'{GOOD}\n[[report.against]]\nquantity = "steps_to_level"\naxis = "dt"\nlevel = 0.1\n')
    experiment = load_experiment(path)
    assert experiment.against == (AgainstSection(quantity="steps_to_level", axis="dt", level=0.1),)
    assert experiment.resolved["report"]["against"] == [{"quantity": "steps_to_level", "axis": "dt", "level": 0.1}]
