"""Accuracy and loss on training and test images against beta, with error bars, and the numbers in a table."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import plain
from sgdsim.figures.classification.table import ROW, draw_table, number
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import CATEGORIES, WIDTH, math_name
from sgdsim.store.stored import Stored
from sgdsim.store.summary import CellSummary

AXIS = "beta"
PARTS = {"train": ("training", CATEGORIES[1], "s"), "test": ("test", CATEGORIES[0], "o")}
MEASURES = ("accuracy", "loss")
COLUMNS = ("train_accuracy", "test_accuracy", "train_loss", "test_loss", "dead_fraction")


@dataclass(frozen=True)
class RegularisationFigure(FigureKind):
    """A panel for the accuracy and one for the loss, and the table below them."""

    name: ClassVar[str] = "regularisation"

    def lacks(self, run: Stored) -> str:
        """Accuracies and losses at two values of beta."""
        return _lacking(run)

    def caption(self, run: Stored) -> str:
        """Error bars, and what to compare."""
        counts = {cell.n_replicas - cell.n_diverged for cell in _cells(run)}
        many = " to ".join(map(str, sorted({min(counts), max(counts)})))
        return (
            f"Accuracy and cross-entropy on training and test images at the final time: means over {many} seeds with "
            "their standard errors, which do not cover the choice of the test images. Noise regularises where, towards "
            "beta = 1, the network fits the training images less and the test images better."
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels, and a row of the table for each beta."""
        rows = _cells(run)
        table = ROW * (len(rows) + 1)
        figure = Figure(figsize=(WIDTH, 3.2 + table), layout="constrained")
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(3.0, 0.3 + table))[:, 0]
        for axis, measure in zip(above.subplots(1, 2), MEASURES, strict=True):
            draw_regularisation(run, measure, axis).legend(loc="best")
        _draw_table(below.subplots(), run, rows)
        return figure


def _cells(run: Stored) -> list[CellSummary]:
    """Cells with a finite mean, by increasing beta."""
    found = [cell for cell in run.summary.cells if cell.final[COLUMNS[0]].mean is not None]
    return sorted(found, key=lambda cell: cell.parameters[AXIS])


def _lacking(run: Stored) -> str:
    """What is missing; empty where nothing is."""
    missing = [name for name in COLUMNS if name not in run.scalars]
    if missing:
        return f"the observables {', '.join(missing)}, as the system classification has them"
    if run.varying != (AXIS,):
        return "a grid over beta, with at least two values, and over nothing else"
    return "" if len(_cells(run)) > 1 else "a replica that stayed finite at two values of beta"


def draw_regularisation(run: Stored, measure: str = "accuracy", ax: Axes | None = None) -> Axes:
    """The accuracy or the loss on training and test images against beta, means over seeds with errors, labelled.

    - `measure`: "accuracy" or "loss".

    **Raises:** ArgumentError for another measure, and where the run has not both at two values of beta alone.
    """
    measure = pick({} if _lacking(run) else {one: one for one in MEASURES}, measure, _lacking(run))
    axes, rows = panel(ax), _cells(run)
    places = [cell.parameters[AXIS] for cell in rows]
    for part, (label, colour, marker) in PARTS.items():
        finals = [cell.final[f"{part}_{measure}"] for cell in rows]
        means, errors = (np.array([getattr(final, key) for final in finals], np.float64) for key in ("mean", "sem"))
        style = {"color": colour, "marker": marker, "markersize": 4.5, "capsize": 2.5, "linewidth": 1.3}
        axes.errorbar(places, means, np.nan_to_num(errors), label=label, **style)
    axes.set(xlabel=math_name(AXIS), ylabel=measure)
    return axes


def _draw_table(axes: Axes, run: Stored, rows: list[CellSummary]) -> None:
    """The numbers with their standard errors."""
    head = [math_name(AXIS), *(run.words(name) for name in COLUMNS)]
    finals = [[cell.final[name] for name in COLUMNS] for cell in rows]
    numbers = [[number(final.mean, final.sem) for final in row] for row in finals]
    draw_table(axes, head, [[plain(cell.parameters[AXIS]), *row] for cell, row in zip(rows, numbers, strict=True)])
