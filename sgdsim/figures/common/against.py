"""A quantity of the cells against a parameter: measured points beside theory, without a law."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from sgdsim.figures.common.curves import by_columns, in_rows, lone_label
from sgdsim.figures.common.fits import SPREAD, colours, coordinates, group_label, numbers
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import MARKERS, WIDTH, math_name
from sgdsim.figures.typeset import shown
from sgdsim.store.stored import Stored
from sgdsim.store.summary import Points as Entry

Points = Float[np.ndarray, "points 4"]
"""x, mean, standard error and theory; NaN for what is not known."""
PANEL = (4.4, 3.3)
"""Inches of a panel that stands alone."""
DASHED: dict[str, Any] = {"linestyle": (0, (4, 3)), "linewidth": 1.2}
"""The line of theory."""
FEW, APART = 8, 1.25
"""Values of a logarithmic axis that are written at their ticks: at most so many, each so many times the one before."""


@dataclass(frozen=True)
class AgainstFigure(FigureKind):
    """A panel for every table [[report.against]]: one series for each combination of the other axes of the grid."""

    name: ClassVar[str] = "against"

    def lacks(self, run: Stored) -> str:
        """A table with a point."""
        if not run.against:
            return "a table [[report.against]] with a quantity and an axis"
        return "" if _drawn(run) else _absent(run)

    def caption(self, run: Stored) -> str:
        """Points, theory, and what is missing."""
        drawn = _drawn(run)
        what = " and ".join(dict.fromkeys(f"{run.called(entry)} against {entry.axis}" for entry in drawn))
        points = "Means over replicas with their standard errors" if run.simulated else "Values of theory"
        theory = " Dashed: theory." if run.simulated and any(_has_theory(entry) for entry in drawn) else ""
        gone = "".join(f" Not drawn: {why}." for why in _missed(run.against))
        return f"{points}: {what}.{theory}{gone}"

    def draw(self, run: Stored) -> Figure:
        """Two panels to a row, and the series of all of them above."""
        drawn = _drawn(run)
        columns = min(2, len(drawn))
        rows = -(-len(drawn) // columns)
        width, height = PANEL if columns == 1 else (WIDTH, 0.85 * PANEL[1])
        figure = Figure(figsize=(width, height * rows + 0.4), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        # Over all panels, so that a group has the same colour in each and one legend serves them.
        styles = _styles(drawn)
        for axis, entry in zip(axes, drawn, strict=False):
            _draw_panel(axis, run, entry, styles)
        for axis in axes[len(drawn) :]:
            axis.remove()
        _draw_legend(figure, run, styles, any(_has_theory(entry) for entry in drawn))
        return figure


def draw_against(run: Stored, number: int = 0, ax: Axes | None = None) -> Axes:
    """A quantity of the cells against a parameter: means with their errors, labelled by series, and theory dashed.

    - `number`: of the table [[report.against]] in the experiment, counted from 0, of those with a value to draw.

    **Raises:** ArgumentError where the run has no such table.
    """
    found = {str(place): entry for place, entry in enumerate(_drawn(run))}
    entry = pick(found, str(number), _absent(run))
    axes = panel(ax)
    _draw_panel(axes, run, entry, _styles([entry]))
    return axes


def _absent(run: Stored) -> str:
    return f"a value to draw: {'; '.join(_missed(run.against)) or 'there is none'}"


def _series(entry: Entry) -> dict[str, Points]:
    """The series that have a point."""
    every = {label: numbers(points).reshape(-1, 4) for label, points in entry.series.items()}
    return {label: points for label, points in every.items() if np.isfinite(points[:, 1]).any()}


def _drawn(run: Stored) -> list[Entry]:
    return [entry for entry in run.against if _series(entry)]


def _missed(entries: Sequence[Entry]) -> list[str]:
    """Why points are missing, and how many."""
    return [
        f"{entry.quantity} in {count} cell{'s' * (count > 1)}, as {why}"
        for entry in entries
        for why, count in entry.missed.items()
    ]


def _has_theory(entry: Entry) -> bool:
    return any(np.isfinite(points[:, 3]).any() for points in _series(entry).values())


def _styles(drawn: list[Entry]) -> dict[str, dict[str, Any]]:
    """Colour and mark of every series, the same in all panels."""
    labels = list(dict.fromkeys(label for entry in drawn for label in _series(entry)))
    return {
        label: {"color": colour, "marker": MARKERS[index % len(MARKERS)], "markersize": 4.5, "linewidth": 0.8}
        for index, (label, colour) in enumerate(zip(labels, colours(len(labels)), strict=True))
    }


def _draw_legend(figure: Figure, run: Stored, styles: dict[str, dict[str, Any]], theory: bool) -> None:
    """Series, where there are several, and what the dashed line means."""
    names = {label: group_label(coordinates(label), lone_label(run)) for label in styles}
    handles = [Line2D([], [], label=names[label], **style) for label, style in styles.items()]
    if run.simulated and theory:
        # Grey: the legend tells what a dash means, not of which group it is.
        handles.append(Line2D([], [], color="#888888", label="theory", **DASHED))
    if len(handles) > 1:
        ordered, columns = by_columns(in_rows(handles, figure))
        figure.legend(handles=ordered, loc="outside upper center", ncols=columns)


def _draw_panel(axes: Axes, run: Stored, entry: Entry, styles: dict[str, dict[str, Any]]) -> None:
    series = _series(entry)
    for label, points in series.items():
        x, mean, sem, theory = points.T
        name = group_label(coordinates(label), lone_label(run))
        axes.errorbar(x, mean, np.nan_to_num(sem), capsize=2.5, elinewidth=1.2, label=name, **styles[label])
        if run.simulated:
            axes.plot(x, theory, color=styles[label]["color"], zorder=3, **DASHED)
    every = np.concatenate(list(series.values()))
    if _is_logarithmic(every[:, 0]):
        axes.set_xscale("log")
        _write_values(axes.xaxis, every[:, 0])
    elif (every[:, 0] % 1 == 0).all():
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # a width of 2.5 there is not
    if _is_logarithmic(every[:, [1, 3]]):
        axes.set_yscale("log")
    axes.set(xlabel=math_name(entry.axis), ylabel=run.quantity_label(entry.quantity, entry.level))


def _is_logarithmic(values: Float[np.ndarray, "..."]) -> bool:
    """Whether the values are positive and reach over a factor of ten."""
    low, high = np.nanmin(values), np.nanmax(values)
    return bool(low > 0 and high >= SPREAD * low)


def _write_values(axis: Axis, values: Float[np.ndarray, " values"]) -> None:
    """Ticks at the values themselves, where they are few and stand well apart on a logarithmic axis."""
    # Few values that stand apart are written out: 1, 2, 5 says more than one power of ten.
    found = np.unique(values)
    if len(found) <= FEW and (found[1:] >= APART * found[:-1]).all():
        axis.set_ticks(found, [shown(float(value)) for value in found])
        axis.set_minor_locator(NullLocator())
