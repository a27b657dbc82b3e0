"""The figure of the second layer: the final risk over the rate, against the rate and against the width."""

import numpy as np
import pytest

from sgdsim.errors import ArgumentError
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.committee.second_layer import draw_error_over_rate
from sgdsim.figures.style import styled
from sgdsim.laws.two_term import FittedTwoTerm
from tests.report.wide import wide

RATES = (0.04, 0.08, 0.16)


def fitted(limit, slope, expected=None, second="gamma_squared"):
    """A law whose points lie on it, theory being 1 % larger."""
    values = [limit * gamma + slope * gamma**2 for gamma in RATES]
    return FittedTwoTerm(
        quantity="excess_risk",
        against="gamma",
        second=second,
        first_coefficient=limit,
        first_error=0.1 * limit,
        second_coefficient=slope,
        second_error=0.1,
        first_expected=expected,
        theory_points=[1.01 * value for value in values],
        points=[[gamma, gamma**2, value, 0.05 * value] for gamma, value in zip(RATES, values, strict=True)],
    )


@pytest.fixture(scope="module")
def run():
    fits = {
        f"error[gamma_a={gamma_a:g}, p={p}]": fitted(0.1 * (p if gamma_a == 0 else 2), 0.3, 0.11 * p or None)
        for gamma_a in (0.0, 0.1)
        for p in (3, 2)
    }
    return wide([{"N": 64}], fits)


def test_the_law_is_a_straight_line_down_to_a_rate_of_zero(run):
    axes = styled(lambda: FIGURES["second_layer"].draw(run)).axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    assert [line.get_xdata()[0] for line in lines] == [0.0] * 4
    np.testing.assert_allclose([line.get_ydata()[0] for line in lines], [0.3, 0.2, 0.2, 0.2])
    points = axes.containers[0][0]
    np.testing.assert_allclose(points.get_ydata(), 0.3 + 0.3 * np.array(RATES))
    limits = [line.get_ydata()[0] for line in axes.lines if len(line.get_xdata()) == 1]
    np.testing.assert_allclose(limits, [0.33, 0.22, 0.33, 0.22])


def test_widths_at_the_largest_rate_with_theory_and_limit(run):
    axes = styled(lambda: FIGURES["second_layer"].draw(run)).axes[1]
    first, both = axes.containers
    assert (first.get_label(), both.get_label()) == (r"$\gamma_{a}$ = 0", r"$\gamma_{a}$ = 0.1")
    np.testing.assert_allclose(first[0].get_xdata(), [2, 3])
    np.testing.assert_allclose(first[0].get_ydata(), np.array([0.2, 0.3]) + 0.3 * 0.16)
    ends = np.array([segment[:, 1] for segment in first[2][0].get_segments()])
    np.testing.assert_allclose(np.ptp(ends, axis=1), 2 * 0.05 * (np.array([0.2, 0.3]) + 0.048))
    theory, limit, *_ = (line.get_ydata() for line in axes.lines if line.get_linestyle() in ("--", ":"))
    np.testing.assert_allclose(theory, 1.01 * (np.array([0.2, 0.3]) + 0.048))
    np.testing.assert_allclose(limit, [0.22, 0.33])


def test_it_says_what_it_needs(run):
    alone = wide([{"N": 64}], {"error[p=2]": fitted(0.1, 0.3)})
    other = wide([{"N": 64}], {f"error[p={p}]": fitted(0.1, 0.3, second="dt") for p in (2, 3)})
    for lacking in (alone, other):
        assert "for several widths p" in FIGURES["second_layer"].lacks(lacking)
        with pytest.raises(ArgumentError, match="gamma_squared"):
            draw_error_over_rate(lacking)
    assert "Open symbols" in FIGURES["second_layer"].caption(run)
