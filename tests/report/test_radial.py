"""The figure of two Gaussians."""

import numpy as np

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored
from tests.report.wide import EDGES, LIMIT, TIMES, wide

FIGURE = FIGURES["radial"]


def two_classes(**options):
    run = wide([{"N": N, "model": "radial"} for N in (50, 200)], **options)
    return Stored(run.results.isel(input=slice(2)), run.summary, run.provenance, run.experiment)


def test_risk_outputs_by_class_and_the_law_of_the_radius_over_theory():
    run = two_classes()
    risk, classes, law = styled(lambda: FIGURE.draw(run)).axes
    solid, dashed = ([line for line in risk.lines if line.get_linestyle() == kind] for kind in ("-", "--"))
    np.testing.assert_array_equal(solid[1].get_xdata(), TIMES)
    np.testing.assert_array_equal(solid[1].get_ydata(), run.results["excess_risk"][1])
    np.testing.assert_array_equal(dashed[0].get_ydata(), run.results["excess_risk_theory"][0])
    assert len(classes.lines) == 8
    np.testing.assert_array_equal(classes.lines[2].get_ydata(), run.results["m"][0, :, 1])
    assert len(risk.collections) == 4
    density = law.patches[1].get_data().values
    np.testing.assert_allclose(density, run.results["histogram"][1, -1] / (EDGES[1] - EDGES[0]))
    np.testing.assert_allclose(law.lines[0].get_ydata(), LIMIT / (EDGES[1] - EDGES[0]))
    assert "Dashed" in FIGURE.caption(run)


def test_without_theory_nothing_is_dashed():
    run = two_classes(theory=False)
    figure = styled(lambda: FIGURE.draw(run))
    assert "--" not in [line.get_linestyle() for axes in figure.axes for line in axes.lines]
    assert "Dashed" not in FIGURE.caption(run)


def test_it_says_what_it_needs():
    assert FIGURE.lacks(two_classes()) == ""
    assert "radial" in FIGURE.lacks(wide([{"N": 50}]))
    run = two_classes()
    assert "problem.window" in FIGURE.lacks(Stored(run.results, run.summary, run.provenance, ""))
