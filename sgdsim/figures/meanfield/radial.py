"""Two Gaussians told apart by a wide network: risk, mean outputs in the two classes, and the law of |w|."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import (
    BANDS,
    THEORY,
    alive,
    by_columns,
    cell_colours,
    cell_label,
    draw_band,
    evenly,
    is_logarithmic,
    logarithmic_times,
    lone_label,
    marks,
)
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import HISTOGRAM, bin_edges, density
from sgdsim.figures.style import WIDTH
from sgdsim.figures.typeset import MINUS
from sgdsim.store.stored import Stored

MODEL = "radial"
CELLS = 4
OPACITIES = {"std": 0.14, "sem": 0.4}


@dataclass(frozen=True)
class RadialFigure(FigureKind):
    """Three panels, a colour for each cell, theory dashed."""

    name: ClassVar[str] = "radial"

    def lacks(self, run: Stored) -> str:
        """The model of two Gaussians, with histograms."""
        if any(cell.parameters.get("model") != MODEL for cell in run.summary.cells):
            return f'a run with problem.model = "{MODEL}"'
        if HISTOGRAM not in map(run.column, run.observables) or bin_edges(run) is None:
            return "histograms: set problem.bins and problem.window"
        return "" if alive(run) else "a cell with finite values"

    def caption(self, run: Stored) -> str:
        """What the three panels show, and what bands and dashes are."""
        theory = " Dashed: the radial law of infinite dimension and width." if run.has_theory else ""
        return (
            "a: risk. b: mean output of the network in the two classes, for y = 1 (upper curves) and y = -1. "
            "c: law of |w| over the particles at the final time. Mean over runs with its standard error (dark "
            f"band) and the standard deviation of one run (light band).{theory}"
        )

    def draw(self, run: Stored) -> Figure:
        """Side by side, with one legend above."""
        cells = evenly(alive(run), CELLS)
        colours = cell_colours(cells)
        figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        risk, classes, law = figure.subplots(1, 3)
        for cell in cells:
            _draw_curve(risk, run, run.risk, cell, (), colours[cell])
            for index in range(2):
                _draw_curve(classes, run, "m", cell, (index,), colours[cell])
            _draw_law(law, run, cell, colours[cell])
        for axes in (risk, classes):
            axes.set(xlabel="$t$")
            if is_logarithmic(run.times(cells[0])):
                logarithmic_times(axes)
        risk.set(ylabel="risk", ylim=(0, None))
        classes.set(ylabel="mean output")
        for index, words in enumerate(("$y$ = 1", f"$y$ = {MINUS}1")):
            _name_class(classes, run, cells[0], index, words)
        law.set(xlabel="$|w|$", ylabel="density", ylim=(0, None))
        keys = [
            Line2D([], [], color=colours[cell], linewidth=1.6, label=cell_label(run, cell) or lone_label(run))
            for cell in cells
        ]
        handles, columns = by_columns([keys, marks(run, OPACITIES)])
        figure.legend(handles=handles, loc="outside upper center", ncols=columns, columnspacing=1.4)
        return figure


def _draw_curve(axes: Axes, run: Stored, name: str, cell: int, index: tuple[int, ...], colour: str) -> None:
    def values(part: str) -> np.ndarray:
        return run.results[f"{name}{part}"].isel(cell=cell).to_numpy()[(slice(None), *index)]

    times = run.times(cell)
    centre = values("" if run.simulated else "_theory")
    for part in BANDS if run.simulated else ():
        draw_band(axes, times, centre - values(f"_{part}"), centre + values(f"_{part}"), colour, OPACITIES[part])
    axes.plot(times, centre, color=colour, linewidth=1.6)
    if run.knows(name):
        axes.plot(times, values("_theory"), **THEORY, zorder=3)


def _name_class(axes: Axes, run: Stored, cell: int, index: int, words: str) -> None:
    """The name of a class above the beginning of its curves."""
    times, values = run.times(cell), run.results[run.column("m")].isel(cell=cell).to_numpy()[:, index]
    first = int(np.argmax(times > 0))  # a logarithmic axis has no place for 0
    axes.annotate(words, (times[first], values[first]), (0, 12), textcoords="offset points", fontsize=8)


def _draw_law(axes: Axes, run: Stored, cell: int, colour: str) -> None:
    edges = bin_edges(run)
    assert edges is not None
    last = run.results.isel(cell=cell, time=-1)
    axes.stairs(density(last[run.column(HISTOGRAM)].to_numpy(), edges), edges, color=colour, linewidth=1.3)
    if run.knows(HISTOGRAM):
        theory = density(last[f"{HISTOGRAM}_theory"].to_numpy(), edges)
        axes.plot((edges[1:] + edges[:-1]) / 2, theory, **THEORY, zorder=3)
