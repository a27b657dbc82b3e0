"""The figure of ageing: curves from each waiting time on."""

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored
from tests.report.recoveries import DT, TIMES, WAITING, recovery

FIGURE = FIGURES["aging"]


def draw(run):
    return styled(lambda: FIGURE.draw(run))


@pytest.mark.parametrize("simulated", [False, True])
def test_curves_begin_at_the_realised_waiting_time(simulated):
    run = recovery(simulated=simulated)
    axes = draw(run).axes[0]
    name = "C_waiting" if simulated else "C_waiting_theory"
    lines = [line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]
    for index, (line, waiting) in enumerate(zip(lines, WAITING, strict=True)):
        start = round(waiting / DT) * DT
        np.testing.assert_allclose(line.get_xdata(), TIMES[start < TIMES] - start)
        # Over the squared length at the waiting time, which the made-up run has in closed form.
        length = (1 + 0.3 * start**0.2) * (1.01 if simulated else 1.0)
        expected = run.results[name][0, start < TIMES, index] / length
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=2e-3)
    assert axes.get_xscale() == "log"
    assert len({line.get_color() for line in lines}) == 4


def test_theory_is_dashed_over_the_bands_of_the_simulation():
    run = recovery(simulated=True)
    figure = draw(run)
    axes = figure.axes[0]
    assert len(axes.collections) == 2 * len(WAITING)
    # Curve and band are over the same length, and theory over its own: the mean is 1.01 of it, the deviation 0.1.
    curve, theory, *_ = [line.get_ydata() for line in axes.lines]
    np.testing.assert_allclose(theory, curve)
    edges = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.max() == pytest.approx((curve * (1 + 0.1 / 1.01)).max())
    assert [line.get_linestyle() for line in axes.lines].count("--") == len(WAITING)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"$t_w$ = 1", "$t_w$ = 64", "theory", "standard error"} <= set(labels)
    assert [axes.get_title() for axes in figure.axes] == ["$b$ = 1", "$b$ = 0.2"]
    assert "Dashed" in FIGURE.caption(run)
    alone = recovery(simulated=True, theory=False)
    assert "--" not in [line.get_linestyle() for line in draw(alone).axes[0].lines]
    assert "Dashed" not in FIGURE.caption(alone)


def test_a_waiting_time_after_the_end_has_no_curve():
    run = recovery()
    late = Stored(run.results, run.summary, run.provenance, run.experiment.replace("64.0", "640.0"))
    assert draw(late).axes[0].lines[3].get_xdata().size == 0


def test_without_the_squared_length_there_is_nothing_to_divide_by():
    run = recovery()
    bare = Stored(run.results.drop_vars("C_theory"), run.summary, run.provenance, run.experiment)
    assert FIGURE.lacks(bare) != ""


def test_it_says_what_it_needs():
    run = recovery()
    assert FIGURE.lacks(run) == ""
    assert "problem.waiting" in FIGURE.lacks(Stored(run.results, run.summary, run.provenance, ""))
    bare = run.results.drop_vars("C_waiting_theory")
    assert "problem.waiting" in FIGURE.lacks(Stored(bare, run.summary, run.provenance, run.experiment))
    for name in run.observables:
        run.results[f"{name}_theory"][:] = np.nan
    assert "finite" in FIGURE.lacks(run)


def test_of_many_cells_six_are_drawn():
    run = recovery(tuple({"b": 1 / b} for b in range(1, 10)))
    assert len(draw(run).axes) == 6
    assert "6 of the 9 cells" in FIGURE.caption(run)
