"""The canyon: flat directions, losses and perfect fits of many descents against the number of data per dimension."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import alive, by_columns, in_rows
from sgdsim.figures.common.fits import colours, group_label
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import INK, MARKERS, WIDTH
from sgdsim.figures.typeset import shown
from sgdsim.store.stored import Stored

AGAINST = "alpha"
LABELS = {
    "zero_modes": "zero modes / $N$",
    "loss": "loss $H/N$",
    "perfect": "share of perfect fits",
    "distance": r"distance $\Delta$",
}
"""What is drawn, panel by panel, and its axis."""
LOWEST = "ground"
FLOOR = 1e-9
"""Losses below are drawn here: those of a perfect fit, which say only for how long was descended."""
LACKS = "zero modes and the lowest loss of restarts: set simulator.restarts"
COUNTING: dict[str, Any] = {"color": INK, "linewidth": 1.0, "linestyle": (0, (4, 3)), "zorder": 1}

Series = dict[str, list[int]]
"""Cells by increasing alpha, for every combination of the other axes."""


@dataclass(frozen=True)
class CanyonFigure(FigureKind):
    """A panel for each of zero modes, losses, perfect fits and distance."""

    name: ClassVar[str] = "canyon"

    def lacks(self, run: Stored) -> str:
        """What restarts observe."""
        return "" if _series(run) else LACKS

    def caption(self, run: Stored) -> str:
        """What is drawn, and what counting of equations says."""
        return (
            "Many descents of the same data and signal, against data per dimension. Zero modes: eigenvalues of the "
            "Hessian in R^N below 1e-4; dashed: 1 - alpha, what as many equations leave free. Loss: mean over descents "
            f"(full) and the lowest of them (open), not below {FLOOR:g}. Perfect fits: descents that end with a "
            "loss below 1e-9 elsewhere than at the signal. Distance: mean over descents. Means over data and signals "
            "with their standard errors."
        )

    def draw(self, run: Stored) -> Figure:
        """Two rows of panels, with one legend above."""
        figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
        for axes, name in zip(figure.subplots(2, 2, sharex=True).flat, LABELS, strict=True):
            draw_canyon(run, name, axes)
        for axes in figure.axes[:2]:
            axes.set_xlabel("")
        groups = _series(run)
        keys = [Line2D([], [], label=label, **style) for label, style in _styles(list(groups)).items() if label]
        keys += [Line2D([], [], marker="o", markerfacecolor="white", color="#888888", linewidth=0, label="lowest loss")]
        keys += [Line2D([], [], label="counting", **COUNTING)]
        ordered, columns = by_columns(in_rows(keys, figure))
        figure.legend(handles=ordered, loc="outside upper center", ncols=columns)
        return figure


def draw_canyon(run: Stored, name: str = "zero_modes", ax: Axes | None = None) -> Axes:
    """One of "zero_modes", "loss" with the lowest one, "perfect" and "distance" at the end, against alpha.

    There is a labelled series for every combination of the other axes of the grid.

    **Raises:** ArgumentError where the run has no restarts.
    """
    groups = pick({one: _series(run) for one in LABELS if _series(run)}, name, LACKS)
    axes = panel(ax)
    for label, style in _styles(list(groups)).items():
        _draw_points(axes, run, name, groups[label], style | {"label": label})
        if name == "loss":
            open_ones = style | {"markerfacecolor": "white", "linestyle": "none"}
            _draw_points(axes, run, LOWEST, groups[label], open_ones)
    alphas = np.array([run.parameters[cell][AGAINST] for cells in groups.values() for cell in cells])
    if name == "zero_modes":
        span = np.linspace(alphas.min(), alphas.max(), 200)
        axes.plot(span, np.maximum(1 - span, 0), **COUNTING)
    if name == "loss":
        axes.set_yscale("log")
    axes.axvline(1.0, color=INK, linewidth=0.6, zorder=0)
    axes.set(xlabel=r"$\alpha$", ylabel=LABELS[name])
    return axes


def _series(run: Stored) -> Series:
    """The cells of every series; none where there are no restarts."""
    if not {*LABELS, LOWEST} <= set(run.results):
        return {}
    found: Series = {}
    for cell in sorted(alive(run, 2), key=lambda one: run.parameters[one][AGAINST]):
        others = {key: shown(value) for key, value in run.axes[cell].items() if key != AGAINST}
        found.setdefault(group_label(others), []).append(cell)
    return found


def _styles(labels: list[str]) -> dict[str, dict[str, Any]]:
    return {
        label: {"color": colour, "marker": MARKERS[index % len(MARKERS)], "markersize": 4.5, "linewidth": 0.8}
        for index, (label, colour) in enumerate(zip(labels, colours(len(labels)), strict=True))
    }


def _draw_points(axes: Axes, run: Stored, name: str, cells: list[int], style: dict[str, Any]) -> None:
    """Means at the end with their standard errors."""
    rows: Float[np.ndarray, "cells 3"] = np.array(
        [
            (run.parameters[cell][AGAINST], *(float(run.results[f"{name}{end}"][cell, -1]) for end in ("", "_sem")))
            for cell in cells
        ]
    )
    alpha, mean, error = rows.T
    if name in ("loss", LOWEST):  # a logarithm, whose bars do not reach 0
        mean = np.maximum(mean, FLOOR)
        error = np.minimum(error, 0.9 * mean)
    axes.errorbar(alpha, mean, error, capsize=2.5, elinewidth=1.2, **style)
