"""Figures, tables and headlines of biases, thresholds and onsets, from made-up summaries."""

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.laws.power import FittedPower
from sgdsim.report.laws import headlines, tables, unfitted
from sgdsim.report.page import write_report
from tests.report.changes import plain_text
from tests.report.recoveries import bias, finite_size, onset, recovery, threshold, write

STARTS = {
    f"threshold[m0={m0}, b={b}]": threshold(at)
    for m0, b, at in ((0.2, 1, 1.32), (0.001, 1, 2.3), (0.2, 0.2, 1.19), (0.001, 0.2, 1.64))
}
ONSETS = {
    f"eta_max[alpha={alpha}, b={b}]": onset(b * at, at if b == 1 else None)
    for alpha, at in ((1.5, 0.4), (4, 0.2))
    for b in (1, 0.5, 0.1)
}


def draw(name, run):
    assert FIGURES[name].lacks(run) == ""
    return styled(lambda: FIGURES[name].draw(run))


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def labelled(axes, words):
    """x and y of the line with this label."""
    (line,) = [line for line in axes.lines if line.get_label() == words]
    return line.get_xdata(), line.get_ydata()


@pytest.mark.parametrize("name", ["bias", "threshold", "threshold_start", "stability", "finite_size"])
def test_a_run_without_such_a_law_is_told_what_is_missing(name):
    power = {"scaling": FittedPower(quantity="m", against="dt", slope=0.5)}
    assert FIGURES[name].lacks(recovery(fits=power)) != ""


def test_the_bias_is_drawn_against_one_over_x_with_its_line_and_intercept():
    run = recovery(fits={"a[b=1.0]": bias(), "a[b=0.2]": bias(intercept=-0.002), "other": bias("m")})
    figure = draw("bias", run)
    assert len(figure.axes) == 2
    axes = figure.axes[0]
    chi2 = r"$\chi^2$/dof = 0.75/1"
    labels = [f"$c_0$ = 0.0010(12), {chi2}", f"$c_0$ = \N{MINUS SIGN}0.0020(12), {chi2}"]
    assert texts(axes.get_legend()) == labels
    assert texts(figure.legends[0]) == ["$b$ = 1", "$b$ = 0.2"]
    (line,) = [line for line in axes.lines if line.get_color() == "#2f7fc1" and line.get_marker() == "None"]
    x, y = line.get_xdata(), line.get_ydata()
    np.testing.assert_allclose(y, 0.001 + 1.5 * x)
    bars = figure.axes[1].containers[0]
    np.testing.assert_allclose(bars[0].get_xdata(), [0.01, 0.005, 0.0025])
    np.testing.assert_allclose(bars[0].get_ydata(), 0.0015 + 1.5 * bars[0].get_xdata())
    ends = np.array([segment[:, 1] for segment in bars[2][0].get_segments()])
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], 2e-3)
    assert figure.axes[1].get_title() == "overlap with the signal, $m$"


def test_biases_of_another_scale_have_a_panel_of_their_own():
    small = bias()
    points = [[x, 1e-3 * y, 1e-3 * sem] for x, y, sem in small.points]
    small = small.model_copy(update={"points": points, "intercept": 1e-6, "slope": 1.5e-3})
    figure = draw("bias", recovery(fits={"a[b=1]": bias(), "a[b=0.5]": small, "a[b=0.2]": bias()}))
    colours = [[bars[0].get_color() for bars in axes.containers] for axes in figure.axes]
    assert colours == [["#2f7fc1", "#009e73"], ["#e08a00"]]
    assert texts(figure.legends[0])[:3] == ["$b$ = 1", "$b$ = 0.5", "$b$ = 0.2"]


def test_the_threshold_is_drawn_with_its_range_its_law_and_what_was_missed():
    left, right = draw("threshold", recovery(fits={"a": threshold(2.3, 1.7)})).axes
    assert (left.get_xscale(), left.get_yscale(), right.get_xscale()) == ("linear", "log", "log")
    points = np.array(threshold(2.3, 1.7).points)
    np.testing.assert_allclose(labelled(left, "0"), points.T)
    np.testing.assert_allclose(right.lines[0].get_xdata(), points[:, 0] - 2.3)
    law = right.lines[1]
    np.testing.assert_allclose(law.get_ydata(), 10 * law.get_xdata() ** -1.7)
    (shade,) = left.patches
    assert shade.get_x() < 2.27
    assert shade.get_x() + shade.get_width() > 2.33
    assert shade.get_width() == pytest.approx(0.06, abs=0.01)
    arrows = [line for line in left.lines if line.get_marker() == "^"]
    assert [list(line.get_xdata()) for line in arrows] == [[1.2, 1.5]]
    assert left.get_ylim()[1] > points[:, 1].max() * 1.5


def test_a_range_of_no_width_can_still_be_seen():
    law = threshold(2.3).model_copy(update={"threshold_low": 2.3, "threshold_high": 2.3})
    left, _ = draw("threshold", recovery(fits={"a": law})).axes
    assert left.patches[0].get_width() > 0.005


def test_groups_of_a_threshold_are_named_with_their_numbers():
    run = recovery(fits={"a[b=1]": threshold(2.3), "a[b=0.2]": threshold(1.64, missed=())})
    figure = draw("threshold", run)
    assert texts(figure.subfigs[0].legends[0]) == [
        "$b$ = 1\n$\\alpha^*$ = 2.3 (2.27 to 2.33)\n$\\nu$ = 1.5 (1.47 to 1.53)",
        "$b$ = 0.2\n$\\alpha^*$ = 1.64 (1.61 to 1.67)\n$\\nu$ = 1.5 (1.47 to 1.53)",
        r"threshold $\alpha^*$",
        "its range",
        "above the level\nat the final time",
    ]
    assert "Open triangles" in FIGURES["threshold"].caption(run)


def test_thresholds_against_the_axis_of_most_values():
    extra = {"threshold[m0=0.01, b=1]": threshold(2.0)}
    figure = draw("threshold_start", recovery(fits=STARTS | extra))
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()) == ("$m_0$", r"$\alpha^*$", "log")
    assert texts(axes.get_legend()) == ["$b$ = 1", "$b$ = 0.2"]
    first = axes.containers[0]
    assert list(first[0].get_xdata()) == [0.001, 0.01, 0.2]
    assert list(first[0].get_ydata()) == [2.3, 2.0, 1.32]
    ends = first[2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose(ends, [2.27, 2.33])


def test_thresholds_of_one_value_have_no_axis():
    assert FIGURES["threshold_start"].lacks(recovery(fits={"a": threshold(2.3)})) != ""
    assert FIGURES["threshold_start"].lacks(recovery(fits={"a[kind=x]": threshold(2), "a[kind=y]": threshold(3)})) != ""


def test_onsets_with_their_bracket_and_what_is_expected():
    run = recovery(fits=ONSETS)
    (axes,) = draw("stability", run).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$b$", r"onset in $\eta$")
    assert texts(axes.get_legend()) == [r"$\alpha$ = 1.5", r"$\alpha$ = 4", "expected"]
    np.testing.assert_allclose(axes.containers[0][0].get_ydata(), [0.04, 0.2, 0.4])
    np.testing.assert_allclose(axes.containers[0][2][0].get_segments()[2][:, 1], [0.38, 0.42])
    dashed = [line.get_ydata() for line in axes.lines if line.get_linestyle() == "--"]
    assert [list(line) for line in dashed] == [[0.4, 0.4], [0.2, 0.2]]
    assert "Dashed" in FIGURES["stability"].caption(run)


def test_expected_values_along_the_axis_are_a_curve_and_none_is_no_line():
    fits = {f"a[alpha={alpha}]": onset(1.02 / (alpha + 1), 1 / (alpha + 1)) for alpha in (1, 2, 4)}
    (axes,) = draw("stability", recovery(fits=fits)).axes
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(dashed[0].get_ydata(), [1 / 2, 1 / 3, 1 / 5])
    run = recovery(fits={name: law.model_copy(update={"expected": None}) for name, law in fits.items()})
    assert [line for line in draw("stability", run).axes[0].lines if line.get_linestyle() == "--"] == []
    assert "Dashed" not in FIGURES["stability"].caption(run)


def test_tables_of_every_law():
    run = recovery(fits={"t": threshold(2.3), "b": bias(), "o": onset(0.41, 0.4)})
    thresholds, biases, onsets = (table for table, _ in tables(run))
    (row,) = thresholds.rows
    assert dict(zip(thresholds.columns, row, strict=True))["threshold"] == "2.3"
    assert row[4] == "2.27 to 2.33"
    assert row[-2:] == ("9", "2")
    assert biases.rows[0][3:6] == ("0.0010(12)", "+0.8", "1.5(2)")
    assert onsets.rows[0][4:] == ("0.41", "0.3895 and 0.4305", "0.4", "+2.5 %")
    assert [(law.name, plain_text(law.statement.head)) for law in headlines(run)] == [
        ("t", "alpha* = 2.3"),
        ("b", "bias of the distance from the signal = 0.0010(12)"),
        ("o", "eta = 0.41"),
    ]


def test_many_laws_are_in_the_table_alone_and_a_failed_one_says_why(tmp_path):
    failed = threshold(2.3).model_copy(update={"threshold": None, "problem": "no fit: only two points relaxed"})
    run = recovery(fits=ONSETS | {"t": failed}, figures=("stability", "threshold"))
    assert [law.name for law in headlines(run)] == list(ONSETS)
    assert headlines(recovery(fits={f"{name}{copy}": law for name, law in ONSETS.items() for copy in range(3)})) == []
    assert unfitted(run) == [("t", "no fit: only two points relaxed")]
    page = write_report(write(run, tmp_path))[-1].read_text()
    assert "only two points relaxed" in page
    assert "needs a fitted threshold" in page
    assert page.count("eta_max[") == 6


def test_shares_are_drawn_by_size_with_their_functions_and_where_they_cross():
    figure = draw("finite_size", recovery(fits={"gd": finite_size(1.5), "sgd": finite_size(1.3, 0.2)}))
    gd, sgd = figure.axes
    assert texts(gd.get_legend()) == ["$N$ = 50: 1.500(10)", "$N$ = 100: 1.500(10)"]
    assert (gd.get_title(), sgd.get_title()) == ("$b$ = 1", "$b$ = 0.2")
    curve = [line for line in gd.lines if len(line.get_xdata()) == 300][1]
    np.testing.assert_allclose(curve.get_ydata(), 2.0 ** -np.exp(-(curve.get_xdata() - 1.5) / 0.1))
    points, bars = gd.containers[0].lines[0], gd.containers[0].lines[2][0]
    np.testing.assert_allclose(points.get_xydata()[0], [1.2, 0.0])
    height = np.ptp(bars.get_segments()[0][:, 1])
    assert height == pytest.approx(2 * (1 / 102 * 101 / 102 / 100) ** 0.5)  # no success of 100: not without an error
    (band,) = gd.patches
    assert band.get_extents().transformed(gd.transData.inverted()).intervalx == pytest.approx([1.48, 1.52])
    assert "Band: where" in FIGURES["finite_size"].caption(recovery(fits={"gd": finite_size(1.5)}))
