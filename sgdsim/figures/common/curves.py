"""What the figures of curves share: the line of theory, bands, the choice of cells, and their legends."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sgdsim.figures.style import CATEGORIES, INK, math_name, series_colours
from sgdsim.figures.typeset import shown
from sgdsim.store.curves import Curves

THEORY: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 3))}
"""Of theory over a simulation; where theory stands alone, it has the solid lines and colours of the cells."""
_CHARACTERS = 15
"""Characters of a legend to an inch."""
_HANDLE = 6
"""Characters that the mark before a label takes."""
BLOW_UP = 1e6
"""Times its first value, or 1 if that is less: the height above which a curve is not drawn."""
BANDS = {"std": "standard deviation", "sem": "standard error"}
"""The bands about a mean, light and dark, by the ending of their variable: of one replica, and of the mean."""


def alive(run: Curves, least: int = 1) -> list[int]:
    """Cells that can be drawn: `least` replicas stayed finite or, of theory alone, its curve is finite somewhere."""
    if run.simulated:
        return np.flatnonzero((run.results["n_replicas"] - run.results["n_diverged"]).to_numpy() >= least).tolist()
    curves = [run.results[run.column(name)] for name in run.observables]
    return np.flatnonzero(np.any([finite_somewhere(curve.to_numpy()) for curve in curves], axis=0)).tolist()


def finite_somewhere(values: Float[np.ndarray, "cells *rest"]) -> Bool[np.ndarray, " cells"]:
    """Of each cell, whether any of its values is finite."""
    return np.asarray(np.isfinite(values.reshape(len(values), -1)).any(axis=1))


def bounded(values: Float[np.ndarray, " times"]) -> Float[np.ndarray, " times"]:
    """A curve as far as it can be drawn: NaN where it has blown up beyond all that is of interest."""
    with np.errstate(invalid="ignore"):
        # A curve that blows up would press all others into one line at the bottom.
        return np.where(np.abs(values) < BLOW_UP * max(1.0, np.nanmax(np.abs(values[:1]), initial=0.0)), values, np.nan)


def evenly(cells: Sequence[int], most: int) -> list[int]:
    """At most so many of the cells, first and last included."""
    picks = np.linspace(0, len(cells) - 1, min(most, len(cells))).round().astype(int)
    return [cells[pick] for pick in picks]


def cell_colours(cells: Sequence[int]) -> dict[int, str]:
    """Colours along the ordered palette, or the first category for a cell alone."""
    return dict(zip(cells, series_colours(len(cells)) if len(cells) > 1 else CATEGORIES, strict=False))


def is_logarithmic(times: Float[np.ndarray, " times"]) -> bool:
    """Whether the save times behind t = 0 grow by factors and not by equal steps."""
    times = times[times > 0]
    steps = np.diff(times)
    # Save times in a geometric row have growing steps; rounding to whole steps of dt makes no factor of 3.
    return bool(len(times) > 2 and steps[-1] > 3 * steps[0])


def logarithmic_times(axes: Axes) -> None:
    """A logarithmic axis of times, which has no place for t = 0: curves begin at the time after it."""
    axes.set_xscale("log", nonpositive="mask")


def draw_band(axes: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, opacity: float) -> None:
    """The surface between two curves."""
    axes.fill_between(x, low, high, color=colour, alpha=opacity, linewidth=0)


def band_mark(label: str, opacity: float) -> Patch:
    """A band in a legend."""
    return Patch(color="#888888", alpha=opacity, linewidth=0, label=label)


def marks(run: Curves, opacities: Mapping[str, float]) -> list[Any]:
    """What the dashed line and the bands mean, for a legend; nothing where theory stands alone."""
    if not run.simulated:
        return []
    theory = [Line2D([], [], **THEORY, label="theory")] if run.has_theory else []
    return theory + [band_mark(words, opacities[part]) for part, words in BANDS.items()]


def place_label(axes: Mapping[str, Any], names: Iterable[str]) -> str:
    """Coordinates in the grid as mathematics, e.g. "b = 0.2, N = 100"."""
    return ", ".join(f"{math_name(name)} = {shown(axes[name])}" for name in names)


def cell_label(run: Curves, cell: int) -> str:
    """What sets a cell apart from the others; empty where there is one only."""
    return place_label(run.axes[cell], run.varying)


def curve_label(run: Curves, cell: int) -> str:
    """What a curve of a cell is in a legend."""
    return cell_label(run, cell) or lone_label(run)


def lone_label(run: Curves) -> str:
    """What a curve is that no axis of the grid sets apart."""
    return "simulation" if run.simulated else "theory"


def by_columns(rows: Sequence[Sequence[Any]]) -> tuple[list[Any], int]:
    """Legend handles that fill these rows, and the number of columns: a legend is filled column by column."""
    columns = max(map(len, rows))
    # matplotlib fills a legend by columns: rows are filled up with what cannot be seen.
    filled = [[*row, *[Patch(alpha=0, label=" ")] * (columns - len(row))] for row in rows if row]
    return [handle for column in zip(*filled, strict=True) for handle in column], columns


def in_rows(handles: Sequence[Any], figure: Figure) -> list[list[Any]]:
    """Legend handles in as few rows as fit over the figure, of about equal length."""
    # Dollars are not drawn; what is between them takes about as much room as it has letters.
    width = max(len(str(handle.get_label()).replace("$", "")) for handle in handles) + _HANDLE
    most = max(1, int(figure.get_figwidth() * _CHARACTERS / width))
    rows = -(-len(handles) // most)
    each = -(-len(handles) // rows)
    return [list(handles[first : first + each]) for first in range(0, len(handles), each)]
