"""Figures of runs that are saved at t = 0 too: a logarithmic axis of time begins at the time after it."""

import io

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.common.curves import is_logarithmic
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored


@pytest.fixture
def run(run_directory):
    """A run whose save times are 0 and then grow by factors."""
    run = Stored.load(run_directory)
    run.results["t"][:] = np.concatenate([[0.0], np.geomspace(0.01, 5.0, run.results.sizes["time"] - 1)])
    return run


@pytest.mark.parametrize("name", ["trajectories", "risk"])
def test_curves_begin_at_the_first_time_behind_zero(run, name):
    figure = styled(lambda: FIGURES[name].draw(run))
    figure.savefig(io.BytesIO(), format="png")
    curves = [line for axes in figure.axes for line in axes.lines if len(line.get_xdata()) == run.results.sizes["time"]]
    assert len(curves) > 1
    for line in curves:
        assert line.axes.get_xscale() == "log"
        assert line.axes.get_xlim()[0] > 1e-3
        places = line.axes.transData.transform(line.get_xydata())
        assert not np.isfinite(places[0, 0])  # clipped, it would be a place far out to the left
        assert np.isfinite(places[1:, 0]).all()


def test_zero_does_not_make_times_linear():
    later = np.geomspace(0.1, 10, 9)
    assert is_logarithmic(later)
    assert is_logarithmic(np.concatenate([[0.0], later]))
    assert not is_logarithmic(np.linspace(0, 1, 11))
    assert not is_logarithmic(np.array([0.0, 1.0]))
