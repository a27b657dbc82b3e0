"""Histograms of weights, a line for every seed: below beta = 1 the lines fall together as N grows, at beta = 1 not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sgdsim.analysis.numbers import plain, rounded
from sgdsim.figures.classification.weights import ACTIVE, ONE, bins_of, cells, central, lacks_histograms, seeds, whole
from sgdsim.figures.common.curves import place_label
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import CATEGORIES, INK, WIDTH
from sgdsim.store.stored import Stored
from sgdsim.store.summary import End

ACROSS, DOWN = "N", "beta"
"""The axes of the grid: columns and rows of panels."""
TITLES = {
    ONE: "weights from the corner pixel to all hidden units, $w_{\\cdot,0}$",
    ACTIVE: "weights from all pixels that vary to all hidden units",
}
SEED = {"color": CATEGORIES[0], "linewidth": 0.9, "alpha": 0.75}
MEAN = {"color": INK, "linewidth": 1.1, "linestyle": (0, (4, 2))}
LIMIT = {"color": "#9a9aa2", "alpha": 0.35, "linewidth": 0}


@dataclass(frozen=True)
class WeightHistogramsFigure(FigureKind):
    """A column for each N and a row for each beta, for one pixel and for all that vary."""

    name: ClassVar[str] = "weight_histograms"

    def lacks(self, run: Stored) -> str:
        """Histograms of every seed over N and beta."""
        others = set(run.varying) - {ACROSS, DOWN}
        if others:
            return f"a grid over {ACROSS} and {DOWN} only, and not over {', '.join(sorted(others))}"
        return lacks_histograms(run)

    def caption(self, run: Stored) -> str:
        """What each line is, and what the numbers in the panels say."""
        return (
            "Densities of the weights of the first layer at the final time, a line for each seed, and their mean "
            "(dashed). Where the limit N to infinity is deterministic the lines fall together as N grows; where it is "
            "random, at beta = 1, they stay apart, so the mean over seeds is the histogram of no network. W1: "
            "Wasserstein distance between two seeds, for the weights of the corner pixel, whose whole range is shown."
            f"{_limit_words(run)}"
        )

    def draw(self, run: Stored) -> Figure:
        """Two blocks of panels, one above the other."""
        places = {key: sorted({cell.parameters[key] for cell in run.summary.cells}) for key in (ACROSS, DOWN)}
        rows = len(places[DOWN])
        figure = Figure(figsize=(WIDTH, 2 * (1.25 * rows + 0.45) + 0.3), layout="constrained")
        for block, name in zip(figure.subfigures(2, 1, squeeze=False)[:, 0], (ONE, ACTIVE), strict=True):
            block.suptitle(TITLES[name], fontsize=9, x=0.01, ha="left")
            _draw_block(block, run, name, places)
        keys: list[Artist] = [Line2D([], [], **SEED, label="one seed"), Line2D([], [], **MEAN, label="mean over seeds")]
        if limit_cell(run) is not None:
            keys.append(Patch(**LIMIT, label="limit below $\\beta$ = 1"))
        figure.legend(handles=keys, loc="outside upper right", ncols=3)
        return figure


def _draw_block(block: SubFigure, run: Stored, name: str, places: dict[str, list]) -> None:
    """All panels of one histogram, on the same axes in a row."""
    axes = block.subplots(len(places[DOWN]), len(places[ACROSS]), squeeze=False, sharex="row", sharey="row")
    for axis in axes.flat:
        axis.set_visible(False)
    for index, cell in enumerate(run.summary.cells):
        row, column = (places[key].index(cell.parameters[key]) for key in (DOWN, ACROSS))
        axes[row, column].set_visible(True)
        draw_weight_histograms(run, name, index, axes[row, column])
    for beta, row in zip(places[DOWN], axes, strict=True):
        ours = [index for index, cell in enumerate(run.summary.cells) if cell.parameters[DOWN] == beta]
        every, edges = np.concatenate([seeds(run, name, index) for index in ours]), bins_of(run).edges
        if len(every):
            row[0].set_xlim(*(whole if name == ONE else central)(every, edges))
    # Once for a column and once for a row: over every panel it would be read eighteen times.
    for column, value in zip(axes.T, places[ACROSS], strict=True):
        _shown(column).set_title(place_label({ACROSS: value}, (ACROSS,)), pad=4)
    for row, value in zip(axes, places[DOWN], strict=True):
        _shown(row).set_ylabel(f"{place_label({DOWN: value}, (DOWN,))}\ndensity")
        row[0].set_ylim(bottom=0)
    for axis in axes[-1]:
        axis.set_xlabel("$w$")


def _shown(panels: Iterable[Axes]) -> Axes:
    """The first of them that the grid has."""
    return next(axes for axes in panels if axes.get_visible())


def draw_weight_histograms(run: Stored, name: str = ONE, cell: int = 0, ax: Axes | None = None) -> Axes:
    """Densities of the weights of a cell at the final time: a line for each seed, and their mean (dashed).

    Grey behind them is the limit below beta = 1, where `limit_cell` finds one.

    - `name`: "histogram" of the weights from the corner pixel, with the distance W_1 between two seeds where it is
      measured, or "active_histogram" of those from all pixels that vary.
    - `cell`: its number in the grid; "diverged" is written where no seed stayed finite.

    **Raises:** ArgumentError for another name or cell, and where the run has no histograms of every seed.
    """
    lacks = lacks_histograms(run)
    name = pick({} if lacks else {one: one for one in TITLES}, name, lacks)
    cell = pick({str(one): one for one in range(run.results.sizes["cell"])}, str(cell), "cells")
    axes, bins, densities = panel(ax), bins_of(run), seeds(run, name, cell)
    if not len(densities):
        axes.text(0.5, 0.5, "diverged", transform=axes.transAxes, ha="center", fontsize=8)
        return axes
    limit = limit_cell(run)
    if limit is not None:
        axes.stairs(seeds(run, name, limit).mean(axis=0) / bins.width, bins.edges, fill=True, **LIMIT)
    for density in densities:
        axes.stairs(density / bins.width, bins.edges, **SEED)
    axes.stairs(densities.mean(axis=0) / bins.width, bins.edges, **MEAN)
    apart = run.summary.cells[cell].final.get("seed_distance")
    if name == ONE and apart is not None:
        text = f"$W_1$ = {_distance(apart)}"
        axes.text(0.02, 0.94, text, transform=axes.transAxes, ha="left", va="top", fontsize=7)
    return axes


def limit_cell(run: Stored) -> int | None:
    """The cell whose mean over seeds stands for the deterministic limit of beta < 1: the widest of the smallest beta.

    The limit does not depend on beta, and at finite N eps = gamma N^(beta - 1) sets the distance from it. None where no
    seed at beta < 1 stayed finite.
    """
    below = [cell for cell in cells(run) if run.parameters[cell][DOWN] < 1]
    return min(below, key=lambda cell: _eps(run.parameters[cell]), default=None)


def _eps(row: Mapping[str, Any]) -> float:
    """N^(beta - 1): what a step moves a unit by, over gamma."""
    return row[ACROSS] ** (row[DOWN] - 1)


def _limit_words(run: Stored) -> str:
    """What stands for the limit."""
    cell = limit_cell(run)
    if cell is None:
        return ""
    N, beta = (plain(run.parameters[cell][key]) for key in (ACROSS, DOWN))
    return f" Grey: the limit of beta < 1 for N to infinity, as the mean over seeds at N = {N}, beta = {beta}."


def _distance(apart: End) -> str:
    """Mean and error, without an exponent."""
    mean, sem = apart.mean, apart.sem
    text = rounded(mean, sem)
    return plain(mean, digits=2) if "e" in text else text
