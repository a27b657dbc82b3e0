"""The figure of a quantity against a parameter: points, errors, theory, axes, and what is said of missing points."""

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.common.against import AgainstFigure
from sgdsim.figures.style import styled
from sgdsim.report import write_report
from sgdsim.store.stored import Stored
from sgdsim.store.summary import Points
from tests.report.changes import changed
from tests.report.conftest import write_run

SAMPLES = Points(
    quantity="samples_to_level",
    axis="batch",
    level=0.02,
    series={
        "gamma=1": [[1, 500, 5, 503], [4, 520, 6, 519], [16, 2000, 9, 2010], [64, 8000, None, 8100]],
        "gamma=2": [[1, 250, 3, 251], [4, None, None, None], [16, 1000, 9, 1005]],
        "gamma=4": [[1, None, None, None]],
    },
    missed={"`level` must be reached by the curve": 2},
)
RISK = Points(
    quantity="risk",
    axis="noise",
    series={"": [[0.5, -0.1, 0.02, None], [1.0, 0.3, 0.02, None], [1.5, 0.4, 0.03, None]]},
)


def with_series(points, rows):
    """The points with one series."""
    return points.model_copy(update={"series": {"": rows}})


@pytest.fixture
def run(tmp_path):
    run = Stored.load(write_run(tmp_path / "run", dims=(100, 1000), figures=("against",)))
    return changed(run, against=[SAMPLES, RISK])


def draw(run):
    return styled(lambda: FIGURES["against"].draw(run)).axes


def legend(run):
    figure = styled(lambda: FIGURES["against"].draw(run))
    return [text.get_text() for legend in figure.legends for text in legend.get_texts() if text.get_text().strip()]


def means(axes):
    return [container.lines[0] for container in axes.containers]


def test_points_with_errors_and_theory(run):
    axes = draw(run)[0]
    first, second = means(axes)
    np.testing.assert_array_equal(first.get_xydata(), [[1, 500], [4, 520], [16, 2000], [64, 8000]])
    np.testing.assert_array_equal(second.get_xydata(), [[1, 250], [4, np.nan], [16, 1000]])
    bars = np.array(axes.containers[0].lines[2][0].get_segments())[:, :, 1]
    np.testing.assert_array_equal(bars, [[495, 505], [514, 526], [1991, 2009], [8000, 8000]])
    theory = [line.get_ydata() for line in axes.lines if line.is_dashed()]
    np.testing.assert_array_equal(theory[0], [503, 519, 2010, 8100])
    np.testing.assert_array_equal(theory[1], [251, np.nan, 1005])
    assert legend(changed(run, against=[SAMPLES])) == [r"$\gamma$ = 1", r"$\gamma$ = 2", "theory"]
    assert first.get_color() != second.get_color()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("batch", r"samples to $\mathcal{E} = 0.02$")


def test_axes_are_logarithmic_where_the_values_reach_far(run):
    samples, risk = draw(run)
    assert (samples.get_xscale(), samples.get_yscale()) == ("log", "log")
    assert [tick.get_text() for tick in samples.get_xticklabels()] == ["1", "4", "16", "64"]
    assert (risk.get_xscale(), risk.get_yscale()) == ("linear", "linear")
    far = with_series(RISK, [[d, 1.0, 0.1, None] for d in (10, 11, 200)])
    (risk,) = draw(changed(run, against=[far]))
    assert (risk.get_xscale(), risk.get_yscale()) == ("log", "linear")
    assert "11" not in [tick.get_text() for tick in risk.get_xticklabels()]


def test_one_series_has_no_legend_and_no_theory(run):
    run = changed(run, against=[RISK] * 3)
    axes = draw(run)
    assert len(axes) == 3
    assert not legend(run)
    axes = axes[1]
    assert not any(np.isfinite(line.get_ydata()).any() for line in axes.lines if line.is_dashed())
    assert axes.get_ylabel() == r"final excess risk, $\mathcal{E}$"


def test_the_caption_says_what_is_missing(run):
    figure = FIGURES["against"]
    assert figure.caption(run) == (
        "Means over replicas with their standard errors: samples to level 0.02 against batch and excess risk against "
        "noise. Dashed: theory. Not drawn: samples_to_level in 2 cells, as `level` must be reached by the curve."
    )
    assert "Dashed" not in figure.caption(changed(run, against=[RISK]))


def test_what_it_needs(run):
    assert not FIGURES["against"].lacks(run)
    nothing = with_series(SAMPLES, [[1, None, None, None]])
    assert FIGURES["against"].lacks(changed(run, against=[nothing])) == (
        "a value to draw: samples_to_level in 2 cells, as `level` must be reached by the curve"
    )
    assert len(draw(changed(run, against=[SAMPLES, nothing]))) == 1
    assert "[[report.against]]" in AgainstFigure().lacks(changed(run, against=()))


def test_on_the_page(tmp_path):
    """A run that asked for no points has none, and the page says what is missing."""
    directory = write_run(tmp_path / "run", dims=(100, 1000), figures=("against",))
    (page,) = write_report(directory)
    assert "a table [[report.against]]" in page.read_text()
