"""Universality: how far the risk of inputs of any law is from the ODE of Gaussian ones, in time and against d."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import THEORY, by_columns, in_rows
from sgdsim.figures.common.fits import colours
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import around, panel
from sgdsim.figures.style import MARKERS, WIDTH, math_name
from sgdsim.store.stored import Stored

LAW, SIZE = "inputs", "d"
SIGNIFICANT = 3.0
"""Standard errors from which on a gap is one."""
ASIDE = 1.04
"""From one law to the next along the axis of d: error bars side by side."""
LACKS = "cells with several laws of the inputs, and a theory beside the simulation"


@dataclass(frozen=True)
class UniversalityFigure(FigureKind):
    """The relative gap of the risk against the time at the largest d, and at the end against d."""

    name: ClassVar[str] = "universality"

    def lacks(self, run: Stored) -> str:
        """Laws of the inputs, and a theory."""
        several = len({row.get(LAW) for row in run.parameters} - {None}) > 1
        return "" if run.simulated and several and f"{run.summary.risk}_theory" in run.results else LACKS

    def caption(self, run: Stored) -> str:
        """What the gap is, and what open symbols are."""
        return (
            f"Mean over replicas of the {run.words(run.summary.risk)} less that of the ODE of inputs N(0, I), over the "
            "latter, with its standard error. a: against the time, for each law of the inputs at its largest d. b: its "
            f"size at the end, against d, laws side by side; open symbols are within {SIGNIFICANT:g} standard errors "
            "of zero, and dashed is 1/d through the largest gap of those that end there."
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels with one legend."""
        figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_gap_in_time(run, ax=left)
        draw_gap_in_size(run, ax=right)
        marks = [
            Line2D([], [], color=colour, marker=marker, label=_words(law))
            for law, (colour, marker) in _styles(run).items()
        ]
        handles, columns = by_columns(in_rows(marks, figure))
        figure.legend(handles=handles, loc="outside upper center", ncols=columns)
        return figure


def draw_gap_in_time(run: Stored, ax: Axes | None = None) -> Axes:
    """The relative gap against the time with its errors, a labelled curve for each law at its largest d.

    **Raises:** KeyError where the run has no theory.
    """
    axes = panel(ax)
    for number, (law, (colour, marker)) in enumerate(_styles(run).items()):
        size, cell = max(_cells(run, law))
        gap, error = _gaps(run, cell)
        times = run.results["t"].values[cell] if run.results["t"].ndim > 1 else run.results["t"].values
        aside = 0.006 * times[-1] * number  # error bars side by side
        style = {"color": colour, "marker": marker, "markersize": 3.5, "linewidth": 1.0, "elinewidth": 0.8}
        axes.errorbar(times + aside, gap, error, label=f"{_words(law)}, {SIZE} = {size}", **style)
    axes.axhline(0.0, **THEORY, zorder=1)
    axes.set(xlabel="$t$", ylabel="relative gap to the ODE")
    return axes


def draw_gap_in_size(run: Stored, ax: Axes | None = None) -> Axes:
    """The size of the relative gap at the last time against d, a labelled series for each law.

    **Raises:** KeyError where the run has no theory.
    """
    axes, vanishing = panel(ax), 0.0
    for number, (law, (colour, marker)) in enumerate(_styles(run).items()):
        points = sorted((size, *(float(part[-1]) for part in _gaps(run, cell))) for size, cell in _cells(run, law))
        sizes, gap, error = np.array(points, np.float64).T
        clear = np.abs(gap) > SIGNIFICANT * error
        beside = sizes * ASIDE**number
        style = {"color": colour, "marker": marker, "markersize": 5.0, "elinewidth": 0.9, "linewidth": 0.0}
        axes.errorbar(beside, np.abs(gap), error, fillstyle="none", label=_words(law), **style)
        axes.plot(beside[clear], np.abs(gap)[clear], marker=marker, color=colour, markersize=5.0, linewidth=0.8)
        if not clear[-1]:
            vanishing = max(vanishing, abs(gap[0]))
    sizes = np.array(sorted({row[SIZE] for row in run.parameters}), np.float64)
    if vanishing and len(sizes) > 1:
        span = around(sizes)
        axes.plot(span, vanishing * sizes[0] / span, color=THEORY["color"], linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set(xscale="log", yscale="log", xlabel=math_name(SIZE), ylabel="|relative gap| at the end")
    return axes


def _styles(run: Stored) -> dict[str, tuple[str, str]]:
    """Colour and mark of every law, in the order of the cells."""
    laws = list(dict.fromkeys(row[LAW] for row in run.parameters if LAW in row))
    return {
        law: (colour, MARKERS[number % len(MARKERS)])
        for number, (law, colour) in enumerate(zip(laws, colours(len(laws)), strict=True))
    }


def _cells(run: Stored, law: str) -> list[tuple[int, int]]:
    """d and number of the cells of a law."""
    return [(row[SIZE], cell) for cell, row in enumerate(run.parameters) if row.get(LAW) == law]


def _gaps(run: Stored, cell: int) -> tuple[Float[np.ndarray, " times"], Float[np.ndarray, " times"]]:
    """Simulation over theory, less one, and its standard error, of one cell."""
    here, risk = run.results.isel(cell=cell), run.summary.risk
    mean, error, theory = (here[f"{risk}{part}"].values for part in ("", "_sem", "_theory"))
    return mean / theory - 1, error / theory


def _words(law: str) -> str:
    return law.replace("_", " ")
