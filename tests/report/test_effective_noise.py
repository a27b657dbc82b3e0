"""The figure of drift against effective noise, from a made-up run whose drift and noise are known."""

import numpy as np
import pytest
import xarray as xr

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.committee.effective_noise import draw_crossover, draw_effective_noise
from sgdsim.figures.style import NAMED_COLOURS, styled
from sgdsim.store.stored import Stored
from sgdsim.store.summary import CellSummary, Summary

T = np.array([0.1, 1.0, 10.0])
DRIFT = np.array([3.0, 4.0])
TRACE, DT = 0.5, 0.01


def noisy(regions=("green", "orange"), error=0.01):
    """A run whose drift has two entries, (3, 4)/t, measured with this relative error."""
    shape = (len(regions), len(T))
    drift = np.broadcast_to(DRIFT / T[:, None], (*shape, 2))
    covariance = np.broadcast_to(TRACE / 2 * np.eye(2), (*shape, 2, 2))
    trace = np.full(shape, TRACE)
    values = {"drift": drift, "noise_covariance": covariance, "noise_trace": trace}
    dims = ("cell", "time", "entry", "entry_2")
    data = {"t": (dims[:2], np.broadcast_to(T, shape)), "n_replicas": ("cell", [8] * shape[0])}
    data["n_diverged"] = ("cell", [0] * shape[0])
    for name, value in values.items():
        words = {"long_name": name, "symbol": "x"}
        for part, one in (("", value), ("_sem", error * np.abs(value)), ("_theory", value)):
            data[name + part] = (dims[: value.ndim], one, words)
    rows = [
        CellSummary(
            cell=cell, axes={"delta": cell}, parameters={"delta": cell, "region": region, "dt": DT}, n_replicas=8
        )
        for cell, region in enumerate(regions)
    ]
    summary = Summary(experiment="noise", title="Noise", system="committee", risk="noise_trace", cells=rows)
    return Stored(xr.Dataset(data), summary, {}, "")


def points(axes):
    """Values of the points in a panel, series by series."""
    return [one.lines[0].get_ydata() for one in axes.containers]


def bars(axes):
    """Half the lengths of their error bars."""
    return [np.ptp([part[:, 1] for part in one.lines[2][0].get_segments()], axis=1) / 2 for one in axes.containers]


def test_drift_and_noise_in_a_step_and_over_a_unit_of_time():
    run = noisy()
    assert FIGURES["effective_noise"].lacks(run) == ""
    figure = styled(lambda: FIGURES["effective_noise"].draw(run))
    assert [axes.get_title() for axes in figure.axes] == [r"green, $\delta$ = 0", r"orange, $\delta$ = 1", ""]
    drift = np.sqrt(25 / T**2 * (1 - 1e-4))  # what the errors add to a square is taken away
    for axes, region in zip(figure.axes, ("green", "orange"), strict=False):
        series, errors = points(axes), bars(axes)
        assert next(line.get_color() for line in axes.lines if len(line.get_xdata()) == 3) == NAMED_COLOURS[region]
        wanted = (drift * DT, [(TRACE * DT) ** 0.5] * 3, drift, [TRACE**0.5] * 3)
        for values, expected in zip(series, wanted, strict=True):
            np.testing.assert_allclose(values, expected, rtol=1e-9)
        # |f|^2 = 9 + 16 with errors of 1 % in each entry, not correlated: 2 sqrt(81 + 256)/100 of 25.
        np.testing.assert_allclose(errors[0] / series[0], 0.01 * 337**0.5 / 25, rtol=1e-3)
    crossover, *_ = points(figure.axes[2])
    np.testing.assert_allclose(crossover, TRACE / (DT * drift**2), rtol=1e-9)


def test_points_without_a_sign_are_left_out():
    values, noise, *_ = points(draw_effective_noise(noisy(error=0.9), 1))
    assert np.isnan(values).all()
    assert np.isfinite(noise).all()
    crossover, *_ = points(draw_crossover(noisy(error=0.4)))
    assert np.isnan(crossover).all()


@pytest.mark.parametrize("name", ["drift_theory", "noise_trace"])
def test_what_it_lacks(name):
    run = noisy()
    bare = Stored(run.results.drop_vars(name), run.summary, {}, "")
    assert "noise_draws in [problem]" in FIGURES["effective_noise"].lacks(bare)
