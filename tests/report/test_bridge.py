"""The figures of teacher and student between two limits, and of starts with other supports."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from sgdsim.errors import ArgumentError
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.meanfield.bridge import draw_cut, draw_distance
from sgdsim.figures.meanfield.support import draw_support
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored
from tests.report.wide import REPLICAS, TIMES, wide

BRIDGE, SUPPORT = FIGURES["bridge"], FIGURES["support"]
SIZES, DIMENSIONS = (2, 8, 32), (4, 16)
CELLS = [{"N": N, "d": d} for N in SIZES for d in DIMENSIONS]


def between(cells=CELLS):
    """Risks 1 + 0.4/d + 2/N: 0.4/d above the ODE, which is 1 + 2/N, and 2/N above the mean field; errors 0.01."""
    run = wide(cells, problem={"model": "teacher"})
    N, d = (np.array([axes[name] for axes in cells], float)[:, None] * np.ones(len(TIMES)) for name in ("N", "d"))
    values = {"": 1 + 0.4 / d + 2 / N, "_sem": 0.01 + 0 * d, "_theory": 1 + 0.4 / d}
    data = {f"excess_risk{part}": (("cell", "time"), value) for part, value in values.items()}
    data["narrow_risk_theory"] = (("cell", "time"), 1 + 2 / N)
    return Stored(run.results.assign(data), run.summary, run.provenance, run.experiment)


def shown(axes):
    """What is written into the cells of a map, by its place."""
    return {tuple(text.xy): (text.get_text(), text.get_fontweight()) for text in axes.texts}


def test_maps_have_both_distances_and_the_nearer_in_bold():
    run = between()
    ode, mean_field = (draw_distance(run, limit, Figure().subplots()) for limit in ("ODE", "mean field"))
    # N = 32, d = 4: 0.1 above 1.0625, and 0.0625 above 1.1.
    assert shown(ode)[0, 2] == ("9.4", "normal")
    assert shown(mean_field)[0, 2] == ("5.7", "bold")
    # N = 2, d = 16: 0.025 above 2, and 1 above 1.025.
    assert shown(ode)[1, 0] == ("1.2", "bold")
    assert shown(mean_field)[1, 0] == ("98", "normal")
    shades = np.asarray(ode.images[0].get_array())
    assert shades.shape == (3, 2)
    assert shades[2, 0] == pytest.approx(0.1 / 1.0625)
    assert [text.get_text() for text in ode.get_yticklabels()] == ["2", "8", "32"]


def test_what_may_be_none_is_in_brackets():
    run = between()
    wider = Stored(run.results.assign(excess_risk_sem=0.06 + 0 * run.results["excess_risk"]), run.summary, {}, "")
    assert shown(draw_distance(wider, "ODE", Figure().subplots()))[0, 2][0] == "(9.4)"
    assert shown(draw_distance(run, "ODE", Figure().subplots()))[0, 2][0] == "9.4"


def test_cuts_have_points_and_both_predictions():
    run = between()
    along_N, along_d = (draw_cut(run, along, Figure().subplots()) for along in ("N", "d"))
    ode, mean_field = along_N.lines[:2]
    np.testing.assert_allclose(ode.get_ydata(), [2, 1.25, 1.0625])
    np.testing.assert_allclose(mean_field.get_ydata(), [1 + 0.4 / 16] * 3)
    points = np.asarray(along_N.containers[0].lines[0].get_ydata(), float)
    np.testing.assert_allclose(points, [2.025, 1.275, 1.0875])
    assert "16" in along_N.get_title(loc="left")
    np.testing.assert_allclose(along_d.lines[0].get_ydata(), [1.25] * 2)
    np.testing.assert_allclose(along_d.lines[1].get_ydata(), [1.1, 1.025])


def test_the_bridge_needs_both_limits_and_a_plane():
    assert BRIDGE.lacks(between()) == ""
    assert len(styled(lambda: BRIDGE.draw(between())).axes) == 4
    assert "Bold" in BRIDGE.caption(between())
    assert "several N and d" in BRIDGE.lacks(between([{"N": N, "d": 4} for N in SIZES]))
    assert "bridge" in BRIDGE.lacks(wide([{"N": 2}]))
    for draw in (draw_cut, draw_distance):
        with pytest.raises(ArgumentError, match="both limits"):
            draw(wide([{"N": 2}]))
    with pytest.raises(ArgumentError, match="name"):
        draw_cut(between(), "gamma")


def supports(names=("all", "cone")):
    """Final risks (1 + replica)/N, of the second support ten times as large."""
    cells = [{"support": support, "N": N} for support in names for N in SIZES]
    run = wide(cells)
    scale = np.array([(10 if axes["support"] == "cone" else 1) / axes["N"] for axes in cells])
    final = scale[:, None] * (1 + np.arange(REPLICAS)[::-1])
    data = {"excess_risk_final": (("cell", "replica"), final)}
    return Stored(run.results.assign(data), run.summary, run.provenance, run.experiment)


def test_a_mark_for_every_run_and_their_median():
    run = supports()
    axes = draw_support(run, "cone", Figure().subplots())
    marks, median = axes.lines[0], axes.lines[-1]
    np.testing.assert_allclose(marks.get_ydata(), 5 * (1 + np.arange(REPLICAS)))
    assert (np.diff(marks.get_xdata()) > 0).all()
    np.testing.assert_array_equal(median.get_xdata(), SIZES)
    np.testing.assert_allclose(median.get_ydata(), 10 * 20.5 / np.array(SIZES))
    assert len(styled(lambda: SUPPORT.draw(run)).axes) == 2
    assert "median" in SUPPORT.caption(run)


def test_one_support_is_no_comparison():
    assert SUPPORT.lacks(supports()) == ""
    for run in (supports(("all",)), wide([{"N": 2, "support": "all"}, {"N": 2, "support": "cone"}])):
        assert "supports" in SUPPORT.lacks(run)
    with pytest.raises(ArgumentError, match="supports"):
        draw_support(wide([{"N": 2}]))
