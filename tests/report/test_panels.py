"""Panels of single systems drawn alone: the same lines as in the figures of the report."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from sgdsim.errors import ArgumentError
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.classification.accuracy import draw_accuracy
from sgdsim.figures.classification.bad_minima import draw_bad_minima, draw_final_accuracies
from sgdsim.figures.classification.regularisation import draw_regularisation
from sgdsim.figures.classification.small_gamma import draw_small_gamma
from sgdsim.figures.classification.weight_histograms import draw_weight_histograms
from sgdsim.figures.common.finite_size import draw_finite_size
from sgdsim.figures.common.threshold import draw_critical_law, draw_threshold
from sgdsim.figures.common.threshold_start import draw_threshold_start
from sgdsim.figures.meanfield.density import draw_density, draw_distances
from sgdsim.figures.meanfield.lazy import draw_laziness
from sgdsim.figures.meanfield.linear_noise import draw_linear_noise, draw_linear_noise_ratio
from sgdsim.figures.meanfield.noise import draw_pair_correlation, draw_variance_between_runs
from sgdsim.figures.meanfield.rates import draw_rates, draw_slopes
from sgdsim.figures.recovery.aging import draw_aging
from sgdsim.figures.recovery.canyon import draw_canyon
from sgdsim.figures.recovery.effective_temperature import draw_effective_temperature
from sgdsim.figures.style import styled
from tests.report.classifications import classification
from tests.report.recoveries import canyon, finite_size, recovery, threshold
from tests.report.wide import SIZES, lazy_run, noise_run, rates_run, wide


def thresholds():
    return recovery(fits={f"at[b={b}]": threshold(b) for b in (0.5, 1.0)})


def finite_sizes():
    return recovery(fits={"gd": finite_size(1.5), "sgd": finite_size(1.3)})


def images(*keys):
    cells = [{"beta": beta, "gamma": gamma} for beta, gamma in ((0.5, 1.0), (1.0, 1.0), (1.0, 0.5))]
    return classification(cells, keys)


def betas():
    return classification([{"beta": beta} for beta in (0.25, 0.5, 1.0)], ("beta",))


def minima():
    return classification([{"random_labels": epochs} for epochs in (0, 2)], ("random_labels",))


def rows():
    return wide([{"beta": 0.5, "N": N} for N in SIZES[:3]])


PANELS = [
    (draw_threshold, (), thresholds, "threshold", 0),
    (draw_critical_law, (), thresholds, "threshold", 1),
    (draw_threshold_start, (), thresholds, "threshold_start", 0),
    (draw_finite_size, ("sgd",), finite_sizes, "finite_size", 1),
    (draw_aging, (1,), recovery, "aging", 1),
    (draw_effective_temperature, (1,), recovery, "effective_temperature", 1),
    (draw_canyon, ("loss",), canyon, "canyon", 1),
    (draw_rates, (), rates_run, "rates", 0),
    (draw_slopes, (), rates_run, "rates", 1),
    (draw_linear_noise, (), rates_run, "linear_noise", 0),
    (draw_linear_noise_ratio, (), rates_run, "linear_noise", 1),
    (draw_variance_between_runs, (), noise_run, "noise", 0),
    (draw_pair_correlation, (), noise_run, "noise", 1),
    (draw_laziness, ("gap",), lazy_run, "lazy", 1),
    (draw_density, (1,), rows, "density", 1),
    (draw_distances, (), rows, "density", 3),
    (draw_regularisation, ("loss",), betas, "regularisation", 1),
    (draw_accuracy, ("epochs",), betas, "accuracy", 1),
    (draw_bad_minima, ("weight_norm",), minima, "bad_minima", 3),
    (draw_final_accuracies, (), minima, "bad_minima", 1),
    (draw_small_gamma, (), lambda: images("beta", "gamma"), "small_gamma", 2),
    (draw_weight_histograms, ("histogram", 1), betas, "weight_histograms", 1),
]


@pytest.mark.parametrize(("draw", "chosen", "make", "kind", "place"), PANELS)
def test_a_panel_alone_is_that_of_the_report(draw, chosen, make, kind, place):
    run = make()
    assert FIGURES[kind].lacks(run) == ""
    whole = styled(lambda: FIGURES[kind].draw(run)).axes[place]
    alone = Figure().subplots()
    assert draw(run, *chosen, ax=alone) is alone
    assert len(alone.lines) + len(alone.patches) == len(whole.lines) + len(whole.patches) > 0
    for left, right in zip(alone.lines, whole.lines, strict=True):
        np.testing.assert_array_equal(left.get_xydata(), right.get_xydata())
    for left, right in zip(alone.patches, whole.patches, strict=True):
        np.testing.assert_array_equal(left.get_path().vertices, right.get_path().vertices)
    assert (alone.get_xscale(), alone.get_yscale()) == (whole.get_xscale(), whole.get_yscale())


@pytest.mark.parametrize(("draw", "chosen", "make", "kind", "place"), PANELS)
def test_what_a_run_lacks_is_said(draw, chosen, make, kind, place):
    other = rows() if make is not rows else thresholds()
    for name in [name for name in other.results.data_vars if str(name).endswith("_final")]:
        del other.results[name]
    with pytest.raises(ArgumentError, match="run"):
        draw(other, *chosen, ax=Figure().subplots())
