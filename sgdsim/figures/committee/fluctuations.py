"""Fluctuations: the standard deviation of a replica over the predicted one, against time and against d."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import (
    THEORY,
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
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import CATEGORIES, MARKERS, WIDTH
from sgdsim.store.curves import Curves
from sgdsim.store.stored import Stored

CELLS = 3
"""Cells drawn against time at most; of more, these many are picked evenly. All are drawn against d."""
COLUMNS = 2
TITLE = 40
"""Characters of a title that fit over a panel."""
PREDICTIONS = "predicted fluctuations: set theory.fluctuations = true"
REPLICAS = "a cell with at least two replicas that stayed finite"
ERROR = 0.18
"""Opacity of the band of two standard errors."""


@dataclass(frozen=True)
class FluctuationsFigure(FigureKind):
    """For each observable a panel of measured over predicted spread, and with an axis d the approach to 1."""

    name: ClassVar[str] = "fluctuations"

    def lacks(self, run: Stored) -> str:
        """Predicted standard deviations, and a cell with replicas to hold against them."""
        if not run.has_predictions:
            return PREDICTIONS
        return "" if _alive(run) else REPLICAS

    def caption(self, run: Stored) -> str:
        """What is divided by what, and the error of it."""
        shown, cells = len(_chosen(run)), len(_alive(run))
        some = f" {shown} of the {cells} cells are drawn against time." if shown < cells else ""
        final = " Last panel: at the final time, against d." if _has_d(run) else ""
        matrices = any(run.results[name].ndim > 2 for name in run.predicted)
        parts = f" Of a matrix, the root mean square over its elements{_of_elements(run)}." if matrices else ""
        return (
            "Standard deviation of one replica, measured over predicted by the linear theory of fluctuations."
            f"{parts} Bands and bars: two standard errors of the ratio of one element. Dashed: theory.{final}{some}"
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
            draw_fluctuations(run, name, cells, axis)
        if _has_d(run):
            draw_final_fluctuations(run, axes[len(names)]).legend(ncols=len(names), loc="best")
        for axis in axes[panels:]:
            axis.remove()
        _draw_legend(figure, run, colours)
        return figure


def _alive(run: Curves) -> list[int]:
    """Cells with two finite replicas and a prediction."""
    known = finite_somewhere(run.results[f"{run.predicted[0]}_predicted_std"].to_numpy())
    return [cell for cell in alive(run, least=2) if known[cell]]


def _chosen(run: Curves) -> list[int]:
    return evenly(_alive(run), CELLS)


def _has_d(run: Curves) -> bool:
    return "d" in run.varying


def _ratios(run: Curves, name: str, cell: int) -> tuple[Float[np.ndarray, " times"], Float[np.ndarray, "times all"]]:
    """Measured over predicted spread of a cell: root mean square over the elements, and of every element."""
    measured, predicted = (
        run.results[f"{name}_{kind}"].isel(cell=cell).to_numpy().reshape(run.results.sizes["time"], -1)
        for kind in ("std", "predicted_std")
    )
    known = np.isfinite(predicted).all(axis=0)  # padding of a narrower student is not
    measured, predicted = measured[:, known], np.where(predicted > 0, predicted, np.nan)[:, known]
    # Of squares, not of ratios: an element that hardly fluctuates has a ratio that says nothing.
    whole = np.sqrt((measured**2).mean(axis=1) / (predicted**2).mean(axis=1))
    return whole, measured / predicted


def _of_elements(run: Curves) -> str:
    """Between which ratios the single elements lie at the final time, over all cells."""
    # In words: drawn for every cell they were more lines than could be told apart.
    each = np.concatenate([_ratios(run, name, cell)[1][-1] for name in run.predicted for cell in _alive(run)])
    low, high = np.nanmin(each), np.nanmax(each)
    return f" (of a single one at the final time the ratio is {low:.3f} to {high:.3f})"


def _error(run: Curves, cell: int) -> float:
    """Relative standard error of the standard deviation of a Gaussian quantity."""
    cells = run.results.isel(cell=cell)
    # Of a standard deviation of normal numbers: 1/sqrt(2 (n - 1)) of itself.
    return float(1 / np.sqrt(2 * (cells["n_replicas"] - cells["n_diverged"] - 1)))


def draw_fluctuations(
    run: Curves, name: str | None = None, cells: Sequence[int] | None = None, ax: Axes | None = None
) -> Axes:
    """The standard deviation of one replica, measured over predicted, against time, with a band of two errors.

    Of a matrix the root mean square over its elements.

    - `name`: of the observable V; by default the first that theory predicts.
    - `cells`: a curve for each, labelled by its place in the grid; by default at most three, picked evenly.

    Needs `t`, V_std, V_predicted_std, n_replicas and n_diverged.

    **Raises:** ArgumentError where nothing is predicted, or no cell has two finite replicas.
    """
    name = pick({one: one for one in run.predicted}, name, PREDICTIONS)
    some = _chosen(run) if cells is None else cells
    pick({str(cell): cell for cell in some}, None, REPLICAS)
    axes = panel(ax)
    for cell, colour in cell_colours(some).items():
        _draw_ratio(axes, run, name, cell, colour)
    axes.set_title(textwrap.fill(f"{run.words(name)}, ${run.symbol(name)}$", TITLE))
    if is_logarithmic(run.times(some[0])):
        logarithmic_times(axes)
    _finish(axes, "$t$")
    return axes


def _draw_ratio(axes: Axes, run: Curves, name: str, cell: int, colour: str) -> None:
    """One cell: the ratio with its band."""
    times = run.times(cell)
    whole, _ = _ratios(run, name, cell)
    error = 2 * _error(run, cell)
    draw_band(axes, times, whole - error, whole + error, colour, ERROR)
    axes.plot(times, whole, color=colour, linewidth=1.5, label=cell_label(run, cell) or "simulation")


def draw_final_fluctuations(run: Curves, ax: Axes | None = None) -> Axes:
    """The ratio of `draw_fluctuations` at the final time against the dimension d, a labelled series per observable.

    Bars are two standard errors of the ratio of one element.

    **Raises:** ArgumentError where nothing is predicted, no cell has two finite replicas, or d does not vary.
    """
    pick({one: one for one in run.predicted}, None, PREDICTIONS)
    cells = _alive(run)
    pick({str(cell): cell for cell in cells if _has_d(run)}, None, f"{REPLICAS}, of a grid over d")
    axes = panel(ax)
    d = np.array([run.axes[cell]["d"] for cell in cells], np.float64)
    error = [2 * _error(run, cell) for cell in cells]
    for index, name in enumerate(run.predicted):
        final = np.array([_ratios(run, name, cell)[0][-1] for cell in cells])
        aside = d * 1.06 ** (index - (len(run.predicted) - 1) / 2)  # bars side by side
        style: dict[str, Any] = {"color": CATEGORIES[index], "markersize": 4.5, "capsize": 2.5, "elinewidth": 1.2}
        axes.errorbar(aside, final, error, fmt=MARKERS[index], label=f"${run.symbol(name)}$", **style)
    axes.set_title("at the final time")
    axes.set_xscale("log")
    _finish(axes, "$d$")
    return axes


def _finish(axes: Axes, label: str) -> None:
    """A line at 1, in the middle of the panel."""
    axes.axhline(1.0, **THEORY, zorder=3)
    # The axis is symmetric about 1: too much and too little are seen alike.
    reach = max(abs(edge - 1) for edge in axes.get_ylim())
    axes.set_ylim(1 - max(reach, 0.02), 1 + max(reach, 0.02))
    axes.set_xlabel(label)
    axes.set_ylabel("measured / predicted")


def _draw_legend(figure: Figure, run: Stored, colours: dict[int, str]) -> None:
    handles: list[Any] = [
        Line2D([], [], color=colour, label=cell_label(run, cell) or "simulation") for cell, colour in colours.items()
    ]
    handles += [band_mark("two standard errors", ERROR), Line2D([], [], **THEORY, label="theory")]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
