"""The pace of a run: every step is made once, and divisions fall only where they change nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.ensemble import propagate
from sgdsim.ensemble.propagate import Pace


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=20), st.integers(1, 300), st.data())
def test_every_step_is_made_once(increments, segment, data):
    clock = [0.0]
    pace = Pace(np.array(increments), segment, clock=lambda: clock[0])
    made = np.zeros(len(increments), int)
    while not pace.done:
        call = pace.next_call()
        for i in range(call.first, call.stop):
            made[i] += call.increments[i]
        if call.extra:
            assert call.extra % segment == 0
            made[call.stop] += call.extra
        assert call.steps > 0 or call.stop > call.first
        clock[0] += data.draw(st.sampled_from([1e-9, 0.01, 10.0]))
        pace.record(call)
    assert made.tolist() == increments


def test_calls_grow_while_they_are_short_and_shrink_when_they_are_long():
    clock = [0.0]
    pace = Pace(np.array([10**9]), 16, clock=lambda: clock[0])
    lengths = []
    for seconds in (5.0, 1e-3, 1e-3, 100.0, 1e-3):
        call = pace.next_call()
        clock[0] += seconds
        pace.record(call)
        lengths.append(call.steps)
    assert lengths[1] > lengths[0]
    assert lengths[2] == pytest.approx(propagate.GROWTH * lengths[1], rel=0.01)
    assert lengths[4] < lengths[3]
