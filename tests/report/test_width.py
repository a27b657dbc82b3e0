"""Deviation against the width of the student, over a small real run at fixed dt."""

import json

import numpy as np
import pytest

from sgdsim.report import write_report
from sgdsim.report.figures import FIGURES
from sgdsim.report.style import styled

FIGURE = FIGURES["width"]
TABLES = """
[problem]
d = 60
k = 1
noise = 0.01

[grid]
p0 = [1, 2, 4]

[fits.growth]
quantity = "sup_deviation"
against = "log_p"

[report]
figures = ["width"]
"""


def draw(run):
    return styled(lambda: FIGURE.draw(run)).axes


def curve(axes, label):
    """x and y of the line whose label contains these words."""
    lines = [line for line in axes.lines if label in str(line.get_label())]
    assert len(lines) == 1
    return lines[0].get_xdata(), lines[0].get_ydata()


def deviations(run):
    return np.array([cell["sup_deviation"]["mean"] for cell in run.summary["cells"]])


def test_points_are_the_measured_deviations(run):
    upper, _ = draw(run)
    (points,) = [bars for bars in upper.containers if bars.get_label() == "simulation"]
    np.testing.assert_array_equal(points[0].get_xdata(), [1, 2, 4])
    np.testing.assert_array_equal(points[0].get_ydata(), deviations(run))
    assert (upper.get_xscale(), upper.get_yscale()) == ("log", "linear")


def test_the_bound_goes_through_the_smallest_width_above_one(run):
    upper, lower = draw(run)
    p, bound = curve(upper, r"\log(p)")
    constant = deviations(run)[1] / (np.log(2) * np.sqrt(1 / 60))
    np.testing.assert_allclose(bound, constant * np.log(p) * np.sqrt(1 / 60), rtol=1e-12, atol=1e-15)
    assert f"{constant:.3g}" in upper.get_legend().get_texts()[1].get_text()
    ratios = lower.containers[0][0]
    np.testing.assert_array_equal(ratios.get_xdata(), [2, 4])
    np.testing.assert_allclose(ratios.get_ydata(), [1, deviations(run)[2] / deviations(run)[1] / 2], rtol=1e-12)


def test_predictions_are_drawn_where_the_run_has_them(run):
    assert "linear theory" not in FIGURE.caption(run)
    for cell in run.summary["cells"]:
        cell["predicted"] = {"sup_deviation": 0.1 * cell["parameters"]["p"]}
    upper, _ = draw(run)
    np.testing.assert_allclose(curve(upper, "predicted")[1], [0.1, 0.2, 0.4])
    assert "linear theory" in FIGURE.caption(run)


def test_every_dt_has_a_bound_of_its_own(run):
    for cell in list(run.summary["cells"]):
        finer = {"dt": 1 / 240, "sup_deviation": {"mean": 0.4 * cell["sup_deviation"]["mean"], "sem": None}}
        run.summary["cells"].append(cell | finer)
    labels = [text.get_text() for text in draw(run)[0].get_legend().get_texts()]
    assert len(labels) == 4
    assert [label.split("$")[1] for label in labels] == ["dt = 0.01667", "dt = 0.004167"] * 2
    assert [label.endswith("simulation") for label in labels] == [True, True, False, False]


def test_it_needs_widths_and_a_theory(run):
    assert FIGURE.lacks(run) == ""
    run.summary["cells"][2]["dt"] = 0.5
    assert "two or more widths p > 1, at the same dt" in FIGURE.lacks(run)
    run.summary["cells"] = run.summary["cells"][:2] * 2
    assert "two or more widths" in FIGURE.lacks(run)


def test_a_width_may_not_come_twice(run):
    run.summary["cells"].append(run.summary["cells"][1])
    assert "comes once for each dt" in FIGURE.lacks(run)


def test_a_width_of_one_stands_in_no_power_law_of_log_p(directory):
    fits = json.loads((directory / "summary.json").read_text())["fits"]
    assert fits["growth"]["expected_slope"] is None
    assert [point[0] for point in fits["growth"]["points"]] == pytest.approx([0, np.log(2), np.log(4)])
    assert "`x` must" in fits["growth"]["problem"]  # log 1 = 0 is on no power law


def test_the_report_holds_the_figure(directory):
    names = [path.name for path in write_report(directory)]
    assert names == ["width.png", "width.pdf", "report.html"]
