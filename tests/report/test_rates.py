"""The figures of rates: points, laws and slopes for every beta, and the two terms of all of them."""

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.report.laws import headlines, tables
from tests.report.changes import plain_text
from tests.report.wide import BETAS, GAMMA, SIZES, power, rates_run, two_terms, wide


def draw(name, run):
    assert FIGURES[name].lacks(run) == ""
    return styled(lambda: FIGURES[name].draw(run))


def dashed(axes):
    return [line for line in axes.lines if line.get_linestyle() == "--"]


@pytest.fixture(scope="module")
def run():
    return rates_run()


def test_points_and_the_exponents_of_theory_for_every_beta(run):
    figure = draw("rates", run)
    left = figure.axes[0]
    assert (left.get_xscale(), left.get_yscale(), len(left.containers)) == ("log", "log", len(BETAS))
    slopes = [np.ptp(np.log(line.get_ydata())) / np.ptp(np.log(line.get_xdata())) for line in dashed(left)]
    np.testing.assert_allclose(slopes, [1, 0.5, 0.25, 1])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[1] == "$\\beta$ = 0.5: slope \N{MINUS SIGN}0.520(12)\n$\\chi^2$/dof = 2/2"


def test_two_terms_are_drawn_where_they_were_fitted_and_powers_elsewhere(run):
    """At beta = 1 eps does not vanish: a single power."""
    left = draw("rates", run).axes[0]
    solid = [line for line in left.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 64]
    N, y = solid[1].get_data()
    np.testing.assert_allclose(y, 0.16 * N**-0.5 + 0.01 / N, rtol=1e-9)
    N, y = solid[-1].get_data()
    np.testing.assert_allclose(y, 0.2 * N**-1.02, rtol=1e-9)


def test_slopes_against_beta_with_their_errors_over_the_two_theorems(run):
    right = draw("rates", run).axes[1]
    found = [(bars[0].get_xdata()[0], bars[0].get_ydata()[0]) for bars in right.containers]
    assert found == [(b, pytest.approx((b - 1 if b < 1 else -1) - 0.02)) for b in BETAS]
    ends = right.containers[0][2][0].get_segments()[0][:, 1]
    assert ends == pytest.approx([-1.032, -1.008])
    (line,) = dashed(right)
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([0, 1], [-1, 0])
    assert (1, -1) in [(line.get_xdata()[0], line.get_ydata()[0]) for line in right.lines if line.get_marker() == "o"]


def test_rates_say_what_they_need(run):
    assert "coupling" in FIGURES["rates"].lacks(wide(({"N": 64},)))
    fits = {f"a[beta={b}, noise=common]": power("coupling", -0.5, -0.5) for b in (0.5, 0.75)}
    assert FIGURES["rates"].lacks(wide(({"N": 64},), fits)) != ""
    assert "a N^-(1 - beta) + b/N" in FIGURES["rates"].caption(run)
    fits = {f"a[beta={b}]": power("coupling", b - 1, b - 1) for b in (0.5, 0.75)}
    assert "fitted power laws" in FIGURES["rates"].caption(wide(({"N": 64},), fits))


def test_cells_of_all_beta_lie_on_one_line(run):
    upper, lower = draw("linear_noise", run).axes
    assert [bars.get_label() for bars in upper.containers] == [rf"$\beta$ = {b:g}" for b in BETAS[:3]]
    x, y = upper.containers[1][0].get_data()
    np.testing.assert_allclose(x, GAMMA * np.sqrt(SIZES))
    np.testing.assert_allclose(y, x + 0.3)
    for bars in lower.containers:
        np.testing.assert_allclose(bars[0].get_ydata(), 1.0)
    labels = [text.get_text() for text in upper.get_legend().get_texts()]
    assert "$c\\,\\varepsilon + b/N$: $c$ = 1.000(3), $b$ = 0.300(4)\n$\\chi^2$/dof = 3/10" in labels
    assert "linear theory: $c$ = 1.01, $b$ = 0.29" in labels
    (theory,) = dashed(upper)
    np.testing.assert_allclose(theory.get_ydata(), 1.01 * theory.get_xdata() + 0.29)
    alone = {name: fit for name, fit in run.summary.fits.items() if name != "noise"}
    assert "two_term" in FIGURES["linear_noise"].lacks(wide([cell.axes for cell in run.summary.cells], alone))


def test_two_terms_in_the_tables():
    run = wide([{"beta": b, "N": N} for b in BETAS for N in SIZES], {"noise": two_terms()})
    ((table, _),) = tables(run)
    (row,) = table.rows
    assert row == ("noise", "distance", "eps", "1.000(3)", "1.01", "inverse_N", "0.300(4)", "0.29", "3.0 / 10", "12")
    (law,) = headlines(run)
    assert plain_text(law.statement.head) == "distance = a eps + b inverse_N"
    assert plain_text(law.statement.note) == "expected a = 1.01, b = 0.29"
    assert law.quality == "3/10, p = 0.98"
    assert [(one.what, one.value, one.theory, one.off) for one in law.statement.numbers] == [
        ("a", "1.000(3)", "1.01", "-3.3 s.e."),
        ("b", "0.300(4)", "0.29", "+2.5 s.e."),
    ]
