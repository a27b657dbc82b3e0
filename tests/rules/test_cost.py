"""What a plan thinks that the ODE of a rule takes."""

import pytest

from sgdsim.rules.ode import SOLVED, rule_seconds
from sgdsim.rules.sample_points import points_log2
from sgdsim.rules.wrapped import Clipped, Reused
from tests.rules.nets import line

CLOSED, POINTS, LIMITED = line(), Reused(line(), 2), Clipped(line(), 0.1)


def test_limited_lengths_take_more_points():
    assert [points_log2(rule) for rule in (POINTS, LIMITED)] == [13, 16]


def test_points_take_time_and_closed_averages_none():
    """As measured for p = k = 2 to t = 2 and 8: 0.06 and 0.12 s over 2^13 points, 0.9 and 1.9 s over 2^16."""
    closed, points, limited = (rule_seconds(rule, 8.0, False) - SOLVED for rule in (CLOSED, POINTS, LIMITED))
    assert closed == 0
    assert limited == pytest.approx(8 * points)
    assert 1.5 < limited / (rule_seconds(LIMITED, 2.0, False) - SOLVED) < 4
    assert rule_seconds(CLOSED, 8.0, False, series=2**16) - SOLVED == pytest.approx(limited)
    assert rule_seconds(CLOSED, 8.0, True) > 1
