"""Predicted fluctuations in the figures and tables of a report."""

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.report.laws import headlines, tables
from sgdsim.store.stored import Stored
from tests.report.changes import changed, with_fit
from tests.report.conftest import REPLICAS


def draw(name, run):
    return styled(lambda: FIGURES[name].draw(run))


@pytest.fixture
def run(run_directory):
    """The made-up run with predictions: 2 % above what was measured in M, twice that in the risk."""
    run = Stored.load(run_directory)
    for name, factor in (("risk", 2.0), ("M", 1.02)):
        run.results[f"{name}_predicted_std"] = factor * run.results[f"{name}_std"]
    points = [0.2 * x**0.5 for x, *_ in run.summary.fits["scaling"].points]
    return with_fit(run, "scaling", theory_points=points, theory_slope=0.5, theory_constant=0.2)


def heights(axes):
    return [np.asarray(line.get_ydata(), float) for line in axes.lines]


def test_the_ratio_against_time_and_at_the_end_against_d(run):
    figure = draw("fluctuations", run)
    risk, M, last = figure.axes
    assert [axes.get_title().split(",")[0] for axes in (risk, M)] == ["excess risk", "teacher-student overlaps"]
    np.testing.assert_allclose(heights(risk)[0], 0.5)
    np.testing.assert_allclose(heights(M)[0], 1 / 1.02)
    assert last.get_xlabel() == "$d$"
    for bars, ratio in zip(last.containers, (0.5, 1 / 1.02), strict=True):
        np.testing.assert_allclose(bars[0].get_ydata(), ratio)
        edges = bars[2][0].get_segments()[0][:, 1]
        np.testing.assert_allclose(edges, ratio + np.array([-2, 2]) / np.sqrt(2 * (REPLICAS - 1)), rtol=1e-9)
        assert len(bars[0].get_xdata()) == 6
    assert "3 of the 6 cells" in FIGURES["fluctuations"].caption(run)
    assert all(axes.get_ylim()[0] < 1 < axes.get_ylim()[1] for axes in figure.axes)


def test_elements_are_averaged_by_their_squares_and_their_extremes_told(run):
    run.results["M_predicted_std"][:, :, 0, 0] *= 2.0
    axes = draw("fluctuations", run).axes[1]
    first = run.results.isel(cell=0)
    assert len([line for line in heights(axes) if len(line) > 2]) == 3
    square = (first["M_std"] ** 2).mean(("student", "teacher")) / (first["M_predicted_std"] ** 2).mean(
        ("student", "teacher")
    )
    np.testing.assert_allclose(heights(axes)[0], np.sqrt(square))
    assert "the ratio is 0.490 to 0.980" in FIGURES["fluctuations"].caption(run)


def test_a_cell_without_theory_and_padding_are_left_out(run):
    for name in ("risk", "M"):
        run.results[f"{name}_predicted_std"][0] = np.nan
    run.results["M_predicted_std"][1:, :, 3, :] = np.nan
    figure = draw("fluctuations", run)
    assert len(figure.axes[2].containers[0][0].get_xdata()) == 5
    assert all(np.isfinite(line).all() for axes in figure.axes for line in heights(axes))


def test_one_cell_has_no_panel_against_d(run):
    first = changed(run, cells=run.summary.cells[:1])
    one = Stored(run.results.isel(cell=[0]), first.summary, run.provenance, run.experiment)
    assert len(draw("fluctuations", one).axes) == 2
    assert "against d" not in FIGURES["fluctuations"].caption(one)


def test_it_says_what_it_needs(run, run_directory):
    assert FIGURES["fluctuations"].lacks(run) == ""
    assert "theory.fluctuations = true" in FIGURES["fluctuations"].lacks(Stored.load(run_directory))
    run.results["n_diverged"][:] = run.results["n_replicas"]
    assert "finite" in FIGURES["fluctuations"].lacks(run)


def test_trajectories_show_the_predicted_spread_on_either_side(run):
    figure = draw("trajectories", run)
    first = run.results.isel(cell=0)
    expected = (1 / first["risk_theory"] * first["risk_predicted_std"]).to_numpy()
    lines = heights(figure.axes[3])
    for side in (expected, -expected):
        assert any(line.shape == side.shape and np.array_equal(line, side) for line in lines)
    assert "predicted standard deviation" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert "Dotted" in FIGURES["trajectories"].caption(run)


def test_without_predictions_the_trajectories_do_not_mention_them(run_directory):
    run = Stored.load(run_directory)
    legend = [text.get_text() for text in draw("trajectories", run).legends[0].get_texts()]
    assert "predicted standard deviation" not in legend
    assert "Dotted" not in FIGURES["trajectories"].caption(run)
    assert "Crosses" not in FIGURES["scaling"].caption(run)
    assert not run.has_predictions


def test_the_scaling_law_shows_the_predicted_points_and_constant(run):
    upper, lower = draw("scaling", run).axes
    fit = run.summary.fits["scaling"]
    x = np.array(fit.points)[:, 0]
    law = fit.constant * x**fit.slope
    for axes, expected in ((upper, fit.theory_points), (lower, np.array(fit.theory_points) / law)):
        assert any(line.shape == x.shape and np.allclose(line, expected, rtol=1e-12) for line in heights(axes))
    assert [text.get_text().split(":")[0] for text in upper.get_legend().get_texts()] == [
        "simulation",
        "predicted, without a fit",
        "theory",
    ]
    assert "Crosses" in FIGURES["scaling"].caption(run)
    (law,) = headlines(run)
    assert law.statement.numbers[1].theory == "0.2"
    ((table, _),) = tables(run)
    assert table.rows[0][table.columns.index("constant") + 1] == "0.2"
    assert len(table.columns) == len(table.rows[0])
