"""Training on random labels first, then on the right ones: what a bad minimum does to the test accuracy."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from sgdsim.analysis.names import KEPT
from sgdsim.analysis.numbers import plain
from sgdsim.figures.classification.epochs import epochs
from sgdsim.figures.common.curves import alive
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import CATEGORIES, INK, WIDTH
from sgdsim.laws.law import number
from sgdsim.store.stored import Stored

CURVES = {"test_accuracy": "logit", "fit_accuracy": "linear", "weight_norm": "log"}
"""What is drawn against epochs, and the scale of its axis."""
SPREAD = 0.24
"""Half the width of the row of points of a case, where cases are one apart."""
BEGUN = {False: ("right labels only", CATEGORIES[0], "o"), True: ("random labels first", CATEGORIES[1], "s")}
"""Of cells whose first labels are random or not: words, colour, mark."""


@dataclass(frozen=True)
class BadMinimaFigure(FigureKind):
    """Test accuracy against epochs, the final one seed by seed, and below what was fitted and how large weights are."""

    name: ClassVar[str] = "bad_minima"

    def lacks(self, run: Stored) -> str:
        """Cells with and without random labels, and the accuracies of both."""
        return _lacking(run)

    def caption(self, run: Stored) -> str:
        """What is drawn, and what to compare."""
        return (
            "Networks that learn random labels first (left of the vertical line) and the right ones then, against "
            "networks that have the right ones from the start, without weight decay (filled, solid) and with it (open, "
            "dashed; it acts on the right labels only). (a) Test accuracy against epochs, on a logit axis: means over "
            "seeds with their standard errors. (b) Test accuracy at the end: a small point for each seed, and their "
            "mean with its standard error. (c) Accuracy on the labels that are trained on at that time, the random "
            "ones first. (d) Root of the mean over units of the squares of their weights."
        )

    def draw(self, run: Stored) -> Figure:
        """Four panels: accuracy and loss, of training and of test images."""
        figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
        (above, seeds), below = figure.subplots(2, 2)
        for name, axes in zip(CURVES, (above, *below), strict=True):
            draw_bad_minima(run, name, axes)
        draw_final_accuracies(run, seeds)
        handles, labels = above.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
        return figure


def draw_bad_minima(run: Stored, name: str = "test_accuracy", ax: Axes | None = None) -> Axes:
    """One observable against epochs in every cell, means over seeds with their errors, labelled.

    - `name`: "test_accuracy", "fit_accuracy" or "weight_norm".

    **Raises:** ArgumentError for another, and where the run has no cells with and without random labels.
    """
    name = pick({} if _lacking(run) else {one: one for one in CURVES}, name, _lacking(run))
    axes = panel(ax)
    for cell in alive(run):
        mean, error = (run.results[f"{name}{part}"].isel(cell=cell).to_numpy() for part in ("", "_sem"))
        style = {"markersize": 3.0, "linewidth": 1.1, "capsize": 1.5, "elinewidth": 0.8}
        axes.errorbar(
            epochs(run, cell), mean, np.nan_to_num(error), label=_label(run, cell), **style, **_look(run, cell)
        )
    for last in sorted({row["random_labels"] for row in run.parameters} - {0}):
        axes.axvline(last, color=INK, linewidth=0.7, linestyle=(0, (1, 2)))
    axes.set(xlabel="epochs", ylabel=run.words(name).replace(" on the ", " on the\n"))
    if CURVES[name] == "logit":
        axes.set_yscale("logit", one_half="0.5")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_yscale(CURVES[name])
    return axes


def draw_final_accuracies(run: Stored, ax: Axes | None = None) -> Axes:
    """The test accuracy at the last time of every seed, and mean and standard error, a column for each cell.

    **Raises:** ArgumentError where the run has no cells with and without random labels.
    """
    cells = pick({} if _lacking(run) else {"": alive(run)}, None, _lacking(run))
    axes = panel(ax)
    for place, cell in enumerate(cells):
        values = _finals(run, cell)
        look: dict[str, Any] = _look(run, cell) | {"linestyle": "none"}
        across = place + SPREAD * np.linspace(-1, 1, len(values))
        axes.plot(across, values, alpha=0.45, markersize=3.0, **look)
        end = run.summary.cells[cell].final["test_accuracy"]
        axes.errorbar([place], [number(end.mean)], [end.sem or 0.0], capsize=4, markersize=7, **look)
    axes.set(ylabel=f"final {run.words('test_accuracy')}", xlim=(-0.6, len(cells) - 0.4))
    axes.set_xticks(range(len(cells)), [_column(run, cell) for cell in cells], fontsize=7)
    axes.grid(visible=False, axis="x")
    return axes


def _lacking(run: Stored) -> str:
    """What is missing; empty where nothing is."""
    missing = [name for name in CURVES if name not in run.scalars]
    if missing:
        return f"the observables {', '.join(missing)}, as the system classification has them"
    if f"test_accuracy{KEPT}" not in run.results:
        return "the final test accuracy of every replica"
    if not set(run.varying) <= {"random_labels", "weight_decay"}:
        return "a grid over random_labels and weight_decay, and over nothing else"
    if {bool(run.parameters[cell]["random_labels"]) for cell in alive(run)} != {False, True}:
        return "a replica that stayed finite in cells with and without random labels"
    return ""


def _finals(run: Stored, cell: int) -> Float[np.ndarray, " seeds"]:
    """The final test accuracies of the seeds of a cell that stayed finite."""
    values = run.results[f"test_accuracy{KEPT}"].isel(cell=cell).to_numpy()
    return values[np.isfinite(values)]


def _look(run: Stored, cell: int) -> dict[str, Any]:
    """Colour by the first labels; open and dashed with weight decay."""
    row = run.parameters[cell]
    _, colour, marker = BEGUN[row["random_labels"] > 0]
    face, line = ("white", (0, (4, 2))) if row["weight_decay"] else (colour, "-")
    return {"color": colour, "marker": marker, "markerfacecolor": face, "linestyle": line}


def _label(run: Stored, cell: int) -> str:
    """E.g. random labels first, weight decay 0.001."""
    row = run.parameters[cell]
    decay = f"weight decay {plain(row['weight_decay'])}" if row["weight_decay"] else "no weight decay"
    return f"{BEGUN[row['random_labels'] > 0][0]}, {decay}"


def _column(run: Stored, cell: int) -> str:
    """The same in three short lines."""
    return _label(run, cell).replace(" labels", "\nlabels").replace(", ", "\n").replace("weight ", "")
