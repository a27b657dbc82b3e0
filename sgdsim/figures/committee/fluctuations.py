"""Fluctuations: the standard deviation of a replica over the predicted one, against time and against d."""

import textwrap
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import (
    alive,
    band_mark,
    cell_colours,
    cell_label,
    draw_band,
    evenly,
    finite_somewhere,
    is_logarithmic,
    logarithmic_times,
)
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.style import CATEGORIES, INK, MARKERS, WIDTH
from sgdsim.store.stored import Stored

CELLS = 5
"""Cells drawn against time at most; of more, these many are picked evenly. All are drawn against d."""
COLUMNS = 2
TITLE = 40
"""Characters of a title that fit over a panel."""
ERROR = 0.18
"""Opacity of the band of two standard errors."""


@dataclass(frozen=True)
class FluctuationsFigure(FigureKind):
    """For each observable a panel of measured over predicted spread, and with an axis d the approach to 1."""

    name: ClassVar[str] = "fluctuations"

    def lacks(self, run: Stored) -> str:
        """Predicted standard deviations, and a cell with replicas to hold against them."""
        if not run.has_predictions:
            return "predicted fluctuations: set theory.fluctuations = true"
        return "" if _alive(run) else "a cell with at least two replicas that stayed finite"

    def caption(self, run: Stored) -> str:
        """What is divided by what, and the error of it."""
        shown, cells = len(_chosen(run)), len(_alive(run))
        some = f" {shown} of the {cells} cells are drawn against time." if shown < cells else ""
        final = " Last panel: at the final time, against d." if _has_d(run) else ""
        matrices = any(run.results[name].ndim > 2 for name in run.predicted)
        parts = " Of a matrix, the root mean square over its elements; thin lines: largest and smallest ratio of one."
        return (
            "Standard deviation of one replica, measured over predicted by the linear theory of fluctuations."
            f"{parts if matrices else ''} Bands and bars: two standard errors of the ratio of one element.{final}{some}"
        )

    def draw(self, run: Stored) -> Figure:
        """A grid of panels with one legend above them."""
        names, cells = run.predicted, _chosen(run)
        colours = cell_colours(cells)
        panels = len(names) + _has_d(run)
        columns = min(COLUMNS, panels)
        rows = -(-panels // columns)
        figure = Figure(figsize=(max(3.8, WIDTH * columns / COLUMNS), 2.3 * rows + 0.4), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axis, name in zip(axes, names, strict=False):
            _draw_against_time(axis, run, name, colours)
        if _has_d(run):
            _draw_against_d(axes[len(names)], run)
        for axis in axes[panels:]:
            axis.remove()
        _draw_legend(figure, run, colours)
        return figure


def _alive(run: Stored) -> list[int]:
    """Cells with two finite replicas and a prediction."""
    known = finite_somewhere(run.results[f"{run.predicted[0]}_predicted_std"].to_numpy())
    return [cell for cell in alive(run, least=2) if known[cell]]


def _chosen(run: Stored) -> list[int]:
    return evenly(_alive(run), CELLS)


def _has_d(run: Stored) -> bool:
    return "d" in run.varying


def _ratios(run: Stored, name: str, cell: int) -> tuple[Float[np.ndarray, " times"], Float[np.ndarray, "times all"]]:
    """Measured over predicted spread of a cell: root mean square over the elements, and of every element."""
    measured, predicted = (
        run.results[f"{name}_{kind}"].isel(cell=cell).to_numpy().reshape(run.results.sizes["time"], -1)
        for kind in ("std", "predicted_std")
    )
    known = np.isfinite(predicted).all(axis=0)  # padding of a narrower student is not
    measured, predicted = measured[:, known], np.where(predicted > 0, predicted, np.nan)[:, known]
    whole = np.sqrt((measured**2).mean(axis=1) / (predicted**2).mean(axis=1))
    return whole, measured / predicted


def _error(run: Stored, cell: int) -> float:
    """Relative standard error of the standard deviation of a Gaussian quantity."""
    cells = run.results.isel(cell=cell)
    return float(1 / np.sqrt(2 * (cells["n_replicas"] - cells["n_diverged"] - 1)))


def _draw_against_time(axes: Axes, run: Stored, name: str, colours: dict[int, str]) -> None:
    for cell, colour in colours.items():
        times = run.times(cell)
        whole, each = _ratios(run, name, cell)
        error = 2 * _error(run, cell)
        draw_band(axes, times, whole - error, whole + error, colour, ERROR)
        axes.plot(times, whole, color=colour, linewidth=1.5)
        if each.shape[1] > 1:
            for edge in (each.min(axis=1), each.max(axis=1)):
                axes.plot(times, edge, color=colour, linewidth=0.6)
    axes.set_title(textwrap.fill(f"{run.words(name)}, ${run.symbol(name)}$", TITLE))
    if is_logarithmic(run.times(next(iter(colours)))):
        logarithmic_times(axes)
    _finish(axes, "$t$")


def _draw_against_d(axes: Axes, run: Stored) -> None:
    cells = _alive(run)
    d = np.array([run.summary.cells[cell].axes["d"] for cell in cells], np.float64)
    error = [2 * _error(run, cell) for cell in cells]
    for index, name in enumerate(run.predicted):
        final = np.array([_ratios(run, name, cell)[0][-1] for cell in cells])
        aside = d * 1.06 ** (index - (len(run.predicted) - 1) / 2)  # bars side by side
        style: dict[str, Any] = {"color": CATEGORIES[index], "markersize": 4.5, "capsize": 2.5, "elinewidth": 1.2}
        axes.errorbar(aside, final, error, fmt=MARKERS[index], label=f"${run.symbol(name)}$", **style)
    axes.set_title("at the final time")
    axes.set_xscale("log")
    axes.legend(ncols=len(run.predicted), loc="best")
    _finish(axes, "$d$")


def _finish(axes: Axes, label: str) -> None:
    """A line at 1, in the middle of the panel."""
    axes.axhline(1.0, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=3)
    reach = max(abs(edge - 1) for edge in axes.get_ylim())
    axes.set_ylim(1 - max(reach, 0.02), 1 + max(reach, 0.02))
    axes.set_xlabel(label)
    axes.set_ylabel("measured / predicted")


def _draw_legend(figure: Figure, run: Stored, colours: dict[int, str]) -> None:
    handles: list[Any] = [
        Line2D([], [], color=colour, label=cell_label(run, cell) or "simulation") for cell, colour in colours.items()
    ]
    handles.append(band_mark("2 s.e.", ERROR))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
