"""The experiments of signal recovery, cut down, find what they are about."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sgdsim.errors import ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.report import write_report
from sgdsim.run.opened import open_run
from tests.drawn import draw
from tests.helpers import finish

FOLDER = Path(__file__).parents[2] / "configs" / "recovery"


def run(name, folder, *overrides):
    """Summary and results of a quick variant with overrides, its figures drawn."""
    summary = finish(load_experiment(FOLDER / f"{name}.toml", overrides, quick=True), folder)
    (folder / "provenance.json").write_text("{}")
    assert draw(folder)
    with xr.open_dataset(folder / "results.nc", engine="netcdf4") as results:
        return summary, results.load()


@pytest.mark.slow
def test_sgd_recovers_where_gd_does_not(tmp_path):
    """Final distances of the physics page; b = 0.2 is below 0.1 at step 108 of 400, and not at step 107."""
    _, results = run("sgd_is_faster", tmp_path, "grid.b=[1.0,0.5,0.2]", "times.first=21.4", "times.count=142")
    assert {path.suffix for path in write_report(tmp_path)} == {".png", ".pdf", ".html"}
    assert results["step"].to_numpy()[0, [0, 1, -1]].tolist() == [107, 108, 400]
    distance = results["distance_theory"].to_numpy()
    assert distance[:2, -1] == pytest.approx([2.0588244514, 1.6520954358], abs=1e-9)
    assert distance[2, 0] > 0.1 > distance[2, 1]


@pytest.mark.slow
def test_the_threshold_of_gd_from_a_thousandth(tmp_path):
    """2.28 +- 0.1; windows differ by less than that."""
    cut = ("problem.m0=1e-3", "grid.alpha={log=[2.47,4.0,15]}", "times.final=200", "times.count=1000")
    summary, _ = run("threshold", tmp_path, *cut, "grid.b=[1.0]")
    gd = summary.fits["threshold"]
    assert abs(gd.threshold - 2.28) < 0.1
    assert 0 < gd.threshold_high - gd.threshold_low < 0.1
    assert 1.2 < gd.exponent < 2.1


@pytest.mark.slow
def test_the_threshold_depends_on_the_start(tmp_path):
    """Larger by about 0.2 (GD) or 0.1 (SGD) for every halving decade of m(0), and lower for SGD at every start."""
    summary, _ = run("threshold_start", tmp_path)
    values = {
        (b, m0): summary.fits[f"threshold[b={b:g}, m0={m0:g}]"].threshold
        for b in (1.0, 0.2)
        for m0 in (0.2, 0.05, 0.01)
    }
    reference = {(1.0, 0.2): 1.325, (1.0, 0.05): 1.725, (0.2, 0.2): 1.19, (0.2, 0.05): 1.37}
    for key, value in reference.items():
        assert values[key] == pytest.approx(value, abs=0.1)
    for m0 in (0.2, 0.05, 0.01):
        assert values[0.2, m0] < values[1.0, m0] - 0.05
    for b in (1.0, 0.2):
        assert values[b, 0.2] < values[b, 0.05] < values[b, 0.01]


@pytest.mark.slow
def test_gd_turns_unstable_at_the_largest_eigenvalue_of_the_hessian(tmp_path):
    """At 1/(alpha + 1) within 3 %, and SGD of small b earlier."""
    grid = "grid.eta={log=[0.17,0.32,20]}"
    summary, _ = run("stability", tmp_path, grid, "grid.b=[1.0,0.2]", "times.final=40")
    for alpha in (2.5, 4.0):
        onset = summary.fits[f"eta_max[alpha={alpha:g}, b=1]"]
        assert onset.expected == pytest.approx(1 / (alpha + 1))
        assert onset.onset == pytest.approx(onset.expected, rel=0.03)
    assert summary.fits["eta_max[alpha=2.5, b=0.2]"].onset < 0.93 / 3.5


@pytest.mark.slow
def test_older_systems_forget_more_slowly(tmp_path):
    """Ageing: at the same t - t_w, C(t, t_w)/C(t_w, t_w) is the larger the larger t_w is."""
    _, results = run("aging", tmp_path, "times.final=60", "simulator.kind=none")
    times = results["t"].isel(cell=1).to_numpy()
    curves = results["C_waiting_theory"].isel(cell=1).to_numpy()  # b = 0.2
    at = [[np.interp(t, times, curves[:, i]) for t in (wait, wait + 20)] for i, wait in enumerate((1, 5, 25))]
    kept = [later / now for now, later in at]
    assert kept[0] < kept[1] < kept[2]


@pytest.mark.slow
def test_ageing_is_interrupted_as_is_known(tmp_path):
    """C(t_w + 50, t_w) over both lengths, times in steps: SGD saturates where GD freezes, and freezes at alpha = 1."""
    fits = run("interrupted_aging_long", tmp_path)[0].fits
    assert all(fit.held and fit.off < 6e-4 for fit in fits.values())
    last = {name: fit.points[-1][3] for name, fit in fits.items()}
    assert last["sgd"] == pytest.approx(0.951, abs=5e-4)
    assert last["gd"] > 0.9997
    assert last["sgd_fits"] > 0.9975


@pytest.mark.slow
def test_fewer_data_than_weights_are_fitted_and_not_understood(tmp_path):
    """alpha = 1/2: the loss vanishes, and half of the distance stays."""
    _, results = run("linear_regression", tmp_path, "ensemble.replicas=64", "grid.N=[100]", "grid.alpha=[0.5]")
    assert (results["loss"].to_numpy()[:, -1] < 1e-3).all()
    assert results["distance"].to_numpy()[:, -1] == pytest.approx(0.8, rel=0.1)


@pytest.mark.parametrize("kind", ["none", "descent"])
def test_a_theory_beyond_the_memory_is_refused_before_anything_is_written(kind, tmp_path):
    options = ("times.final=40000.0", f"simulator.kind={kind}")
    with pytest.raises(ExperimentError, match=r"aging.toml: cell 0 \(b=1\): .*`times` must leave the theory `dmft`"):
        open_run(load_experiment(FOLDER / "aging.toml", options, quick=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_descents_are_held_at_the_edge_of_stability(tmp_path):
    """C(t,t) near 1/(eta (alpha + 1)), and loss is left, where half the step size ends far below; at N = 100 less."""
    _, results = run("edge_of_stability", tmp_path, "ensemble.replicas=128")
    last = results.isel(time=-1)
    edge = 1 / (0.25 * 2.2)
    held, free = last["C_theory"].to_numpy()
    assert held == pytest.approx(1.0135 * edge, rel=3e-3)
    assert free > 1.1 * edge
    assert last["C"].to_numpy()[0] == pytest.approx(edge, rel=0.08)
    found, theory, sem = (last[f"loss{part}"].to_numpy() for part in ("", "_theory", "_sem"))
    assert theory[0] > 2.5 * theory[1]
    assert found[0] - found[1] > 5 * np.hypot(*sem)
    assert 0.6 * theory[0] < found[0] < theory[0]
