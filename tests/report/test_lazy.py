"""The figure of the lazy scaling."""

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from tests.report.wide import SIZES, lazy_run, power, wide

FIGURE = FIGURES["lazy"]


def test_displacement_and_gap_with_their_slopes_and_the_exponent_of_theory():
    run = lazy_run()
    left, middle, right = styled(lambda: FIGURE.draw(run)).axes
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels[0] == "\N{MINUS SIGN}0.800(12), $\\chi^2$/dof = 2/2"
    for axes in (left, middle):
        np.testing.assert_array_equal(axes.containers[1][0].get_xdata(), SIZES)
        np.testing.assert_allclose(axes.containers[1][0].get_ydata(), 0.2 * np.array(SIZES) ** -0.5)
    guides = [line for line in left.lines if line.get_linestyle() == "--"]
    slopes = [-np.ptp(np.log(line.get_ydata())) / np.ptp(np.log(line.get_xdata())) for line in guides]
    assert slopes == pytest.approx([-0.8, -0.5])  # none for a = 1
    assert "--" not in [line.get_linestyle() for line in middle.lines]  # no single power is expected
    solid = [line for line in right.lines if line.get_linestyle() == "-"]
    np.testing.assert_array_equal(solid[1].get_ydata(), run.results["excess_risk"][7])  # a = 0.75, the largest N
    assert right.get_ylabel() == "excess risk, $N$ = 4096"


def test_it_says_what_it_needs():
    assert FIGURE.lacks(lazy_run()) == ""
    assert "displacement" in FIGURE.lacks(wide([{"N": 64}]))
    fits = {f"d[a={a}]": power("displacement", -0.5, -0.5) for a in (0.6, 0.75)}
    assert '"gap"' in FIGURE.lacks(wide([{"N": 64}], fits))
