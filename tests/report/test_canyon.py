"""The canyon: values at the end against alpha, beside counting, and what the figure needs."""

import numpy as np

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.recovery.canyon import FLOOR
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored
from tests.report.recoveries import canyon

FIGURE = FIGURES["canyon"]


def test_points_are_the_ends_of_the_cells_and_losses_have_a_floor():
    run = canyon()
    modes, losses, _, distance = styled(lambda: FIGURE.draw(run)).axes
    points = {line.get_label(): line.get_xydata() for line in modes.lines}
    counting = next(line.get_xydata() for line in modes.lines if line.get_linestyle() == "--")
    np.testing.assert_allclose(counting[:, 1], np.maximum(1 - counting[:, 0], 0))
    drawn = [container.lines[0].get_xydata() for container in modes.containers]
    assert len(points) > len(drawn) == 2
    np.testing.assert_array_equal(drawn[1], [[0.5, 0.5], [1.0, 0.0], [1.2, 0.0]])
    heights = [container.lines[0].get_ydata() for container in losses.containers]
    np.testing.assert_allclose(heights[0], [FLOOR, 0.01, 0.012])  # b = 1, and its lowest losses
    np.testing.assert_allclose(heights[1], [FLOOR, 0.001, 0.0012])
    assert losses.get_yscale() == "log"
    assert distance.containers[0].lines[0].get_ydata()[0] == float(run.results["distance"][0, -1])
    assert "1 - alpha" in FIGURE.caption(run)


def test_without_restarts_it_says_what_it_needs():
    run = canyon()
    bare = Stored(run.results.drop_vars("ground"), run.summary, run.provenance, run.experiment)
    assert "simulator.restarts" in FIGURE.lacks(bare)
    assert not FIGURE.lacks(run)
