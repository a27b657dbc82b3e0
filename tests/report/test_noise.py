"""The figure of noise: variances between runs, correlations within them, and densities run by run."""

import numpy as np
import pytest

from sgdsim.analysis.bootstrap import with_error
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored
from tests.report.wide import BINS, EDGES, KINDS, LIMIT, SIZES, noise_run, wide

FIGURE = FIGURES["noise"]


@pytest.fixture(scope="module")
def run():
    return noise_run()


@pytest.fixture(scope="module")
def figure(run):
    return styled(lambda: FIGURE.draw(run))


def test_variances_between_runs_are_of_the_middle_input(run, figure):
    left = figure.axes[0]
    assert len(left.containers) == 4
    m = run.results["m_final"].to_numpy()[: len(SIZES), :, 3]  # the first dynamics
    np.testing.assert_array_equal(left.containers[0][0].get_xdata(), SIZES)
    np.testing.assert_allclose(left.containers[0][0].get_ydata(), m.var(axis=1, ddof=1))
    (guide,) = [line for line in left.lines if line.get_linestyle() == "--"]
    assert np.ptp(np.log(guide.get_ydata())) == pytest.approx(np.log(64))


def test_the_correlation_of_two_particles_is_that_of_all_pairs(run, figure):
    """Runs with the means and variances of two particles each: all pairs by hand."""
    right = figure.axes[1]
    mean = run.results["mean_final"].to_numpy()[3, :, 0]
    between = mean.var(ddof=1)
    expected = (between - 1 / (SIZES[3] - 1)) / (between + 1)
    assert right.containers[0][0].get_ydata()[-1] == pytest.approx(expected)
    assert all((bars[0].get_ydata() > 0).all() for bars in right.containers)
    open_marks = [line for line in right.lines if line.get_markerfacecolor() == "white"]
    assert len(open_marks) == 4
    assert 0 < sum(len(line.get_xdata()) for line in open_marks) < 16


def test_densities_of_runs_under_that_of_the_limit(run, figure):
    shared, own = figure.axes[2:]
    assert shared.get_title().startswith("SGD, $N$ = 4096: 6 runs")
    assert own.get_title().startswith("SDE, independent")
    drawn = shared.patches[0].get_data().values
    np.testing.assert_allclose(drawn, run.results["histogram_final"].to_numpy()[3, 0] / (EDGES[1] - EDGES[0]))
    for axes in (shared, own):
        (theory,) = [line for line in axes.lines if line.get_linestyle() == "--"]
        np.testing.assert_allclose(theory.get_ydata(), LIMIT * BINS / 6)


def test_four_dynamics_are_named(figure):
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "SGD"
    meanings = {"a: $1/N$", "b: negative", "c, d: Fokker-Planck density"}
    assert meanings < set(labels)
    assert len(set(labels) - meanings - {" "}) == len(KINDS)


def test_without_a_theory_there_is_none(run):
    bare = noise_run(theory=False)
    assert "Fokker-Planck" in FIGURE.caption(run)
    assert "Fokker-Planck" not in FIGURE.caption(bare)


def test_it_says_what_it_needs(run):
    assert FIGURE.lacks(run) == ""
    assert "problem.window" in FIGURE.lacks(Stored(run.results, run.summary, run.provenance, ""))
    assert "two kinds" in FIGURE.lacks(wide([{"N": N} for N in SIZES]))
    bare = Stored(run.results.drop_vars("m_final"), run.summary, run.provenance, run.experiment)
    assert "final" in FIGURE.lacks(bare)


def test_the_error_of_a_statistic_is_that_of_its_scatter():
    """The standard error of a mean, and of a variance of normals: sigma^2 sqrt(2/(n - 1))."""
    sample = np.random.default_rng(5).standard_normal(2000)
    assert with_error(np.mean, sample)[1] == pytest.approx(2000**-0.5, rel=0.15)
    assert with_error(np.var, sample)[1] == pytest.approx((2 / 2000) ** 0.5, rel=0.15)
