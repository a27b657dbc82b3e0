"""The figures of a classification: histograms seed by seed, their distances against gamma, and accuracies."""

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.classification.small_gamma import distances
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored
from tests.report.classifications import BINS, SEEDS, WINDOW, classification, shift

PLANE = [{"N": N, "beta": beta} for beta in (0.5, 1.0) for N in (100, 1000, 10_000)]
GAMMAS = [{"beta": 0.5, "gamma": 1.0}, *({"beta": 1.0, "gamma": gamma} for gamma in (0.2, 1.0, 0.4))]
BETAS = [{"beta": beta} for beta in (1.0, 0.5, 0.75)]
WIDTHS = [{"N": N, "beta": beta, "dt": dt} for N, beta, dt in ((100, 0.75, 0.25), (100, 1.0, 0.5), (400, 0.75, 0.125))]
MINIMA = [{"random_labels": epochs, "weight_decay": decay} for decay in (0.0, 0.001) for epochs in (0, 3)]
BOTH = ("random_labels", "weight_decay")


def draw(name, run):
    assert FIGURES[name].lacks(run) == ""
    return styled(lambda: FIGURES[name].draw(run))


def steps(axes, filled=False):
    return [patch for patch in axes.patches if isinstance(patch, StepPatch) and patch.get_fill() == filled]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_every_seed_has_a_line():
    run = classification(PLANE, ("N", "beta"))
    figure = draw("weight_histograms", run)
    assert len(figure.axes) == 2 * 6
    titles = [axes.get_title() for axes in figure.axes[:6]]
    assert titles == ["$N$ = 100", "$N$ = 1000", "$N$ = 10000", "", "", ""]
    rows = [axes.get_ylabel() for axes in figure.axes[:6:3]]
    assert rows == ["$\\beta$ = 0.5\ndensity", "$\\beta$ = 1\ndensity"]
    for axes in figure.axes:
        lines = steps(axes)
        assert len(lines) == SEEDS - 1 + 1  # one diverged; and the mean
        assert [line.get_linestyle() for line in lines].count("solid") == SEEDS - 1
        for line in lines:
            values, edges, _ = line.get_data()
            assert len(values) == BINS
            assert (values * np.diff(edges)).sum() == pytest.approx(1)
            assert (edges[0], edges[-1]) == WINDOW
    assert texts(figure.axes[0]) == ["$W_1$ = 0.0200(2)"]
    assert texts(figure.axes[6]) == []
    assert "a line for each seed" in FIGURES["weight_histograms"].caption(run)


def test_a_lost_cell_says_so():
    figure = draw("weight_histograms", classification(PLANE, ("N", "beta"), lost=(4,)))
    assert texts(figure.axes[4]) == texts(figure.axes[10]) == ["diverged"]
    assert len(steps(figure.axes[4])) == 0


def test_distances_shrink_with_gamma():
    run = classification(GAMMAS, ("beta", "gamma"))
    figure = draw("small_gamma", run)
    *histograms, below = figure.axes
    assert [axes.get_title().split("= ")[-1] for axes in histograms] == ["1", "0.4", "0.2"]
    assert all(len(steps(axes)) == SEEDS for axes in histograms)
    for cell, gamma in ((1, 0.2), (2, 1.0), (3, 0.4)):
        expected = [abs(shift(GAMMAS[cell], seed) - 0.0) for seed in range(1, SEEDS)]
        assert distances(run, "histogram", cell) == pytest.approx(expected, abs=0.002)
        assert expected[0] == gamma / 4
    # At beta < 1, the seeds are compared with the others: of two pairs, at -0.001 and at 0.001.
    assert distances(run, "histogram", 0) == pytest.approx([0.002 * 2 / 3] * 4, rel=0.05)
    assert {"log"} == {below.get_xscale(), below.get_yscale()}
    labels = [text.get_text() for text in below.get_legend().get_texts()]
    assert labels == ["corner pixel", "all pixels that vary", "one seed", r"between seeds at $\beta$ = 0.5"]
    assert "beta = 0.5, gamma = 1 (dashed)" in FIGURES["small_gamma"].caption(run)


def test_accuracy_and_loss_with_their_errors():
    run = classification(BETAS, ("beta",))
    figure = draw("regularisation", run)
    accuracy, loss, table = figure.axes
    for axes, train, test in ((accuracy, "train_accuracy", "test_accuracy"), (loss, "train_loss", "test_loss")):
        for container, name in zip(axes.containers, (train, test), strict=True):
            line, _, (bars,) = container.lines
            assert line.get_xdata().tolist() == [0.5, 0.75, 1.0]
            expected = [run.summary.cells[cell].final[name] for cell in (1, 2, 0)]
            assert line.get_ydata().tolist() == [value.mean for value in expected]
            heights = [segment[1, 1] - segment[0, 1] for segment in bars.get_segments()]
            assert heights == pytest.approx([2 * value.sem for value in expected])
    cells = {place: cell.get_text().get_text() for place, cell in table.tables[0].get_celld().items()}
    assert [cells[0, column] for column in range(3)] == [r"$\beta$", "train accuracy", "test accuracy"]
    assert [cells[row, 0] for row in (1, 2, 3)] == ["0.5", "0.75", "1"]
    assert cells[3, 2] == "0.920(9)"
    assert "means over 4 seeds" in FIGURES["regularisation"].caption(run)


def test_bad_minima_against_epochs_and_seed_by_seed():
    run = classification(MINIMA, BOTH)
    figure = draw("bad_minima", run)
    above, seeds, fitted, norms = figure.axes
    assert [axes.get_yscale() for axes in figure.axes] == ["logit", "linear", "linear", "log"]
    for axes, name in ((above, "test_accuracy"), (fitted, "fit_accuracy"), (norms, "weight_norm")):
        for container, cell in zip(axes.containers, run.summary.cells, strict=True):
            line, _, (bars,) = container.lines
            assert line.get_xdata().tolist() == [5.0]  # t = 30, 12 steps of 0.5 to an epoch
            assert line.get_ydata().tolist() == [cell.final[name].mean]
            (segment,) = bars.get_segments()
            assert segment[1, 1] - segment[0, 1] == pytest.approx(2 * cell.final[name].sem)
        assert axes.lines[-1].get_xdata() == [3, 3]  # where the right labels come
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:2] == ["right labels only, no weight decay", "random labels first, no weight decay"]
    assert labels[3] == "random labels first, weight decay 0.001"
    points = [line for line in seeds.lines if len(line.get_xdata()) == SEEDS - 1]
    assert len(points) == len(seeds.containers) == 4
    for line, cell in zip(points, run.results["test_accuracy_final"].to_numpy(), strict=True):
        assert line.get_ydata().tolist() == cell[1:].tolist()
    ticks = [text.get_text() for text in seeds.get_xticklabels()]
    assert ticks[3] == "random\nlabels first\ndecay 0.001"
    assert figure.axes[0].lines[0].get_color() != figure.axes[0].containers[1].lines[0].get_color()


def test_accuracies_at_equal_times_and_at_equal_epochs():
    """An epoch has 12 steps of dt: the cells have run for 60, 60 and 30, which is 20, 10 and 20 epochs."""
    run = classification(WIDTHS, ("N", "beta"), times=((20.0, 30.0, 60.0), (20.0, 29.0, 60.0), (10.0, 16.0, 30.0)))
    figure = draw("accuracy", run)
    times, epochs, table = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["time $t$", "epochs", ""]
    train, test, *_ = times.containers
    assert (train.lines[0].get_linestyle(), test.lines[0].get_linestyle()) == ("--", "-")
    for container, name in ((train, "train_accuracy"), (test, "test_accuracy")):
        line, _, (bars,) = container.lines
        assert line.get_ydata().tolist() == (1 - run.results[name][0]).to_numpy().tolist()
        assert [one[1, 1] - one[0, 1] for one in bars.get_segments()] == pytest.approx(
            (2 * run.results[f"{name}_sem"][0]).to_numpy()
        )
    assert epochs.containers[1].lines[0].get_xdata().tolist() == pytest.approx([20 / 3, 10, 20])
    assert (times.lines[-1].get_xdata()[0], epochs.lines[-1].get_xdata()[0]) == (30, 10)
    cells = {place: cell.get_text().get_text() for place, cell in table.tables[0].get_celld().items()}
    assert [cells[0, column] for column in range(6)] == ["at", "$N$", r"$\beta$", "$t$", "epochs", "train accuracy"]
    assert [[cells[row, column] for column in range(5)] for row in range(1, 7)] == [
        ["equal t", "100", "0.75", "30", "10"],
        ["equal t", "100", "1", "29", "4.83"],
        ["equal t", "400", "0.75", "30", "20"],
        ["equal epochs", "100", "0.75", "30", "10"],
        ["equal epochs", "100", "1", "60", "10"],
        ["equal epochs", "400", "0.75", "16", "10.7"],
    ]
    # The made-up accuracy grows by 0.001 from one save time to the next.
    assert [cells[row, 6][:5] for row in range(1, 7)] == ["0.916", "0.921", "0.917", "0.916", "0.922", "0.916"]
    assert cells[1, 6] == "0.916(9)"
    assert "at equal time, t = 30, and at equal epochs, 10" in FIGURES["accuracy"].caption(run)


def test_the_limit_is_drawn_behind_the_histograms_and_the_corner_pixel_is_not_cut():
    run = classification(PLANE, ("N", "beta"))
    figure = draw("weight_histograms", run)
    for axes in figure.axes:
        (limit,) = steps(axes, filled=True)
        mean = next(line for line in steps(axes) if line.get_linestyle() != "solid")
        if axes in figure.axes[2:12:6]:  # N = 10000 at beta = 0.5
            np.testing.assert_array_equal(limit.get_data()[0], mean.get_data()[0])
    assert "mean over seeds at N = 10000, beta = 0.5." in FIGURES["weight_histograms"].caption(run)
    # At beta = 1 the humps of half-width 1/4 are at -1/4 and at 1/4; below, about 0.
    assert figure.axes[0].get_xlim() == pytest.approx((-0.3, 0.3), abs=0.06)
    assert figure.axes[3].get_xlim() == pytest.approx((-0.5, 0.5), abs=0.06)
    at_one = classification([cell for cell in PLANE if cell["beta"] == 1], ("N", "beta"))
    assert all(not steps(axes, filled=True) for axes in draw("weight_histograms", at_one).axes)
    assert "Grey" not in FIGURES["weight_histograms"].caption(at_one)


def test_a_beta_that_was_lost_is_left_out():
    figure = draw("regularisation", classification(BETAS, ("beta",), lost=(0,)))
    assert figure.axes[0].containers[0].lines[0].get_xdata().tolist() == [0.5, 0.75]


def test_figures_say_what_they_need():
    plane, gammas, betas = (
        classification(*cut) for cut in ((PLANE, ("N", "beta")), (GAMMAS, ("beta", "gamma")), (BETAS, ("beta",)))
    )
    everything_lost = classification(BETAS, ("beta",), lost=(0, 1, 2))
    bare = Stored(betas.results.drop_vars("histogram_final"), betas.summary, {}, betas.experiment)
    blind = Stored(betas.results.drop_vars("test_loss"), betas.summary, {}, betas.experiment)
    minima = classification(MINIMA, BOTH)
    blind_minima = Stored(minima.results.drop_vars("weight_norm"), minima.summary, {}, minima.experiment)
    for name, run, says in (
        ("weight_histograms", gammas, "over N and beta only, and not over gamma"),
        ("weight_histograms", bare, "histograms of weights of every replica"),
        ("weight_histograms", classification(PLANE, ("N", "beta"), bins=0), "the same bins and window"),
        ("weight_histograms", everything_lost, "stayed finite"),
        ("small_gamma", plane, "a grid over beta and gamma only"),
        ("small_gamma", bare, "histograms of weights of every replica"),
        ("small_gamma", betas, "two or more values of gamma at beta = 1, and one cell at beta < 1"),
        ("bad_minima", betas, "a grid over random_labels and weight_decay"),
        ("bad_minima", blind_minima, "the observables weight_norm"),
        ("bad_minima", classification(MINIMA, BOTH, lost=(1, 3)), "with and without random labels"),
        ("accuracy", blind, "the observables test_loss"),
        ("accuracy", everything_lost, "stayed finite"),
        ("regularisation", gammas, "a grid over beta"),
        ("regularisation", blind, "the observables test_loss"),
        ("regularisation", everything_lost, "stayed finite at two values"),
    ):
        assert says in FIGURES[name].lacks(run), (name, says)
