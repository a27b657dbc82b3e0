"""Sweeps that reach beyond theory: cells without an ODE among others with one, and cells of which nothing is left."""

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from sgdsim import cli
from sgdsim.committee.theory.ode import ExactODE
from sgdsim.errors import ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.store.directory import RunDirectory
from sgdsim.store.summary import End, Mean, Summary

CONFIG = """\
system = "committee"
problem = { k = 2, p0 = 2, noise = 0.01 }
grid = { delta = [-1.0, -0.5, 0.0], d = [50, 100] }
start = { kind = "overlap", overlap = 0.5 }
times = { final = 4.0, count = 4 }
ensemble.replicas = 8
fits.deviation = { quantity = "sup_deviation", against = "d" }
fits.risk = { quantity = "excess_risk", against = "d" }
report.figures = ["scaling", "trajectories"]
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path / "config.toml"


def sgdsim(*arguments):
    done = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def run(config, *options):
    """Runs the experiment: its summary, its results, and the names of its figures."""
    folder = RunDirectory(config.parent / "run")
    sgdsim("run", config, "-o", folder.path, "-q", *(part for option in options for part in ("--set", option)))
    with xr.open_dataset(folder.results, engine="netcdf4") as data:
        results = data.load()
    assert (folder.path / "report.html").is_file()
    return Summary.load(folder.summary), results, {path.name for path in folder.path.glob("figures/*.png")}


def test_red_cells_of_a_grid_have_no_theory(config):
    experiment = load_experiment(config)
    assert [cell.theory for cell in experiment.cells] == [None] * 4 + [ExactODE()] * 2
    assert experiment.resolved["theory"]["kind"] == "exact"
    rows = [line.split() for line in sgdsim("plan", config).splitlines()[1:8]]
    assert [row[rows[0].index("theory")] for row in rows[1:]] == ["none"] * 4 + ["exact"] * 2


def test_a_theory_that_exists_for_no_cell_is_refused_with_the_remedy(config):
    with pytest.raises(ExperimentError) as caught:
        load_experiment(config, ["grid.delta=[-1.0, -0.5]"])
    (line,) = caught.value.problems
    assert "must be none in the red region" in line
    assert "ask for no theory, or raise kappa or delta until theta > -1/2" in line


@pytest.mark.slow
def test_results_of_a_grid_that_reaches_into_the_red(config):
    summary, results, figures = run(config)
    assert [cell.theory for cell in summary.cells] == [None] * 4 + ["exact"] * 2
    for cell in summary.cells[:4]:
        assert cell.parameters["region"] == "red"
        assert cell.sup_deviation == Mean()
        assert cell.final["excess_risk"].mean > 0
        assert cell.final["excess_risk"].theory is None
    for name in ("M_theory", "Q_theory", "excess_risk_theory", "sup_deviation"):
        assert np.isnan(results[name][:4]).all()
        assert np.isfinite(results[name][4:]).all()
        assert results[name].attrs["units"] == "1"
    assert np.isfinite(results.excess_risk).all()
    fits = summary.fits
    assert fits["deviation[delta=-1]"].slope is None
    assert fits["deviation[delta=-1]"].problem.startswith("no fit: ")
    assert fits["deviation[delta=0]"].slope is not None
    assert fits["risk[delta=-1]"].slope is not None
    assert figures == {"scaling.png", "trajectories.png"}


LOST = ("problem.gamma0=1e12", "theory.kind=none", "fits={ risk = { quantity = 'excess_risk', against = 'd' } }")
"""At delta = -10 a step is 10^30 or more."""


@pytest.mark.slow
def test_cells_of_which_nothing_is_left(config):
    summary, results, figures = run(config, "grid.delta=[-10.0, 0.0]", *LOST)
    assert [cell.n_diverged for cell in summary.cells] == [8, 0, 8, 0]
    for cell in summary.cells[::2]:
        assert cell.final["excess_risk"] == End()
    lost, kept = (summary.fits[f"risk[delta={delta}]"] for delta in (-10, 0))
    assert lost.slope is None
    assert [point[1:] for point in lost.points] == [[None, None]] * 2
    assert kept.slope is not None
    assert np.isnan(results.Q[::2]).all()
    assert np.isfinite(results.Q[1::2]).all()
    assert figures == {"scaling.png"}  # what is left of the others does not move after the first step


def test_a_run_of_which_nothing_is_left(config):
    summary, results, figures = run(config, "problem.delta=-10.0", *LOST)
    assert (summary.n_replicas, summary.n_diverged) == (16, 16)
    assert np.isnan(results.excess_risk).all()
    assert summary.fits["risk"].slope is None
    assert figures == set()
