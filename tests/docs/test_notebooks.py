"""The notebooks of docs/ run as they are, and end with what their text says."""

import runpy
import warnings
from itertools import pairwise

import matplotlib
import numpy as np
import pytest

from tests.docs.pages import DOCS

NOTEBOOKS = sorted(path.stem for path in (DOCS / "notebooks").glob("*.py"))


def executed(name, folder, monkeypatch):
    """The names that a notebook leaves, run as a script in a folder without showing a window."""
    monkeypatch.chdir(folder)
    matplotlib.use("agg")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
        names = runpy.run_path(str(DOCS / "notebooks" / f"{name}.py"))
    names["plt"].close("all")
    return names


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_begins_with_its_title(name):
    first, second, *_ = (DOCS / "notebooks" / f"{name}.py").read_text().splitlines()
    assert first == "# %% [markdown]"
    assert second.startswith("# # ")


@pytest.mark.slow
def test_seeds_on_digits(tmp_path, monkeypatch):
    accuracy = executed("classification", tmp_path, monkeypatch)["accuracy"]
    assert accuracy[0.5] > 0.7


@pytest.mark.slow
def test_a_committee_strays_as_predicted(tmp_path, monkeypatch):
    names = executed("committee", tmp_path, monkeypatch)
    assert (abs(names["measured"] - names["predicted"]) < 5 * names["errors"]).all()
    assert names["slope"] == pytest.approx(-0.5, abs=0.03)


@pytest.mark.slow
def test_noise_finds_the_signal(tmp_path, monkeypatch):
    names = executed("recovery", tmp_path, monkeypatch)
    assert [float(distance[-1]) < 0.1 for distance in names["distances"].values()] == [False, False, True]
    assert float(names["off"]) < 0.05


@pytest.mark.slow
def test_units_part_with_the_rates_of_the_theorems(tmp_path, monkeypatch):
    names = executed("meanfield", tmp_path, monkeypatch)
    assert names["slopes"][0.5] == pytest.approx(-0.5, abs=0.1)
    assert names["slopes"][1.0] == pytest.approx(-1.0, abs=0.3)
    assert names["spread"]["common"] > 5 * names["spread"]["independent"]


@pytest.mark.slow
def test_the_floor_of_figure_4_falls_with_d(tmp_path, monkeypatch):
    names = executed("figure_4", tmp_path, monkeypatch)
    for run in names["runs"].values():
        off = float(abs(run.excess_risk - run.excess_risk_theory)[-1])
        assert off < 5 * float(run.excess_risk_sem[-1])
        assert off < 0.05 * float(run.excess_risk_theory[-1])
    for simulated, solved in names["slopes"].values():
        assert simulated == pytest.approx(solved, abs=0.03)
        assert solved == pytest.approx(-0.5, abs=0.1)


@pytest.mark.slow
def test_a_fifth_system_settles_where_its_theory_says(tmp_path, monkeypatch):
    names = executed("fifth_system", tmp_path, monkeypatch)
    assert names["last"] == pytest.approx(names["settled"], rel=0.1)
    assert names["ratio"] == pytest.approx(1.0, abs=0.1)
    z = np.abs(names["run"].distance - names["run"].distance_theory) / names["run"].distance_sem
    assert float(z.max()) < 5


@pytest.mark.slow
def test_a_schedule_is_found_that_is_better_than_none(tmp_path, monkeypatch):
    names = executed("schedules", tmp_path, monkeypatch)
    assert all(after < before for before, after in pairwise(names["path"]))
    found = names["runs"]["found"].isel(time=-1)
    assert float(abs(found.excess_risk - found.excess_risk_theory)) < 5 * float(found.excess_risk_sem)
    assert names["ends"]["found"] < 0.7 * names["ends"]["constant"]
