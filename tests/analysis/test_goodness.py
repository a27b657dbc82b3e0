"""Whether a law holds: tabulated probabilities, wider errors where it does not, and the words for it."""

import math

import pytest

from sgdsim.analysis.goodness import in_words, judged, p_value, widening


@pytest.mark.parametrize(
    ("chi2", "dof", "p"),
    [(10.828, 1, 1e-3), (18.467, 4, 1e-3), (29.588, 10, 1e-3), (3.841, 1, 0.05), (9.342, 10, 0.5), (0.0, 3, 1.0)],
)
def test_probabilities_of_the_table_of_chi2(chi2, dof, p):
    assert p_value(chi2, dof) == pytest.approx(p, rel=1e-3)


@pytest.mark.parametrize(("chi2", "dof"), [(3.0, 0), (math.nan, 4)])
def test_without_a_degree_of_freedom_or_a_chi2_nothing_is_said(chi2, dof):
    assert math.isnan(p_value(chi2, dof))
    assert widening(chi2, dof) == 1.0
    assert "not hold" not in in_words(chi2, dof)


def test_errors_are_widened_from_the_thousandth_on():
    assert (widening(18.4, 4), widening(3.0, 4)) == (1.0, 1.0)
    assert widening(18.5, 4) == pytest.approx(math.sqrt(18.5 / 4))


def test_both_errors_are_kept():
    found = judged(36.0, 4, slope=0.1, constant=2.0)
    assert (found["slope_error"], found["slope_statistical_error"]) == (pytest.approx(0.3), 0.1)
    assert (found["constant_error"], found["constant_statistical_error"]) == (pytest.approx(6.0), 2.0)
    assert (found["chi2"], found["dof"], found["widening"]) == (36.0, 4, 3.0)
    assert found["p_value"] == pytest.approx(19 * math.exp(-18))  # of 4 degrees: (1 + chi2/2) exp(-chi2/2)
    assert judged(4.0, 4, slope=0.1)["slope_error"] == 0.1


@pytest.mark.parametrize(
    ("chi2", "dof", "widened", "words"),
    [
        (3.21, 4, 1.0, "chi2/dof = 3.21/4"),
        (36.0, 4, 3.0, "chi2/dof = 36/4, p = 3e-07: the law does not hold, errors widened by 3"),
        (360.0, 4, 9.4868, "chi2/dof = 360/4, p < 1e-16: the law does not hold, errors widened by 9.49"),
        (36.0, 4, 1.0, "chi2/dof = 36/4, p = 3e-07: the law does not hold"),
    ],
)
def test_words(chi2, dof, widened, words):
    assert in_words(chi2, dof, widened) == words
