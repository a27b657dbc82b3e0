"""The fluctuation-dissipation plot: response against correlation, from each waiting time on."""

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored
from tests.report.recoveries import DT, TIMES, WAITING, recovery

FIGURE = FIGURES["effective_temperature"]


def draw(run):
    return styled(lambda: FIGURE.draw(run))


@pytest.mark.parametrize("simulated", [False, True])
def test_both_are_over_the_squared_length_at_the_later_time(simulated):
    run = recovery(simulated=simulated)
    axes = draw(run).axes[1]
    lines = [line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]
    part = "" if simulated else "_theory"
    for index, (line, waiting) in enumerate(zip(lines, WAITING, strict=True)):
        later = round(waiting / DT) * DT <= TIMES
        length = run.results[f"C{part}"][1, later]
        np.testing.assert_allclose(line.get_xdata(), run.results[f"C_waiting{part}"][1, later, index] / length)
        np.testing.assert_allclose(line.get_ydata(), run.results[f"chi_waiting{part}"][1, later, index] / length)
    # Theory is over a length of its own: in the made-up run both ratios are those of the simulation.
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert len(dashed) == len(WAITING) * simulated
    for line, other in zip(dashed, lines, strict=False):
        np.testing.assert_allclose(line.get_xydata(), other.get_xydata())
    assert ("dashed: theory" in FIGURE.caption(run)) == simulated


def test_what_is_not_known_within_its_error_is_left_out():
    """A tenth of theory's largest ratio is the most that an error may be."""
    run = recovery(simulated=True)
    length = run.results["C_theory"][1].to_numpy()
    largest = float((run.results["chi_waiting_theory"][1].to_numpy() / length[:, None]).max())
    measured = run.results["C"][1].to_numpy()
    for at, share in ((-1, 0.11), (-2, 0.09)):
        run.results["chi_waiting_sem"][1, at, 0] = share * largest * measured[at]
    drawn = draw(run).axes[1].lines[0].get_ydata()
    assert np.isnan(drawn[-1])
    assert np.isfinite(drawn[:-1]).all()
    assert "below 0.1 of theory's largest value" in FIGURE.caption(run)


def test_what_was_not_measured_is_taken_from_theory():
    run = recovery(simulated=True)
    bare = Stored(run.results.drop_vars("chi_waiting"), run.summary, run.provenance, run.experiment)
    assert FIGURE.lacks(bare) == ""
    assert "t_w, theory." in FIGURE.caption(bare)
    assert "--" not in [line.get_linestyle() for line in draw(bare).axes[0].lines]


def test_it_says_what_it_needs():
    run = recovery()
    bare = run.results.drop_vars("chi_waiting_theory")
    assert "simulator.response" in FIGURE.lacks(Stored(bare, run.summary, run.provenance, run.experiment))
    assert "problem.waiting" in FIGURE.lacks(Stored(run.results, run.summary, run.provenance, ""))
    for name in run.observables:
        run.results[f"{name}_theory"][:] = np.nan
    assert "finite" in FIGURE.lacks(run)
