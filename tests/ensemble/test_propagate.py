"""The pace of a run: every step is made once, and divisions fall only where they change nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.ensemble import propagate
from sgdsim.ensemble.propagate import Pace


@st.composite
def grids(draw):
    """Steps of one to four cells before each save time, their segments, and how many tiles each has."""
    cells, times = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    steps = st.one_of(st.integers(0, 5000), st.just(0), st.integers(10**6, 10**9))
    rows = st.lists(st.lists(steps, min_size=times, max_size=times), min_size=cells, max_size=cells)
    numbers = st.lists(st.integers(1, 300), min_size=cells, max_size=cells)
    return np.array(draw(rows)), np.array(draw(numbers)), np.array(draw(numbers))


@given(grids(), st.data())
def test_every_step_of_every_cell_is_made_once(grid, data):
    increments, segments, tiles = grid
    clock = [0.0]
    pace = Pace(increments, segments, tiles, clock=lambda: clock[0])
    made = np.zeros_like(increments)
    while not pace.done:
        call = pace.next_call()
        made[:, call.first : call.stop] += call.increments[:, call.first : call.stop]
        if call.stop < increments.shape[1]:
            made[:, call.stop] += call.extra
            assert (made[:, call.stop] < np.maximum(increments[:, call.stop], 1)).all()
        assert (call.extra % segments == 0).all()
        assert call.steps.sum() > 0 or call.stop > call.first
        clock[0] += data.draw(st.sampled_from([1e-9, 0.01, 10.0]))
        pace.record(call)
    assert made.tolist() == increments.tolist()


def test_all_cells_go_the_same_part_of_their_way():
    """Of 1600 and 16 000 steps, by a budget of a segment of each tile: 16 + 3 * 100 of 1600 + 3 * 16 000 steps."""
    pace = Pace(np.array([[1600], [16000]]), np.array([16, 100]), np.array([1, 3]), clock=lambda: 0.0)
    call = pace.next_call()
    assert (call.first, call.stop, call.extra.tolist()) == (0, 0, [0, 100])
    pace.record(call)  # in no time: eight times as many
    assert pace.next_call().extra.tolist() == [
        8 * 316 * 1600 // (1600 + 3 * 15900) // 16 * 16,
        8 * 316 * 15900 // 49300 // 100 * 100,
    ]


def test_calls_grow_while_they_are_short_and_shrink_when_they_are_long():
    clock = [0.0]
    pace = Pace(np.array([[10**9]]), np.array([16]), np.array([1]), clock=lambda: clock[0])
    lengths = []
    for seconds in (5.0, 1e-3, 1e-3, 100.0, 1e-3):
        call = pace.next_call()
        clock[0] += seconds
        pace.record(call)
        lengths.append(int(call.steps[0]))
    assert lengths[1] > lengths[0]
    assert lengths[2] == pytest.approx(propagate.GROWTH * lengths[1], rel=0.01)
    assert lengths[4] < lengths[3]


@pytest.mark.parametrize(("copying", "share"), [(0.0, 0.0), (2.0, 0.4)])
def test_calls_that_copy_much_do_not_become_short(copying, share):
    """A step takes 10 us; a call, beside that, as long as what it copies: a quarter of the whole, and at first more."""
    clock, steps = [0.0], 5 * 10**7
    pace = Pace(np.full((1, 50), steps // 50), np.array([16]), np.array([1]), clock=lambda: clock[0])
    calls = 0
    while not pace.done:
        call = pace.next_call()
        clock[0] += copying + 1e-5 * int(call.steps[0])
        pace.record(call)
        calls += 1
        assert clock[0] <= (1 + share) * 1e-5 * steps * (1 + 1e-9)
    assert calls > 10
