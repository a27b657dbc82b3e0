"""A sweep of the toy system: blocks, results, and the same numbers however it is cut."""

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr

from sgdsim.errors import ExperimentError
from sgdsim.run.ensembles import ensemble_of
from sgdsim.run.opened import open_run
from sgdsim.run.progress import Meter
from sgdsim.run.results import _plateau, write_results
from sgdsim.store.code import code_of_system
from sgdsim.store.directory import RunDirectory
from sgdsim.store.summary import End, Summary
from sgdsim.store.worker import this_worker
from tests.helpers import make_blocks
from tests.toy import SYSTEM, make_experiment


class Count(Meter):
    """Remembers what it was told."""

    def __init__(self):
        self.total = self.before = self.done = 0
        self.cells = []

    def start(self, total, done):
        self.total, self.before = total, done

    def advance(self, steps):
        self.done += steps

    def cell(self, label):
        self.cells.append(label)


def run(path, **changes):
    meter = Count()
    sweep = make_blocks(make_experiment(**changes), path, meter)
    summary = write_results(sweep.experiment, sweep.directory, sweep.layout)
    with xr.open_dataset(sweep.directory.results, engine="netcdf4") as data:
        return data.load(), summary, meter


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("walk")
    return path, *run(path)


def assert_bitwise(first, second):
    assert set(first.variables) == set(second.variables)
    for name in first.variables:
        assert first[name].dims == second[name].dims
        if first[name].dtype.kind in "fi":
            assert first[name].values.tobytes() == second[name].values.tobytes(), name
        else:
            np.testing.assert_array_equal(first[name], second[name])
    assert first.attrs == second.attrs


def test_what_is_on_disk(finished):
    path, data, *_ = finished
    names = {file.name for file in path.rglob("*") if file.is_file()}
    blocks = {f"c0000{cell}-r00000{first:02d}-00000{first + 8:02d}.npz" for cell in range(3) for first in (0, 8, 16)}
    log = f"{this_worker().name}.jsonl"
    assert names == blocks | {"index.json", "experiment.toml", "results.nc", "summary.json", log}
    assert all(file.parent.parent == path / "blocks" for file in path.rglob("*.npz"))
    assert not list((path / "live").rglob("*.*"))
    manifest = RunDirectory(path).read_manifest()
    assert dict(data.sizes) == {"cell": 3, "time": 5, "component": 2, "replica": 24}
    assert data.attrs == {
        "system": "walk",
        "axes": "d noise",
        "title": "Walk",
        "experiment": "walk",
        "manifest": manifest.source,
    }


def test_results_are_those_of_the_ensembles(finished):
    _, data, *_ = finished
    experiment = make_experiment()
    for index, cell in enumerate(experiment.cells):
        tiles = ensemble_of(experiment, cell).run()
        np.testing.assert_array_equal(data.sup_deviation[index], tiles.sup_deviation)
        weights = tiles.count[:, None] / tiles.count.sum()
        np.testing.assert_allclose(data.risk[index], (weights * tiles.mean["risk"]).sum(0), rtol=1e-13)
        np.testing.assert_array_equal(data.x_theory[index], tiles.theory["x"][0])


def test_the_meter_sees_all_the_work(finished):
    *_, meter = finished
    assert meter.before == 0
    assert meter.done == meter.total == 24 * (20 + 40 + 80)
    assert all(said.startswith("cell") for said in meter.cells)


def test_the_summary(finished):
    path, data, summary, _ = finished
    assert summary == Summary.load(path / "summary.json")
    assert summary.manifest == RunDirectory(path).read_manifest().digest
    (origin,) = summary.origins
    assert (origin.blocks, origin.replicas, origin.platform) == (9, 72, "cpu")
    assert origin.code == code_of_system(SYSTEM).digest
    assert (summary.n_replicas, summary.n_diverged) == (72, 0)
    assert summary.wall_seconds > 0
    assert math.isclose(summary.steps_per_second, 24 * 140 / summary.wall_seconds)
    for index, cell in enumerate(summary.cells):
        assert cell.cell == index
        assert cell.axes == {"d": int(data.d[index]), "noise": 1.0}
        assert cell.parameters["p"] == 2
        assert (cell.parameters["region"], cell.parameters["dt"]) == ("blue", float(data.dt[index]))
        assert (cell.n_replicas, cell.n_diverged) == (24, 0)
        for name in ("sup_deviation", "final_deviation"):
            values = data[name][index].values
            assert math.isclose(cell.deviation(name).mean, values.mean())
            assert math.isclose(cell.deviation(name).sem, values.std(ddof=1) / math.sqrt(24))
        final = {"mean": data.risk, "sem": data.risk_sem, "theory": data.risk_theory}
        assert cell.final == {"risk": End(**{key: float(value[index, -1]) for key, value in final.items()})}
        assert cell.plateau is None
        assert cell.plateau_theory is None


def test_the_law_of_the_toy_is_found(tmp_path):
    """The deviation of the walk is proportional to sqrt(dt) up to corrections of order dt."""
    _, summary, _ = run(tmp_path, d=(50, 100, 200, 400), replicas=400, block=None)
    fit = summary.fits["scaling"]
    assert (fit.quantity, fit.against, fit.expected_slope) == ("sup_deviation", "dt", 0.5)
    assert abs(fit.slope - 0.5) < 4 * fit.slope_error
    assert fit.slope_error < 0.03
    assert fit.dof == 2
    assert [point[0] for point in fit.points] == [0.02, 0.01, 0.005, 0.0025]
    assert summary.fits["risk"].expected_slope is None


def test_one_fit_for_every_value_of_the_other_axes(tmp_path):
    _, summary, _ = run(tmp_path, d=(20, 40), noise=(1.0, 0.25), replicas=8)
    assert set(summary.fits) == {f"{fit}[noise={noise}]" for fit in ("scaling", "risk") for noise in ("1", "0.25")}
    means = [cell.sup_deviation.mean for cell in summary.cells]
    for name, rows in (("scaling[noise=1]", means[:2]), ("scaling[noise=0.25]", means[2:])):
        assert [point[1] for point in summary.fits[name].points] == rows


def test_what_cannot_be_fitted_says_why(tmp_path):
    _, summary, _ = run(tmp_path, d=(20, 40), replicas=1, block=None)
    fit = summary.fits["scaling"]
    assert fit.slope is None
    assert fit.constant_error is None
    assert "two finite replicas" in fit.problem
    assert summary.cells[0].sup_deviation.sem is None


@pytest.mark.parametrize("batch", [4, *(pytest.param(batch, marks=pytest.mark.slow) for batch in (1, 12, 10**6))])
def test_the_batch_size_changes_no_number(finished, tmp_path, batch):
    assert_bitwise(run(tmp_path, batch=batch)[0], finished[1])


@pytest.mark.parametrize("block", [12, *(pytest.param(block, marks=pytest.mark.slow) for block in (1, None))])
def test_the_block_size_changes_no_number(finished, tmp_path, block):
    data, _, _ = run(tmp_path, block=block)
    assert len(list(tmp_path.glob("blocks/*/*.npz"))) == {1: 18, 12: 6, None: 3}[block]
    assert_bitwise(data, finished[1])


def test_only_missing_blocks_are_simulated(finished, tmp_path):
    run(tmp_path)
    files = {path.name: path for path in tmp_path.glob("blocks/*/*.npz")}
    kept = files["c00000-r0000000-0000008.npz"]
    before = kept.stat().st_mtime_ns
    for name in ("c00001-r0000008-0000016.npz", "c00002-r0000016-0000024.npz"):
        files[name].unlink()
    data, _, meter = run(tmp_path)
    assert (meter.before, meter.done) == (24 * 140 - 8 * 120, 8 * 120)
    assert meter.cells == ["cells 2-3 of 3"]
    assert kept.stat().st_mtime_ns == before
    assert_bitwise(data, finished[1])


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"seed": 1}, "ensemble.seed"),
        ({"d": (20, 40, 81)}, "grid.d"),
        ({"p": 3, "replicas": 25}, "problem.p, ensemble.repl"),
    ],
)
def test_a_different_experiment_is_refused_and_nothing_changes(tmp_path, changes, key):
    run(tmp_path, replicas=4, d=(20, 40))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ExperimentError, match=rf"holds a different experiment \(.*{key}.*\); choose another .* -o DIR"):
        open_run(make_experiment(**{"replicas": 4, "d": (20, 40)} | changes), tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_another_number_of_replicas_is_what_extend_is_for(tmp_path):
    run(tmp_path, replicas=4, d=(20,))
    with pytest.raises(ExperimentError) as caught:
        open_run(make_experiment(replicas=8, d=(20,)), tmp_path)
    remedy = f"to add replicas: sgdsim extend {tmp_path} --replicas N; to go on as begun: sgdsim run {tmp_path}"
    (problem,) = caught.value.problems
    assert problem == f"{tmp_path}: holds a different experiment (differing: ensemble.replicas); {remedy}"


def test_what_changes_no_number_may_change(tmp_path):
    run(tmp_path, d=(20,), replicas=4)
    data, summary, meter = run(tmp_path, d=(20,), replicas=4, title="A better title", batch=4)
    assert meter.done == 0
    assert summary.title == data.attrs["title"] == "A better title"


def test_tiles_of_another_size_are_refused(tmp_path, monkeypatch):
    run(tmp_path, d=(20,), replicas=8)
    monkeypatch.setattr("tests.toy.LANES", 8)
    with pytest.raises(ExperimentError, match=r"tiles of \[4\] replicas, here they are \[8\]"):
        open_run(make_experiment(d=(20,), replicas=8), tmp_path)


def test_diverged_replicas_are_counted_and_left_out(tmp_path):
    data, summary, _ = run(tmp_path, d=(20, 40), noise=(math.inf,), replicas=8)
    assert summary.n_diverged == 16
    assert (data.n_diverged == 8).all()
    assert np.isnan(data.risk).all()
    assert summary.cells[0].final["risk"] == End()
    assert summary.fits["scaling"].slope is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "< 1 s"), (42.4, "42 s"), (200.0, "3 min 20 s"), (18600.0, "5 h 10 min")]
)
def test_durations(seconds, text):
    from sgdsim.amounts import duration

    assert duration(seconds) == text


def test_plateau_of_the_mean_and_of_theory_are_in_the_summary():
    """A curve that stops falling between t = 1 and 100, and a theory that does not."""
    t = np.geomspace(0.01, 1e4, 200)
    risk = np.where(t < 1, 1 / t**2, np.where(t < 100, 1.0, (100 / t) ** 2))
    data = xr.Dataset({"t": ("time", t), "risk": ("time", risk), "risk_theory": ("time", 1 / t)})
    assert _plateau(data, "risk_theory") is None
    found = dataclasses.asdict(_plateau(data, "risk"))
    assert found == pytest.approx({"height": 1.0, "begin": 1.0, "end": 100.0}, rel=0.35)
    assert _plateau(data.drop_vars("risk_theory"), "risk_theory") is None
