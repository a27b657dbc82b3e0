"""Datasets of one cell and of a sweep: names, shapes, attributes, and a round trip through netCDF."""

import numpy as np
import pytest
import xarray as xr

from sgdsim.analysis.dataset import merge_cells, to_dataset
from sgdsim.analysis.moments import merge
from sgdsim.ensemble.tiles import Tiles
from tests.toy import SYSTEM, Walk

TIMES = np.array([0.1, 0.2, 0.5])


def cell(d, p, replicas=(5, 4), theory=True, seed=0):
    """One cell's dataset with its tiles: normal numbers in every place."""
    rng = np.random.default_rng(seed)
    shapes = {"x": (len(TIMES), p), "risk": (len(TIMES),)}

    def draw():
        return {name: rng.normal(size=(len(replicas), *shape)) for name, shape in shapes.items()}

    tiles = Tiles(
        count=np.array(replicas),
        diverged=np.array([0] * (len(replicas) - 1) + [1]),
        mean=draw(),
        m2={name: value**2 for name, value in draw().items()},
        theory=draw() if theory else {},
        sup_deviation=np.append(rng.random(sum(replicas)), np.nan),
        final_deviation=np.append(rng.random(sum(replicas)), np.nan),
    )
    problem = Walk(d=d, p=p)
    steps = problem.steps(TIMES)
    moments = merge(tiles)
    return to_dataset(SYSTEM, problem, TIMES, steps, moments, tiles), moments, tiles


def test_one_cell():
    data, moments, tiles = cell(d=1000, p=3)
    assert dict(data.sizes) == {"time": 3, "component": 3, "replica": 10}
    assert set(data.data_vars) == {
        *("t", "step", "samples", "sup_deviation", "final_deviation", "n_replicas", "n_diverged"),
        *(f"{name}{suffix}" for name in ("x", "risk") for suffix in ("", "_sem", "_std", "_theory")),
    }
    np.testing.assert_array_equal(data.time, TIMES)
    np.testing.assert_array_equal(data.step, [100, 200, 500])
    np.testing.assert_array_equal(data.t, data.step * 1e-3)
    np.testing.assert_array_equal(data.samples, data.step * 3)
    assert data.x.dims == ("time", "component")
    for suffix, part in (("", "mean"), ("_sem", "sem"), ("_std", "std"), ("_theory", "theory")):
        np.testing.assert_array_equal(data[f"x{suffix}"], getattr(moments, part)["x"])
    np.testing.assert_array_equal(data.sup_deviation, tiles.sup_deviation)
    assert (int(data.n_replicas), int(data.n_diverged)) == (10, 1)
    assert data.attrs["d"] == 1000
    assert data.attrs["region"] == "blue"
    assert data.x.attrs == {"long_name": "position", "units": "1", "symbol": "x_i", "cell_methods": "replica: mean"}


def test_what_theory_alone_has_is_kept():
    """A second prediction beside the first has no average of replicas of its name."""
    _, _, tiles = cell(d=1000, p=3)
    del tiles.mean["x"], tiles.m2["x"]
    problem = Walk(d=1000, p=3)
    moments = merge(tiles)
    data = to_dataset(SYSTEM, problem, TIMES, problem.steps(TIMES), moments, tiles)
    assert {name for name in data.data_vars if str(name).startswith("x")} == {"x_theory"}
    np.testing.assert_array_equal(data["x_theory"], moments.theory["x"])


def test_the_largest_mean_distance_stands_with_the_error_at_its_time():
    """Mean distances 1, 3, 2 with the spreads 0.1, 0.3, 0.2 of eight replicas in two tiles."""
    _, _, tiles = cell(d=1000, p=3, replicas=(4, 4))
    mean, std = np.array([1.0, 3.0, 2.0]), np.array([0.1, 0.3, 0.2])
    tiles.mean["deviation"] = np.stack([mean, mean])
    tiles.m2["deviation"] = np.stack([std**2 * 3.5] * 2)
    problem = Walk(d=1000, p=3)
    data = to_dataset(SYSTEM, problem, TIMES, problem.steps(TIMES), merge(tiles), tiles)
    np.testing.assert_array_equal(data["deviation"], mean)
    np.testing.assert_allclose(data["deviation_std"], std)
    np.testing.assert_allclose(data["deviation_sem"], std / 8**0.5)
    assert float(data["max_deviation"]) == 3.0
    assert float(data["max_deviation_sem"]) == pytest.approx(0.3 / 8**0.5)
    assert data["deviation"].attrs["symbol"] == r"|\Omega - \bar\Omega|_\infty"


def test_every_variable_says_what_it_is():
    data = merge_cells([cell(100, 2)[0], cell(300, 2)[0]], [{"d": 100}, {"d": 300}])
    for name, variable in data.variables.items():
        assert variable.attrs.get("long_name"), name
        assert variable.attrs.get("units"), name


def test_without_a_theory_there_is_no_theory_variable():
    assert not [name for name in cell(100, 2, theory=False)[0] if str(name).endswith("_theory")]


@pytest.mark.parametrize("bare", [0, 1])
def test_a_variable_that_some_cells_lack_is_nan_there(bare):
    """Whichever cell comes first, the names, dimensions and units are those of the others."""
    cells = [cell(100 + 200 * index, 2 + index, theory=index != bare)[0] for index in range(2)]
    data = merge_cells(cells, [{"d": 100}, {"d": 300}])
    for name in ("x_theory", "risk_theory"):
        assert data[name].dims == ("cell", *cells[1 - bare][name].dims)
        assert data[name].attrs == cells[1 - bare][name].attrs
        assert np.isnan(data[name][bare]).all()
        assert np.isfinite(data[name][1 - bare][..., :2]).all()
    assert np.isfinite(data.x[bare][:, :2]).all()


def test_cells_side_by_side_are_padded_where_the_width_differs():
    cells = [cell(100, 2, seed=1)[0], cell(300, 4, seed=2)[0]]
    data = merge_cells(cells, [{"d": 100, "noise": 0.0}, {"d": 300, "noise": 0.0}])
    assert data.x.dims == ("cell", "time", "component")
    assert data.x.shape == (2, 3, 4)
    np.testing.assert_array_equal(data.x[0, :, :2], cells[0].x)
    assert np.isnan(data.x[0, :, 2:]).all()
    np.testing.assert_array_equal(data.x[1], cells[1].x)
    np.testing.assert_array_equal(data.sup_deviation[1], cells[1].sup_deviation)
    np.testing.assert_array_equal(data.time, TIMES)
    assert data.time.dims == ("time",)
    assert data.t.dims == ("cell", "time")
    for name in ("step", "n_replicas", "n_diverged"):
        assert data[name].dtype.kind == "i"
    np.testing.assert_array_equal(data.d, [100, 300])
    np.testing.assert_array_equal(data.p, [2, 4])
    np.testing.assert_array_equal(data.region, ["blue", "blue"])
    assert data.attrs == {"system": "walk", "axes": "d noise"}


def test_ensembles_of_different_times_cannot_stand_side_by_side():
    first, second = cell(100, 2)[0], cell(300, 2)[0].isel(time=slice(2))
    second = second.assign_coords(time=[1.0, 2.0])
    with pytest.raises(ValueError, match="time"):
        merge_cells([first, second], [{"d": 100}, {"d": 300}])


def test_netcdf_round_trip_is_bitwise(tmp_path):
    data = merge_cells([cell(100, 2)[0], cell(300, 4)[0]], [{"d": 100}, {"d": 300}])
    data.to_netcdf(tmp_path / "results.nc", engine="netcdf4")
    with xr.open_dataset(tmp_path / "results.nc", engine="netcdf4") as back:
        xr.testing.assert_identical(back.load(), data)
        for name in data.variables:
            if data[name].dtype.kind == "f":
                assert back[name].values.tobytes() == data[name].values.tobytes()


def test_it_prints_itself():
    text = str(cell(1000, 3)[0])
    assert "sup_deviation" in text
    assert "noise" in text
