"""Sweeps in which nothing is simulated: theory kept as it is, laws of it, and what plan, run and status say."""

import dataclasses
import re
from typing import ClassVar

import equinox as eqx
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from sgdsim import cli
from sgdsim.analysis.names import DEVIATIONS
from sgdsim.contracts import Curve
from sgdsim.ensemble.theory_alone import TheoryAlone
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.laws.onset import OnsetFit
from sgdsim.laws.power import PowerFit
from sgdsim.laws.threshold import ThresholdFit
from sgdsim.run import plan
from sgdsim.run.opened import open_run
from sgdsim.run.plan import make_plan
from sgdsim.run.progress import Meter
from sgdsim.run.results import write_results
from sgdsim.run.status import StatusReader
from sgdsim.store.origin import origin_here
from sgdsim.store.summary import Summary
from tests.experiment.bad_configs import GOOD
from tests.helpers import finish, make_blocks, make_some
from tests.toy import DecayTheory, make_experiment

NOISE = tuple(np.round(np.arange(0.2, 1.65, 0.1), 1).tolist())
LEVEL = 0.1


class Relaxing(Curve):
    """risk = LEVEL tau/t with tau = 2 (noise - 0.35)^-1.5; beyond noise = 1 infinite in the end; flat below 0.35."""

    noise: float = eqx.field(converter=float)

    def __call__(self, initial, times):
        raise NotImplementedError

    def solve(self, initial, times):
        risk = LEVEL * 2 * (self.noise - 0.35) ** -1.5 / times if self.noise > 0.35 else np.ones_like(times)
        return {"risk": risk if self.noise < 1 else np.where(times == times[-1], np.inf, risk)}


class RelaxingTheory(DecayTheory):
    name: ClassVar[str] = "relaxing"

    def bind(self, problem):
        return Relaxing(problem.noise)

    def memory(self, problem, times):
        return 7000 * len(times)

    def cost(self, problem, start, times):
        return 2.0


def alone(theory, **options):
    experiment = make_experiment(replicas=24, **options)
    times = np.geomspace(0.05, 1e4, 60)
    cells = [
        dataclasses.replace(cell, simulator=None, theory=theory, asked=times, times=times) for cell in experiment.cells
    ]
    return dataclasses.replace(experiment, cells=tuple(cells), replicas=0, fits={}, file="walk.toml")


class Counting(Meter):
    def __init__(self):
        self.seen = []

    def start(self, total, done):
        self.seen.append((self.unit, total, done))

    def advance(self, steps):
        self.seen.append(steps)


@pytest.fixture(scope="module")
def relaxed(tmp_path_factory):
    experiment = alone(RelaxingTheory(), d=(20, 40), noise=NOISE)
    experiment.fits.update(
        threshold=ThresholdFit(quantity="relaxation_time", against="noise", level=LEVEL),
        early=ThresholdFit(quantity="relaxation_time", against="noise", level=1e5),
        onset=OnsetFit(quantity="risk", against="noise", level=10.0),
        time=PowerFit(quantity="relaxation_time", against="noise", level=LEVEL),
    )
    meter = Counting()
    sweep = make_blocks(experiment, tmp_path_factory.mktemp("alone") / "out", meter)
    return experiment, sweep, meter, write_results(experiment, sweep.directory, sweep.layout)


def test_the_results_hold_theory_only_and_are_bitwise_the_curve(relaxed):
    experiment, sweep, _, _ = relaxed
    with xr.open_dataset(sweep.directory.results, engine="netcdf4") as data:
        assert set(data.data_vars) == {"t", "step", "samples", "risk_theory", "n_replicas", "n_diverged"}
        assert not data["n_replicas"].values.any()
        for index, cell in enumerate(experiment.cells):
            ensemble = sweep.ensembles[index]
            expected = Relaxing(cell.problem.noise).solve(None, ensemble.steps * cell.problem.dt)["risk"]
            np.testing.assert_array_equal(data["risk_theory"].values[index], expected)
        assert np.isinf(data["risk_theory"].values).any()


def test_progress_counts_cells(relaxed):
    experiment, _, meter, _ = relaxed
    assert meter.seen == [("cells", len(experiment.cells), 0), *[1] * len(experiment.cells)]


def test_the_summary_says_what_diverged_and_has_no_speed(relaxed):
    experiment, _, _, summary = relaxed
    assert (summary.n_replicas, summary.n_diverged, summary.steps_per_second) == (0, 0, None)
    for cell, entry in zip(experiment.cells, summary.cells, strict=True):
        assert entry.theory_diverged == (cell.problem.noise >= 1)
        assert (entry.theory, entry.steps_per_second, entry.final["risk"].mean) == ("relaxing", None, None)
        assert [getattr(entry, name) for name in DEVIATIONS] == [None] * 3


def test_a_threshold_for_every_combination_of_the_other_axes(relaxed):
    fits = relaxed[3].fits
    for d in (20, 40):
        fit = fits[f"threshold[d={d}]"]
        assert (fit.law, fit.level, fit.problem) == ("threshold", LEVEL, None)
        assert fit.missed == [0.2, 0.3]
        assert [x for x, _ in fit.points] == pytest.approx(NOISE[2:])
        for x, tau in fit.points:  # save times are whole steps, and between them the curve is a straight line
            assert tau == pytest.approx(2 * (x - 0.35) ** -1.5, rel=1e-9)
        assert fit.threshold == pytest.approx(0.35, abs=1e-8)
        assert fit.exponent == pytest.approx(1.5, abs=1e-6)
        assert fit.longest == pytest.approx(2 * 0.05**-1.5)
        assert [window.points for window in fit.windows] == list(range(6, 14))


def test_a_level_that_the_curves_start_below_is_a_problem_and_no_miss(relaxed):
    fit = relaxed[3].fits["early[d=20]"]
    assert fit.problem.startswith("no fit: `level` must be below the curve at its first save time (at noise = ")
    assert fit.threshold is None
    assert fit.windows == ()


def test_an_onset_counts_a_blow_up_and_a_power_law_of_theory_has_no_errors(relaxed):
    fits = relaxed[3].fits
    onset = fits["onset[d=40]"]
    assert (onset.low, onset.high, onset.expected) == (0.9, 1.0, None)
    assert onset.onset == pytest.approx(np.sqrt(0.9))
    assert onset.points[-1] == [1.6, None]
    assert fits["time[d=40]"].problem == "no fit: `level` must be reached by the curve (2 of 15 cells)"


def test_a_power_law_of_theory_alone(tmp_path):
    experiment = alone(DecayTheory(), d=(20, 40, 80))
    experiment.fits["steps"] = PowerFit(quantity="samples_to_level", against="d", level=0.5)
    summary = finish(experiment, tmp_path)
    fit = summary.fits["steps"]
    assert fit.slope == pytest.approx(1.0, abs=0.03)
    assert fit.slope_error is fit.theory_slope is fit.chi2 is None
    assert "with s = " in next(cli.run.headline(summary))


def test_a_run_is_taken_up_again(relaxed, tmp_path):
    experiment, sweep, _, _ = relaxed
    again = open_run(experiment, tmp_path)
    for block in again.blocks[3:]:
        again.directory.write_block(block, sweep.directory.read_block(block, lanes=1)[0], origin_here(sweep.code))
    meter = Counting()
    make_blocks(experiment, tmp_path, meter)
    assert meter.seen == [("cells", 30, 27), 1, 1, 1]
    write_results(experiment, again.directory, again.layout)
    taken_up, whole = (xr.load_dataset(run.directory.results, engine="netcdf4") for run in (again, sweep))
    assert taken_up.identical(whole)


def test_the_status_says_where_theory_diverged(relaxed):
    experiment, sweep, _, _ = relaxed
    cells = StatusReader(sweep.directory).read().cells
    assert [cell.theory_diverged for cell in cells] == [cell.problem.noise >= 1 for cell in experiment.cells]
    assert {(cell.blocks_done, cell.blocks, cell.replicas_done, cell.replicas) for cell in cells} == {(1, 1, 0, 0)}


def test_a_plan_counts_what_theory_takes(monkeypatch):
    monkeypatch.setattr(plan, "slowness", lambda: 3.0)
    lone = make_plan(alone(RelaxingTheory(), d=(20,)))
    (cell,) = lone.cells
    assert (cell.replicas, cell.memory, cell.blocks) == (0, 60 * 7000, 1)
    assert (cell.seconds, lone.theory, lone.simulate) == (6.0, 6.0, 0.0)
    experiment = make_experiment(d=(20,))
    cells = (dataclasses.replace(experiment.cells[0], theory=RelaxingTheory()),)
    both, simulated = make_plan(dataclasses.replace(experiment, cells=cells)), make_plan(experiment)
    assert both.cells[0].memory == simulated.cells[0].memory + 5 * 7000
    assert both.cells[0].seconds == pytest.approx(simulated.cells[0].seconds + 6.0)


class BlowingUp(DecayTheory):
    """That of the walk, infinite at the last time where noise > 1."""

    def bind(self, problem):
        return Blown(problem.noise)


class Blown(Curve):
    noise: float = eqx.field(converter=float)

    def __call__(self, initial, times):
        raise NotImplementedError

    def solve(self, initial, times):
        x = initial * np.exp(-times)[:, None]
        x[-1] = np.inf if self.noise > 1 else x[-1]
        return {"x": x, "risk": (x**2).sum(axis=1) / 2}


def test_a_simulated_cell_whose_theory_blows_up_is_named(tmp_path):
    experiment = make_experiment(d=(20,), noise=(0.5, 1.2))
    cells = tuple(dataclasses.replace(cell, theory=BlowingUp()) for cell in experiment.cells)
    sweep = open_run(dataclasses.replace(experiment, cells=cells, file="walk.toml"), tmp_path)
    failed = make_some(sweep).failed
    assert list(failed) == [1]
    assert failed[1].startswith("walk.toml: cell 1 (d=20, noise=1.2): Argument `times` must end at")
    assert [sweep.directory.done(block) for block in sweep.blocks].count(False) == 3


@pytest.mark.parametrize(
    ("part", "value", "reason"),
    [
        ("times", np.array([2.0, 1.0]), "increasing"),
        ("times", np.array([1e-9]), "one step"),
        ("theory", None, "`theory` must be given where nothing is simulated"),
    ],
)
def test_what_does_not_fit_is_refused(part, value, reason):
    cell = alone(DecayTheory(), d=(20,)).cells[0]
    options = {"problem": cell.problem, "start": cell.start, "theory": cell.theory, "times": cell.times}
    with pytest.raises(ArgumentError, match=reason):
        TheoryAlone(**(options | {part: value}))


LONE = (
    GOOD.replace('kind = "chain"', 'kind = "none"').replace("sup_deviation", "excess_risk").replace("scaling", "risk")
)


def run(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("text", [LONE, LONE.replace("[ensemble]\nreplicas = 8\n", "")])
def test_the_committee_alone(tmp_path, text):
    (tmp_path / "lone.toml").write_text(text)
    experiment = load_experiment(tmp_path / "lone.toml")
    assert (experiment.replicas, "ensemble" in experiment.resolved) == (0, False)
    planned = run("plan", tmp_path / "lone.toml")
    assert "2 cells, theory alone\nabout" in planned.output
    done = run("run", tmp_path / "lone.toml", "-o", tmp_path / "out", "--set", "report.figures=[]")
    assert done.exit_code == 0, (done.output, done.exception)
    assert re.search(r"\n2 cells of theory, 0 diverged, in [\d.]+ s\n", done.stdout)
    assert run("run", tmp_path / "out" / "experiment.toml", "-o", tmp_path / "out", "-q").exit_code == 0
    assert run("run", tmp_path / "lone.toml", "-o", tmp_path / "out", "--set", "theory.kind=limit").exit_code == 2
    shown = run("status", tmp_path / "out")
    assert "1/1" in shown.output
    assert "theory diverged" not in shown.output
    summary = Summary.load(tmp_path / "out" / "summary.json")
    assert summary.cells[0].final["excess_risk"].theory > 0


def test_without_an_ensemble_a_simulation_is_refused(tmp_path):
    (tmp_path / "bad.toml").write_text(GOOD.replace("[ensemble]\nreplicas = 8\n", ""))
    with pytest.raises(ExperimentError, match=r"ensemble: missing; add a table \[ensemble\]"):
        load_experiment(tmp_path / "bad.toml")


def test_the_status_of_the_command_line_names_a_diverged_theory(relaxed):
    shown = run("status", relaxed[1].directory.path)
    assert shown.output.count("theory diverged") == 14
