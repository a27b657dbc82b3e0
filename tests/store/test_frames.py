"""to_dataframe: the numbers of a Dataset in tidy rows, and what a Dataset says of itself."""

import numpy as np
import pandas as pd
import pytest

import sgdsim
from sgdsim.analysis.dataset import merge_cells
from sgdsim.errors import ArgumentError
from tests.toy import Origin, Walk

TIMES = np.array([0.5, 1.0])
PARAMETERS = {"noise": 1.0, "region": "blue"}


@pytest.fixture(scope="module")
def data():
    return sgdsim.simulate(Walk(d=20, p=2), Origin(), TIMES, replicas=6)


@pytest.fixture(scope="module")
def cells(data):
    """Two widths side by side, without what each of them says of how it was asked for."""
    both = (data, sgdsim.simulate(Walk(d=40, p=3), Origin(), TIMES, replicas=6))
    names = ("system", "d", "noise", "p", "dt", "region")
    bare = [one.drop_vars("component").assign_attrs() for one in both]
    for one in bare:
        one.attrs = {name: one.attrs[name] for name in names}
    return merge_cells(bare, [{"d": 20}, {"d": 40}])


def test_every_number_has_its_row(data):
    frame = sgdsim.to_dataframe(data)
    numbers = ["mean", "sem", "std", "theory"]
    assert list(frame) == ["observable", "component", "time", "t", "step", "samples", *numbers]
    assert len(frame) == 2 * (1 + 2 + 1)  # the risk, x of two components, the deviation
    row = frame[(frame["observable"] == "x") & (frame["component"] == 1) & (frame["time"] == 1.0)].iloc[0]
    here = {"component": 1, "time": 1}
    assert row["mean"] == data["x"].isel(here)
    assert row["sem"] == data["x_sem"].isel(here)
    assert row["std"] == data["x_std"].isel(here)
    assert row["theory"] == data["x_theory"].isel(here)
    assert (row["t"], row["step"], row["samples"]) == (1.0, 20, 60)
    assert frame[frame["observable"] == "risk"]["component"].isna().all()
    assert frame.attrs == {"d": 20, "p": 2, "dt": 0.05} | PARAMETERS


def test_cells_stand_below_one_another(cells):
    frame = sgdsim.to_dataframe(cells, observables=["x"])
    assert list(frame)[:4] == ["cell", "d", "p", "dt"]
    assert frame.groupby("cell").size().tolist() == [4, 6]  # no row for the unit that the first lacks
    assert frame[["cell", "d", "p"]].drop_duplicates().values.tolist() == [[0, 20, 2], [1, 40, 3]]
    assert frame.attrs == PARAMETERS
    last = frame[(frame["cell"] == 1) & (frame["component"] == 2)]
    np.testing.assert_array_equal(last["mean"], cells["x"].isel(cell=1, component=2))


def test_replicas(data):
    frame = sgdsim.to_dataframe(data, "replica")
    assert list(frame) == ["replica", "sup_deviation", "final_deviation", "risk_final"]
    np.testing.assert_array_equal(frame["sup_deviation"], data["sup_deviation"])
    np.testing.assert_array_equal(frame["risk_final"], data["risk_final"])


def test_a_row_for_each_cell(cells):
    frame = sgdsim.to_dataframe(cells, "cell")
    assert frame["n_replicas"].tolist() == [6, 6]
    np.testing.assert_array_equal(frame["risk"], cells["risk"][:, -1])
    np.testing.assert_array_equal(frame["risk_sem"], cells["risk_sem"][:, -1])
    np.testing.assert_array_equal(frame["risk_theory"], cells["risk_theory"][:, -1])
    np.testing.assert_allclose(frame["sup_deviation"], cells["sup_deviation"].mean("replica"))
    np.testing.assert_array_equal(frame["max_deviation_sem"], cells["max_deviation_sem"])


def test_a_theory_alone():
    frame = sgdsim.to_dataframe(sgdsim.solve(Walk(d=20, p=2), Origin(), TIMES))
    assert list(frame) == ["observable", "component", "time", "t", "theory"]
    np.testing.assert_allclose(frame[frame["observable"] == "x"]["theory"], np.exp(-TIMES).repeat(2))


def test_what_is_no_table_is_told(data):
    with pytest.raises(ArgumentError, match="`observables` must be among risk, x, deviation, but got 'y'"):
        sgdsim.to_dataframe(data, observables=["y"])


def test_a_dataset_says_what_it_is(data):
    attrs = data.attrs
    assert list(attrs)[:6] == ["system", "problem", "start", "simulator", "theory", "seed"]
    assert attrs["problem"] == "Walk(d=20)"
    assert attrs["start"] == "Origin(height=1.0)"
    assert (attrs["simulator"], attrs["theory"], attrs["seed"]) == ("Walker()", "DecayTheory()", 0)
    assert attrs["version"] == f"sgdsim {sgdsim.__version__}"
    assert attrs["wall_seconds"] > 0
    assert data["component"].values.tolist() == [0, 1]
    assert data["component"].attrs["long_name"] == "number of the component"
    assert isinstance(sgdsim.to_dataframe(data), pd.DataFrame)
    alone = sgdsim.simulate(Walk(d=20), Origin(), TIMES, replicas=4, compare=False, seed=3)
    assert (alone.attrs["theory"], alone.attrs["seed"]) == ("None", 3)


def test_a_problem_tells_a_notebook_of_its_parameters():
    page = sgdsim.committee.Committee(d=20, p=2, k=1, gamma=0.5)._repr_html_()
    assert "<b>Committee, of the system committee</b>" in page
    assert "0.5  (learning rate)" in page
    assert "<th" in page.split("Erf()")[0].split("activation")[0]
