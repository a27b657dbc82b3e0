"""The law (a + b log p) dt^s over a small real run: what the two figures divide, and the curves beside the points."""

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.laws.log_power import Excluded
from sgdsim.report import write_report
from tests.report.changes import changed, with_fit

IN_P, IN_DT = FIGURES["law_in_p"], FIGURES["law_in_dt"]
TABLES = """
[problem]
k = 1
noise = 0.01

[grid]
d = [60, 120]
p0 = [1, 2, 3]

[fits.theorem]
law = "log_power"
quantity = "max_deviation"
against = "dt"
second = "p"
together = true

[report]
figures = ["law_in_p", "law_in_dt"]
"""


def draw(figure, run):
    return styled(lambda: figure.draw(run)).axes


def fitted(run):
    return run.summary.fits["theorem"]


def bars(axes):
    """x and y of all points with error bars."""
    parts = [container[0] for container in axes.containers]
    return (np.concatenate([getattr(part, f"get_{which}data")() for part in parts]) for which in "xy")


def line(axes, label):
    """x and y of the line whose label contains these words."""
    (found,) = [line for line in axes.lines if label in str(line.get_label())]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def test_against_p_the_deviations_are_divided_by_the_power_of_dt(run):
    fit = fitted(run)
    upper, lower = draw(IN_P, run)
    x, v, mean, _ = np.array(fit.points).T
    at, height = bars(upper)
    np.testing.assert_array_equal(at, v)
    np.testing.assert_allclose(height, mean / x**fit.exponent)
    span, law = line(upper, r"$\log p$")
    np.testing.assert_allclose(law, fit.a + fit.b * np.log(span))
    _, ratio = bars(lower)
    np.testing.assert_allclose(ratio, height / (fit.a + fit.b * np.log(v)))
    assert upper.get_ylabel().endswith(f"dt^{{{fit.exponent:.3g}}}$")
    assert upper.get_xscale() == "log"


def test_the_rival_passes_where_it_was_fitted(run):
    """Divided by the law's own power of dt, it agrees with the fit at the geometric mean of the dt."""
    fit = fitted(run)
    span, drawn = line(draw(IN_P, run)[0], r"\sqrt{\log p}")
    rival, middle = fit.rival, np.sqrt(1 / 60 / 120)
    expected = (rival.a + rival.b * np.sqrt(np.log(span))) * middle**rival.exponent
    np.testing.assert_allclose(drawn * middle**fit.exponent, expected)


def test_against_dt_the_deviations_are_divided_by_the_growth_in_p(run):
    fit = fitted(run)
    upper, lower = draw(IN_DT, run)
    _, v, mean, _ = np.array(fit.points).T
    at, height = bars(upper)
    np.testing.assert_allclose(np.sort(height), np.sort(mean / (fit.a + fit.b * np.log(v))))
    assert set(at) == {1 / 60, 1 / 120}
    span, law = line(upper, "slope")
    np.testing.assert_allclose(law, span**fit.exponent)
    _, ratio = bars(lower)
    assert np.abs(ratio - 1).max() < 0.3


def test_chi2_stands_in_both_figures(run):
    quality = f"{fitted(run).chi2:.3g}/{fitted(run).dof}"
    for figure in (IN_P, IN_DT):
        texts = [text.get_text() for text in draw(figure, run)[0].get_legend().get_texts()]
        assert any(quality in text for text in texts)


def test_predictions_are_drawn_where_the_run_has_them(run):
    assert "Crosses" not in IN_P.caption(run)
    fit = fitted(run)
    curve = [[10.0, 1e-4, 0.02], [1000.0, 1e-4, 0.03]]
    run = with_fit(run, "theorem", theory_points=[0.1 * point[2] for point in fit.points], theory_curve=curve)
    upper, _ = draw(IN_P, run)
    x, _, mean, _ = np.array(fit.points).T
    np.testing.assert_allclose(line(upper, "predicted, without")[1], 0.1 * mean / x**fit.exponent)
    at, curve = line(upper, "predicted curve")
    np.testing.assert_array_equal(at, [10, 1000])
    np.testing.assert_allclose(curve, np.array([0.02, 0.03]) / 1e-4**fit.exponent)
    assert line(upper, r"$\log p$")[0].max() > 1000
    for words in ("Crosses", "other widths"):
        assert words in IN_P.caption(run)


def test_each_series_is_one_value_of_the_shorter_axis(run):
    labels = [container.get_label() for container in draw(IN_P, run)[0].containers]
    assert labels == ["$d$ = 60", "$d$ = 120"]


def test_a_law_at_one_dt_has_no_figure_against_it(run):
    assert IN_DT.lacks(run) == IN_P.lacks(run) == ""
    same = [[0.01, *point[1:]] for point in fitted(run).points]
    assert "along an axis that changes dt" in IN_DT.lacks(with_fit(run, "theorem", points=same))
    assert 'law = "log_power"' in IN_P.lacks(changed(run, fits={}))


def test_the_caption_says_which_form_is_excluded(run):
    run = with_fit(run, "theorem", excluded=Excluded(log=0.5, sqrt_log=7.3))
    assert "sqrt(log(p)) is excluded at 7.3 standard errors" in IN_P.caption(run)


def test_the_report_opens_with_the_figures(directory):
    names = [path.name for path in write_report(directory)]
    assert names == ["law_in_p.png", "law_in_p.pdf", "law_in_dt.png", "law_in_dt.pdf", "report.html"]


def test_a_cell_is_known_by_its_place_in_the_fit(run):
    assert fitted(run).cells == list(range(6))
    assert [point[1] for point in fitted(run).points] == pytest.approx([1, 2, 3] * 2)
