"""The central limit theorem: N times the variance of predictions over runs against time, and its ratio to theory."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.figures.common.curves import THEORY, alive, draw_band
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import legend_beside, panel, pick
from sgdsim.figures.style import WIDTH, series_colours
from sgdsim.figures.typeset import shown
from sgdsim.store.stored import Stored

BAND = 0.18
"""Opacity of the band of two standard errors."""
LACKS = 'predicted fluctuations of m: set theory.kind = "clt"'


@dataclass(frozen=True)
class CltFigure(FigureKind):
    """A column for every model: N Var m with theory above, the ratio of both below."""

    name: ClassVar[str] = "clt"

    def lacks(self, run: Stored) -> str:
        """Predicted standard deviations of m, and runs to hold against them."""
        return "" if _models(run) else LACKS

    def caption(self, run: Stored) -> str:
        """What is averaged, and what the band is."""
        return (
            "N times the variance over runs of the predictions, the mean over the inputs, against time. Bands: two "
            "standard errors of the variance of one Gaussian number. Dashed: the linearised equations, N eps times "
            "the part of the noise and the part of the starts. Below: measured over predicted."
        )

    def draw(self, run: Stored) -> Figure:
        """Columns with a legend beside."""
        models = _models(run)
        figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
        upper, lower = figure.subplots(2, len(models), sharex=True, squeeze=False, height_ratios=(3, 2))
        for axes, ratio, model in zip(upper, lower, models, strict=True):
            draw_clt(run, model, axes).set(title=model.replace("_", " "), xlabel="")
            draw_clt_ratio(run, model, ratio)
        for axes in (*upper[1:], *lower[1:]):
            axes.set_ylabel("")
        legend_beside(figure, *upper[0].get_legend_handles_labels(), fontsize=7)
        return figure


def draw_clt(run: Stored, model: str | None = None, ax: Axes | None = None) -> Axes:
    """N Var m over runs, the mean over the inputs, against time, a labelled curve a cell, with theory dashed.

    **Raises:** ArgumentError where no fluctuations are predicted.
    """
    axes, cells = panel(ax), _cells(run, model)
    for cell, colour in zip(cells, series_colours(len(cells)), strict=True):
        N, times = run.summary.cells[cell].parameters["N"], run.times(cell)
        measured, predicted = (N * one for one in _variances(run, cell))
        error = measured * _error(run, cell)
        draw_band(axes, times, measured - error, measured + error, colour, BAND)
        axes.plot(times, measured, color=colour, linewidth=1.3, label=_label(run, cell))
        style: dict[str, Any] = THEORY | {"color": colour}
        axes.plot(times, predicted, **style)
    axes.set(yscale="log", xlabel="$t$", ylabel=r"$N\ \mathrm{Var}\, m$")
    return axes


def draw_clt_ratio(run: Stored, model: str | None = None, ax: Axes | None = None) -> Axes:
    """The variance of m over runs, measured over predicted, against time, with a band of two standard errors.

    **Raises:** ArgumentError where no fluctuations are predicted.
    """
    axes, cells = panel(ax), _cells(run, model)
    for cell, colour in zip(cells, series_colours(len(cells)), strict=True):
        measured, predicted = _variances(run, cell)
        ratio, error = measured / predicted, measured / predicted * _error(run, cell)
        draw_band(axes, run.times(cell), ratio - error, ratio + error, colour, BAND)
        axes.plot(run.times(cell), ratio, color=colour, linewidth=1.3)
    axes.axhline(1.0, **THEORY, zorder=3)
    axes.set(xlabel="$t$", ylabel="measured / predicted")
    return axes


def _models(run: Stored) -> list[str]:
    """The models of the cells that are predicted."""
    if "m_predicted_std" not in run.results:
        return []
    known = [cell for cell in alive(run, 2) if np.isfinite(run.results["m_predicted_std"].isel(cell=cell)).any()]
    return list(dict.fromkeys(str(run.summary.cells[cell].parameters["model"]) for cell in known))


def _cells(run: Stored, model: str | None) -> list[int]:
    chosen = pick({one: one for one in _models(run)}, model, LACKS)
    return [cell for cell in alive(run, 2) if run.summary.cells[cell].parameters["model"] == chosen]


def _label(run: Stored, cell: int) -> str:
    parameters = run.summary.cells[cell].parameters
    return rf"$\beta$ = {parameters['beta']:g}, $N$ = {shown(parameters['N'])}"


def _variances(run: Stored, cell: int) -> tuple[Float[np.ndarray, " times"], Float[np.ndarray, " times"]]:
    """Of m over runs, the mean over the inputs: measured, and predicted."""
    found = [run.results[f"m_{kind}"].isel(cell=cell).to_numpy() for kind in ("std", "predicted_std")]
    known = np.isfinite(found[1]).all(axis=0)  # a model with fewer inputs is padded
    measured, predicted = ((one[:, known] ** 2).mean(axis=1) for one in found)
    return measured, predicted


def _error(run: Stored, cell: int) -> float:
    """Two relative standard errors of the variance of a Gaussian number."""
    cells = run.results.isel(cell=cell)
    return float(2 * np.sqrt(2 / (cells["n_replicas"] - cells["n_diverged"] - 1)))
