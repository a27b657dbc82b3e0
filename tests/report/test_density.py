"""Histograms over the limit's density, and distances between the two."""

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored
from tests.report.wide import EDGES, LIMIT, wide

FIGURE = FIGURES["density"]
WIDTH = EDGES[1] - EDGES[0]


@pytest.fixture(scope="module")
def run():
    return wide([{"beta": beta, "N": N} for beta in (0.5, 1.0) for N in (10000, 100, 1000, 300)])


@pytest.fixture(scope="module")
def figure(run):
    return styled(lambda: FIGURE.draw(run))


def test_a_row_for_each_beta_by_growing_size(run, figure):
    panels = figure.axes[:-1]
    assert len(panels) == 6
    assert [panel.get_ylabel() for panel in panels[::3]] == [r"$\beta$ = 0.5", r"$\beta$ = 1"]
    assert [panel.texts[0].get_text().split()[2] for panel in panels[:3]] == ["100", "1000", "10000"]
    one, mean = (patch.get_data().values for patch in panels[0].patches)
    runs = run.results["histogram_final"].to_numpy()[1]
    np.testing.assert_allclose(one, runs[0] / WIDTH)
    np.testing.assert_allclose(mean, runs.mean(axis=0) / WIDTH)
    np.testing.assert_allclose(panels[0].lines[0].get_ydata(), LIMIT / WIDTH)


def test_distances_of_single_runs_and_of_their_mean(run, figure):
    below = figure.axes[-1]
    runs = run.results["histogram_final"].to_numpy()[[1, 3, 2, 0]]
    each = np.array([[np.abs(np.cumsum(one - LIMIT)).sum() * WIDTH for one in cell] for cell in runs])
    bars = below.containers[0]
    np.testing.assert_array_equal(bars[0].get_xdata(), [100, 300, 1000, 10000])
    np.testing.assert_allclose(bars[0].get_ydata(), each.mean(axis=1))
    error = each[0].std(ddof=1) / np.sqrt(each.shape[1])
    assert np.ptp(bars[2][0].get_segments()[0][:, 1]) == pytest.approx(2 * error)
    pooled = [line.get_ydata() for line in below.lines if line.get_markerfacecolor() == "white"]
    np.testing.assert_allclose(pooled[0][0], np.abs(np.cumsum(runs[0].mean(axis=0) - LIMIT)).sum() * WIDTH)


def test_cells_without_a_limit_are_left_out_and_said_to_be_needed(run):
    assert FIGURE.lacks(run) == ""
    random = wide([{"beta": 1.0, "N": 100, "noise": "common"}])
    assert "theory" in FIGURE.lacks(random)
    assert "theory" in FIGURE.lacks(wide([{"N": 100}], theory=False))
    assert "problem.bins" in FIGURE.lacks(Stored(run.results, run.summary, run.provenance, ""))
