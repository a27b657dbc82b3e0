"""sgdsim.run, open_run and fit: a run from Python is that of the command line, and gives what lies in its folder."""

import inspect
import os
import signal

import numpy as np
import pytest
import xarray as xr

import sgdsim
from sgdsim.committee import Committee, OverlapStart
from sgdsim.errors import ArgumentError, CautionWarning, ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.run import called, conductor
from sgdsim.run.local import LocalRun
from sgdsim.run.results import SpoiltBlocks
from sgdsim.store.finished import Run

NUMBERED = ("student", "student_2", "teacher", "replica")
"""Axes whose numbers are no part of the file."""
TABLE = {
    "title": "Four cells",
    "system": "committee",
    "problem": {"k": 1, "p": 2, "gamma": 0.5},
    "grid": {"noise": [0.1, 0.4], "d": np.array([20, 40, 80])},
    "start": {"kind": "overlap", "overlap": 0.3},
    "times": {"final": 1.0, "count": 4},
    "simulator": {"kind": "chain", "kernel": "xla"},
    "ensemble": {"replicas": 16},
    "fits": {"law": {"quantity": "sup_deviation", "against": "dt"}},
    "report": {"figures": []},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("called") / "mine"


@pytest.fixture(scope="module")
def run(folder):
    return sgdsim.run(TABLE, folder)


def test_a_run_gives_what_lies_in_its_folder(run, folder):
    assert isinstance(run, Run)
    with xr.open_dataset(folder / "results.nc", engine="netcdf4") as stored:
        xr.testing.assert_identical(run.data.drop_vars(NUMBERED), stored.load())
    assert run.data["student"].values.tolist() == [0, 1]
    assert run.report.is_file()
    assert run.data.attrs["experiment"] == "mine"
    assert sorted(run.fits) == ["law[noise=0.1]", "law[noise=0.4]"]
    assert [cell.parameters["d"] for cell in run.summary.cells] == [20, 40, 80] * 2
    assert run.provenance["command"] == f"sgdsim run {folder}"


def test_a_finished_run_is_opened(run, folder):
    opened = sgdsim.open_run(str(folder))
    assert opened.summary == run.summary
    assert opened.experiment == load_experiment(TABLE).resolved | {"title": "Four cells"}
    xr.testing.assert_identical(opened.data, run.data)


def test_a_finished_run_is_not_run_again(run, folder, monkeypatch):
    monkeypatch.setattr(LocalRun, "_make", lambda self, bundle: pytest.fail("a block was made"))
    assert sgdsim.run(folder).summary.cells == run.summary.cells
    assert sgdsim.run(run.experiment, folder).summary.cells == run.summary.cells


def test_a_run_introduces_itself(run, folder):
    told = repr(run)
    assert told.splitlines()[0] == "Run: Four cells"
    for line in (
        "  cells      6 cells, noise = 0.1, 0.4, d = 20, 40, 80",
        "  replicas   96, 0 diverged",
        "  seed       0",
        f"  folder     {folder}",
    ):
        assert line in told.splitlines()
    assert f"law[noise=0.1]: {run.fits['law[noise=0.1]']}" in told
    assert f"sgdsim {sgdsim.__version__}" in told
    page = run._repr_html_()
    assert page.count("<tr>") == page.count("</tr>") == 12
    assert "<b>Run: Four cells</b>" in page


def test_another_experiment_in_the_folder_is_refused(run, folder):
    with pytest.raises(ExperimentError, match=r"differing: problem\.gamma"):
        sgdsim.run(TABLE, folder, overrides={"problem.gamma": 0.25})


def test_arguments_are_checked(tmp_path):
    with pytest.raises(ArgumentError, match="Argument `folder` must be given"):
        sgdsim.run(TABLE)
    with pytest.raises(ExperimentError, match=r"no-such.toml: no such file"):
        sgdsim.run(tmp_path / "no-such.toml")
    with pytest.raises(ExperimentError, match="there is no such folder"):
        sgdsim.open_run(tmp_path / "no-such")


def test_the_folder_is_found_as_the_command_line_finds_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(called, "open_run", lambda found, target, accept: seen.append((found.name, target)) or 1 / 0)
    for arguments in (("committee/scaling_law",), ("committee/scaling_law", "here")):
        with pytest.raises(ZeroDivisionError):
            sgdsim.run(*arguments, quick=True)
    names = [(name, str(target)) for name, target in seen]
    assert names == [("scaling_law-quick", "runs/scaling_law-quick"), ("scaling_law-quick", "here")]


def test_a_cell_that_fails_is_warned_of(tmp_path, monkeypatch, capsys):
    def failing(self, bundle):
        self._outcome.failed |= {block.cell: "a broken cell" for block in bundle if block.cell == 1}
        return make(self, [block for block in bundle if block.cell != 1])

    make = LocalRun._make
    monkeypatch.setattr(LocalRun, "_make", failing)
    with pytest.warns(CautionWarning, match="cell 1 failed: a broken cell"):
        found = sgdsim.run(TABLE, tmp_path, overrides={"grid.noise": [0.1]})
    assert np.isnan(found.data["excess_risk"].values[1]).all()
    assert sgdsim.fit(found, quantity="sup_deviation").cells == [0, 2]
    assert "failed: a broken cell" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_run_that_is_stopped_says_so(tmp_path, monkeypatch, capsys, number, raised):
    monkeypatch.setattr(LocalRun, "_make", lambda self, bundle: os.kill(os.getpid(), number) or bundle)
    with pytest.raises(raised):
        sgdsim.run(TABLE, tmp_path)
    assert f"To go on: sgdsim run {tmp_path}" in capsys.readouterr().err


def test_the_second_interrupt_leaves_python_running(tmp_path, monkeypatch, capsys):
    def twice(self, bundle):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(LocalRun, "_make", twice)
    with pytest.raises(KeyboardInterrupt):
        sgdsim.run(TABLE, tmp_path)
    assert f"To go on: sgdsim run {tmp_path}" in capsys.readouterr().err
    assert not list((tmp_path / "live" / "claims").iterdir())


def test_results_that_another_process_writes_are_no_run(run, folder, monkeypatch):
    monkeypatch.setattr(conductor.Conductor, "_run", lambda self, stop: conductor.Exit.FINISHED)
    with pytest.raises(ExperimentError, match="another process is writing the results"):
        sgdsim.run(folder)


def test_the_room_is_the_function():
    """`sgdsim.run` is one thing, whatever was imported before."""
    assert callable(sgdsim.run)
    assert sgdsim.run.results.SpoiltBlocks is SpoiltBlocks
    assert inspect.signature(sgdsim.run) == inspect.signature(called.run)


class TestFit:
    """sgdsim.fit."""

    def test_a_run_gives_the_fit_of_its_summary(self, run, folder):
        for results in (run, str(folder)):
            found = sgdsim.fit(results, "power", quantity="sup_deviation", where={"noise": [0.4]})
            assert found == run.fits["law[noise=0.4]"].model_copy(update={"where": {"noise": [0.4]}})
        assert found.cells == [3, 4, 5]
        assert found.expected_slope == 0.5

    def test_numbers_alone_give_the_same_without_expectation(self, run):
        found = sgdsim.fit(run.data, quantity="sup_deviation", where={"noise": [0.4]})
        told = run.fits["law[noise=0.4]"]
        assert (found.slope, found.constant, found.points) == (told.slope, told.constant, told.points)
        assert found.expected_slope is None

    def test_datasets_of_simulate_are_cells(self, run):
        start, times = OverlapStart(0.3), sgdsim.linear_times(1.0, 4)
        problems = [Committee(d=d, p=2, k=1, gamma=0.5, noise=0.1) for d in (20, 40, 80)]
        parts = [sgdsim.simulate(problem, start, times, replicas=16) for problem in problems]
        found = sgdsim.fit(parts, quantity="excess_risk", against="d")
        np.testing.assert_array_equal([x for x, *_ in found.points], [20, 40, 80])
        expected = [float(part["excess_risk"][-1]) for part in parts]
        np.testing.assert_array_equal([value for _, value, *_ in found.points], expected)
        slope = np.polyfit(np.log([20, 40, 80]), np.log(expected), 1)[0]
        assert found.slope == pytest.approx(slope, abs=2 * found.slope_error)

    def test_one_of_several_laws_has_to_be_chosen(self, run):
        with pytest.raises(ArgumentError, match=r"must single out one law .* noise=0\.1; noise=0\.4"):
            sgdsim.fit(run, quantity="sup_deviation")
        found = sgdsim.fit(run, "two_term", quantity="excess_risk", second="noise", against="dt", together=True)
        assert found.cells == list(range(6))

    def test_it_tells_itself(self, run):
        found = run.fits["law[noise=0.1]"]
        assert repr(found) == f"<FittedPower: {found}>"
        assert str(found).startswith("sup_deviation = C dt^s with s = ")

    @pytest.mark.parametrize(
        ("keys", "told"),
        [
            ({"quantity": "x"}, "`quantity` must be one of max_deviation, .*, but got 'x'"),
            ({"quantity": "sup_deviation", "against": "region"}, "`against` must be one of d, .*, but got 'region'"),
            ({"quantity": "sup_deviation", "level": 0.1}, "`level` must not be given for"),
            ({"quantity": "excess_risk", "level": "a"}, "`level` must be a number, but got 'a'"),
            ({"law": "no", "quantity": "x"}, "`law` must be one of power, .*, but got 'no'"),
            ({"law": "two_term", "quantity": "excess_risk"}, "`second` must be given for the law two_term"),
            ({"quantity": "excess_risk", "second": "p"}, "`second` must be left out for the law power"),
            ({"quantity": "excess_risk", "along": "p"}, "`along` must name axes of the grid, noise, d, but got 'p'"),
            ({"quantity": "excess_risk", "where": {"noise": [2]}}, "`where` must leave some of the cells"),
        ],
    )
    def test_what_does_not_fit_is_told(self, run, keys, told):
        with pytest.raises(ArgumentError, match=f"Argument {told}"):
            sgdsim.fit(run, **keys)

    def test_results_are_checked(self):
        with pytest.raises(ArgumentError, match="`results` must be a finished run"):
            sgdsim.fit([], quantity="excess_risk")

    def test_it_is_drawn(self, run):
        from matplotlib.figure import Figure

        ax = Figure().subplots()
        found = sgdsim.fit(run, quantity="excess_risk", against="d", where={"noise": [0.4]})
        sgdsim.plot.scaling(run, found, ax=ax)
        points = [container for container in ax.containers if len(container.lines[0].get_xdata()) == 3]
        np.testing.assert_array_equal(points[0].lines[0].get_ydata(), [value for _, value, *_ in found.points])
