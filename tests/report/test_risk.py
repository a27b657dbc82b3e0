"""The figure of learning curves: what is drawn, in which colours and panels, and against what."""

import numpy as np
import pytest
import tomli_w

from sgdsim.analysis.plateau import Plateau
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import NAMED_COLOURS, styled
from sgdsim.report.tables import cells
from sgdsim.store.stored import Stored
from tests.report.changes import with_cells
from tests.report.conftest import write_run


def draw(run):
    return styled(lambda: FIGURES["risk"].draw(run))


def lines(axes):
    """The curves of the simulation (not theory, not the ends of plateaus)."""
    return [line for line in axes.lines if line.get_linestyle() == "-"]


@pytest.fixture
def run(tmp_path):
    return Stored.load(write_run(tmp_path / "run", dims=(100, 1000), noises=(1e-3, 1e-2), figures=("risk",)))


def in_regions(run, *regions):
    """The run with its cells in these regions."""
    return with_cells(run, [{"parameters": {"d": 100, "dt": 0.01, "region": region}} for region in regions])


def test_a_panel_for_each_noise_and_a_colour_for_each_d(run):
    figure = draw(run)
    assert [axes.get_title() for axes in figure.axes] == ["noise = 0.001", "noise = 0.01"]
    for first, axes in zip((0, 2), figure.axes, strict=True):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        for cell, line in zip((first, first + 1), lines(axes), strict=True):
            np.testing.assert_array_equal(line.get_xdata(), run.results["t"][cell])
            np.testing.assert_array_equal(line.get_ydata(), run.results["risk"][cell])
    colours = [[line.get_color() for line in lines(axes)] for axes in figure.axes]
    assert colours[0] == colours[1]
    assert len(set(colours[0])) == 2
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"$d$ = 100", "$d$ = 1000", "theory", "standard error", "standard deviation"} <= set(legend)


def test_bands_are_one_standard_error_and_one_standard_deviation_wide(run):
    axes = draw(run).axes[0]
    first = run.results.isel(cell=0)
    for band, part in zip(axes.collections[:2], ("risk_std", "risk_sem"), strict=True):
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.max() == pytest.approx(float((first["risk"] + first[part]).max()), rel=1e-12)


def test_several_regions_give_their_colours(run):
    figure = draw(in_regions(run, "green", "green", "blue", "blue"))
    assert [axes.get_title() for axes in figure.axes] == ["noise = 0.001 (green)", "noise = 0.01 (blue)"]
    colours = {line.get_color() for axes in figure.axes for line in lines(axes)}
    assert len(colours) == 4
    mixed = in_regions(run, "green", "blue", "orange", "red")
    drawn = [line.get_color() for axes in draw(mixed).axes for line in lines(axes)]
    assert drawn == [NAMED_COLOURS[region] for region in ("green", "blue", "orange", "red")]


def test_a_parameter_with_another_value_is_no_colour(run):
    mixed = in_regions(run, "green", "blue", "orange", "mauve")
    assert [axes.get_title() for axes in draw(mixed).axes] == ["noise = 0.001", "noise = 0.01"]


def test_axes_that_run_together_are_one(run):
    axes = [{"kappa": kappa, "delta": -kappa} for kappa in (0.0, 0.1, 0.2, 0.3)]
    figure = draw(with_cells(run, [{"axes": row} for row in axes]))
    assert len(figure.axes) == 1
    assert len(lines(figure.axes[0])) == 4
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert r"$\kappa$ = 0.1, $\delta$ = " + "\N{MINUS SIGN}0.1" in legend


def asking(run, **report):
    return Stored(run.results, run.summary, run.provenance, tomli_w.dumps({"report": report}))


def test_samples_and_steps(run):
    """A step of these runs uses four samples, at d = 100 and 1000."""
    run = with_cells(run, [{"plateau": Plateau(height=0.0123, begin=0.5, end=2.0)}, {}, {}, {}])
    axes = draw(asking(run, samples=True)).axes[0]
    assert axes.get_xlabel() == r"samples per dimension, batch $\times\, \nu / d$"
    for d, line in zip((100, 1000), lines(axes), strict=True):
        np.testing.assert_allclose(line.get_xdata(), 4 * np.rint(d * run.results["time"]) / d, rtol=1e-12)
    (marks,) = (line for line in axes.lines if line.get_marker() == "|")
    np.testing.assert_allclose(marks.get_xdata(), [2.0, 8.0], rtol=1e-12)
    axes = draw(asking(run, steps=True)).axes[0]
    assert axes.get_xlabel() == r"steps, $\nu$"
    for d, line in zip((100, 1000), lines(axes), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.rint(d * run.results["time"]))
    figure = draw(asking(run, samples=True, steps=True))
    assert [axes.get_xlabel()[:5] for axes in figure.axes] == ["sampl", "steps"] * 2
    assert [axes.get_title() for axes in figure.axes] == ["noise = 0.001"] * 2 + ["noise = 0.01"] * 2


def test_samples_without_a_dimension_and_in_a_run_that_did_not_count_them(run):
    run = with_cells(run, [{"parameters": {"p": 4}}] * 4)
    sampled = asking(run, samples=True)
    axes = draw(sampled).axes[0]
    assert axes.get_xlabel() == "samples used"
    np.testing.assert_allclose(lines(axes)[1].get_xdata(), 4 * run.results["step"][1], rtol=1e-12)
    old = Stored(run.results.drop_vars("samples"), run.summary, run.provenance, sampled.experiment)
    assert "a count of samples" in FIGURES["risk"].lacks(old)
    assert not FIGURES["risk"].lacks(Stored(old.results, run.summary, run.provenance, run.experiment))


def test_plateaus_are_marked_and_listed(run):
    assert "plateau" not in FIGURES["risk"].caption(run)
    assert "plateau" not in cells(run).columns
    run = with_cells(run, [{"plateau": Plateau(height=0.0123, begin=0.5, end=2.0)}, {}, {}, {}])
    marks = [line for line in draw(run).axes[0].lines if line.get_marker() == "|"]
    assert [list(line.get_xdata()) for line in marks] == [[0.5, 2.0]]
    assert "Bars: begin and end of the plateau" in FIGURES["risk"].caption(run)
    table = cells(run)
    column = [row[table.columns.index("plateau")] for row in table.rows]
    assert column == ["0.012 (t = 0.5 to 2)", "-", "-", "-"]


def test_without_theory_and_without_dead_cells(run):
    results = run.results.drop_vars([name for name in run.results if str(name).endswith("_theory")])
    results["n_diverged"][0] = results["n_replicas"][0]
    bare = Stored(results, run.summary, run.provenance, run.experiment)
    figure = draw(bare)
    assert len(lines(figure.axes[0])) == 1
    assert "theory" not in [text.get_text() for text in figure.legends[0].get_texts()]
    assert "every replica diverged: 1 of the cells" in FIGURES["risk"].caption(bare)
    results["n_diverged"][:] = results["n_replicas"]
    assert "finite" in FIGURES["risk"].lacks(bare)
