"""The clocks of a sweep's own costs run, on a few blocks."""

import pytest

from benchmarks.sweeps import making, merging, showing


@pytest.mark.slow
def test_blocks_are_made_merged_and_shown():
    beside, simulated = making(4)
    assert 0 < simulated < 10
    assert beside < 10
    assert 0 < merging(4) < 60
    assert 0 < showing(4) < 60
