"""Errors against time and against epochs, and the numbers at equal times and at equal epochs: two comparisons."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.analysis.numbers import plain
from sgdsim.figures.classification.epochs import epochs
from sgdsim.figures.classification.table import ROW, draw_table, number
from sgdsim.figures.common.curves import alive, cell_colours, curve_label
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import INK, MARKERS, WIDTH, math_name
from sgdsim.figures.typeset import shown
from sgdsim.store.stored import Stored

COLUMNS = ("train_accuracy", "test_accuracy", "train_loss", "test_loss", "dead_fraction")
ABSCISSAE = {"t": "time $t$", "epochs": "epochs"}
"""What runs are compared at, and the label of its axis."""
PARTS = {"train_accuracy": (0, (4, 2)), "test_accuracy": "-"}
"""The accuracies whose distance from 1 is drawn, with their lines."""


@dataclass(frozen=True)
class AccuracyFigure(FigureKind):
    """A panel against t and one against epochs, and below a table at the last of each that all cells have reached."""

    name: ClassVar[str] = "accuracy"

    def lacks(self, run: Stored) -> str:
        """Accuracies and losses of at least one cell that stayed finite."""
        return _lacking(run)

    def caption(self, run: Stored) -> str:
        """Where the cells are compared."""
        time, last = (plain(common(run, abscissa)) for abscissa in ABSCISSAE)
        return (
            "Part of the training images (dashed) and of the test images (solid) that are told wrongly, one less the "
            "accuracy: means over seeds, with standard errors; where none is wrong there is no place on the axis. "
            "A step takes a time gamma N^(beta - 1), so that runs over equal times have seen the images unequally "
            f"often. (a) Against time; (b) against epochs. The table compares all cells at equal time, t = {time}, and "
            f"at equal epochs, {last}: each at its save time that is nearest, as given. Errors do not cover the choice "
            "of the test images."
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels, their legend, and the table."""
        rows = [row for abscissa in ABSCISSAE for row in table_rows(run, abscissa)]
        table = ROW * (len(rows) + 1)
        figure = Figure(figsize=(WIDTH, 3.3 + table), layout="constrained")
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(3.0, 0.3 + table))[:, 0]
        panels = above.subplots(1, 2, sharey=True)
        for axes, abscissa in zip(panels, ABSCISSAE, strict=True):
            draw_accuracy(run, abscissa, axes)
        panels[1].set_ylabel("")
        handles, _ = panels[0].get_legend_handles_labels()
        lines = [
            Line2D([], [], color=INK, linewidth=1.1, linestyle=style, label=f"1 - {run.words(name)}")
            for name, style in PARTS.items()
        ]
        above.legend(handles=[*handles, *lines], loc="outside upper center", ncols=3)
        head = [
            "at",
            *(math_name(name) for name in run.varying),
            "$t$",
            "epochs",
            *(run.words(name).removeprefix("fraction of ") for name in COLUMNS),
        ]
        draw_table(below.subplots(), head, rows)
        return figure


def draw_accuracy(run: Stored, abscissa: str = "t", ax: Axes | None = None) -> Axes:
    """One less the accuracy on training images (dashed) and test images (solid) of every cell, with errors, labelled.

    - `abscissa`: "t" or "epochs"; what all cells have reached is marked by a vertical line.

    **Raises:** ArgumentError for another, and where the run has no accuracies.
    """
    lacking = _lacking(run)
    abscissa = pick({} if lacking else {one: one for one in ABSCISSAE}, abscissa, lacking)
    axes, cells = panel(ax), alive(run)
    colours = cell_colours(cells)
    for place, cell in enumerate(cells):
        for name, style in PARTS.items():
            mean, error = (run.results[f"{name}{part}"].isel(cell=cell).to_numpy() for part in ("", "_sem"))
            look = {"color": colours[cell], "linestyle": style, "linewidth": 1.1, "elinewidth": 0.8, "capsize": 1.5}
            if name == "test_accuracy":
                look |= {"marker": MARKERS[place % len(MARKERS)], "markersize": 3.0, "label": curve_label(run, cell)}
            axes.errorbar(
                places(run, cell, abscissa), np.where(mean < 1, 1 - mean, np.nan), np.nan_to_num(error), **look
            )
    axes.axvline(common(run, abscissa), color=INK, linewidth=0.7, linestyle=(0, (1, 2)))
    axes.set(xlabel=ABSCISSAE[abscissa], ylabel="error, 1 - accuracy", yscale="log")
    return axes


def places(run: Stored, cell: int, abscissa: str) -> Float[np.ndarray, " times"]:
    """The save times of a cell as times or as epochs."""
    return run.times(cell) if abscissa == "t" else epochs(run, cell)


def common(run: Stored, abscissa: str) -> float:
    """The last time, or number of epochs, that every cell that can be drawn has reached."""
    return float(min(places(run, cell, abscissa)[-1] for cell in alive(run)))


def table_rows(run: Stored, abscissa: str) -> list[list[str]]:
    """A row for each cell: its means with their errors at the save time nearest to what all cells have reached."""
    rows, last = [], common(run, abscissa)
    for cell in alive(run):
        at = int(np.argmin(np.abs(places(run, cell, abscissa) - last)))
        axes = [shown(run.axes[cell][name]) for name in run.varying]
        where = [plain(places(run, cell, one)[at], digits=3) for one in ABSCISSAE]
        rows.append([f"equal {abscissa}", *axes, *where, *(_number(run, name, cell, at) for name in COLUMNS)])
    return rows


def _number(run: Stored, name: str, cell: int, at: int) -> str:
    """A mean at a save time with its error."""
    return number(*(float(run.results[f"{name}{part}"][cell, at]) for part in ("", "_sem")))


def _lacking(run: Stored) -> str:
    """What is missing; empty where nothing is."""
    missing = [name for name in COLUMNS if name not in run.scalars]
    if missing:
        return f"the observables {', '.join(missing)}, as the system classification has them"
    return "" if alive(run) else "a replica that stayed finite"
