"""Runs of theory alone: what is drawn, said and listed where nothing was simulated."""

import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.report.page import write_report
from sgdsim.report.tables import cells, counts
from sgdsim.store.stored import Stored
from tests.report.changes import with_cells
from tests.report.recoveries import recovery, write

FOUR = ({"b": 1.0}, {"b": 0.5}, {"b": 0.35}, {"b": 0.2})


def draw(name, run):
    return styled(lambda: FIGURES[name].draw(run))


def test_observables_are_those_of_theory():
    run = recovery()
    assert (run.simulated, run.has_theory) == (False, False)
    assert run.observables == ("distance", "m", "C", "C_waiting", "chi_waiting")
    assert run.scalars == ("distance", "m", "C")
    assert run.words("distance") == "distance from the signal"
    assert run.symbol("distance") == r"\Delta"


def test_the_risk_comes_first_whatever_the_order_of_the_variables():
    run = recovery(simulated=True)
    results = run.results[sorted(run.results.data_vars, reverse=True)]
    assert Stored(results, run.summary, run.provenance, run.experiment).scalars == ("distance", "m", "C")


@pytest.mark.parametrize("name", ["risk", "trajectories"])
def test_curves_are_solid_in_the_colours_of_the_cells_and_without_bands(name):
    run = recovery(FOUR)
    figure = draw(name, run)
    axes = figure.axes[0]
    assert not axes.collections
    assert {line.get_linestyle() for line in axes.lines} == {"-"}
    assert len({line.get_color() for line in axes.lines}) == 4
    for cell, line in enumerate(axes.lines):
        np.testing.assert_array_equal(line.get_ydata(), run.results["distance_theory"][cell])
    labels = [text.get_text() for text in figure.legends[0].get_texts() if text.get_text().strip()]
    assert [label.split("= ")[1] for label in labels] == ["1", "0.5", "0.35", "0.2"]
    assert "nothing was simulated" in FIGURES[name].caption(run)


def test_there_are_no_panels_of_differences():
    assert len(draw("trajectories", recovery()).axes) == 5


@pytest.mark.parametrize("name", ["risk", "trajectories"])
def test_one_cell_is_called_theory(name):
    assert [text.get_text() for text in draw(name, recovery(({},))).legends[0].get_texts()] == ["theory"]


def test_a_cell_that_blows_up_leaves_the_panel_and_one_without_values_is_not_drawn():
    run = recovery(FOUR)
    run.results["distance_theory"][1, 40:60] = np.geomspace(1, 1e300, 20)
    run.results["distance_theory"][1, 60:] = np.inf
    for name in run.observables:
        run.results[f"{name}_theory"][2] = np.nan
    axes = draw("risk", run).axes[0]
    assert len(axes.lines) == 3
    assert axes.get_ylim()[1] < 1e7
    assert "no finite value: 1 of the cells" in FIGURES["risk"].caption(run)
    for name in run.observables:
        run.results[f"{name}_theory"][:] = np.nan
    assert "finite" in FIGURES["risk"].lacks(run)


def test_tables_have_no_replicas():
    run = recovery()
    table = cells(run)
    assert table.columns == ("cell", "b", "final distance from the signal")
    assert float(table.rows[1][2]) == pytest.approx(float(run.results["distance_theory"][1, -1]), rel=1e-5)
    assert [what for what, _ in counts(run)] == ["cells", "solved in"]


def test_a_theory_that_blew_up_is_counted_and_marked():
    run = with_cells(recovery(), [{}, {"theory_diverged": True}])
    assert counts(run)[1] == ("blew up", "1")
    table = cells(run)
    assert [row[table.columns.index("blew up")] for row in table.rows] == ["no", "yes"]


def test_the_page_says_so(tmp_path):
    run = write(recovery(FOUR, figures=("risk",)), tmp_path)
    paths = write_report(run)
    assert len(paths) == 3
    page = paths[-1].read_text()
    assert "Nothing was simulated: final values are those of theory." in page
    assert "replica that diverged" not in page
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_report(run)] == before


def test_panels_of_several_regions_need_no_common_legend():
    run = recovery(FOUR)
    places = (("green", 0, 0), ("green", 0, 1), ("blue", 1, 0), ("blue", 1, 1))
    changes = [
        {"parameters": {"dt": 0.1, "region": region}, "axes": {"mu": mu, "rho": rho}} for region, mu, rho in places
    ]
    figure = draw("risk", with_cells(run, changes))
    assert len(figure.axes) == 2
    assert not figure.legends
