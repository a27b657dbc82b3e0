"""Escape from the plateau: the share of replicas that have specialised against time, and its median against d."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.analysis.numbers import rounded
from sgdsim.figures.common.components import series
from sgdsim.figures.common.curves import (
    THEORY,
    alive,
    band_mark,
    bounded,
    by_columns,
    cell_colours,
    curve_label,
    draw_band,
    in_rows,
)
from sgdsim.figures.common.fits import numbers
from sgdsim.figures.common.quality import label
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import INK, WIDTH, math_name
from sgdsim.figures.typeset import shown, typeset
from sgdsim.laws.log_power import FittedLogPower
from sgdsim.laws.quantities import ESCAPE, ESCAPED
from sgdsim.store.curves import Curves
from sgdsim.store.stored import Stored

KIND = "log_power"
LACKS = f'a fit of {ESCAPE} with law = "{KIND}", and an escape_level in [problem]'
OPACITY = 0.3
"""Of the band of a standard error."""
ROOM = 1.4
"""Of the axis beyond the points."""


@dataclass(frozen=True)
class EscapeFigure(FigureKind):
    """The share of replicas that have escaped against time, and the law of its median beside."""

    name: ClassVar[str] = "escape"

    def lacks(self, run: Stored) -> str:
        """A law of the times of escape."""
        return "" if _laws(run) and ESCAPED in run.observables else LACKS

    def caption(self, run: Stored) -> str:
        """What the two panels show, and theory where it is known."""
        law = next(iter(_laws(run).values()))
        dashed = " Dashed: theory from the same starts." if run.knows(ESCAPED) else ""
        crosses = " Crosses: theory from the same starts." if any(_known(law.theory_points)) else ""
        slope = " Dotted: the slope of the linearised ODE." if law.expected_b is not None else ""
        return (
            "a: share of the replicas whose specialisation is above the level, with its standard error; those that"
            f" have not escaped by the final time count too.{dashed} b: the time at which half of them have,"
            f" against {law.second}, and the law a + b ln({law.second}).{crosses}{slope}"
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels, the cells of the left one in a legend above."""
        figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_escaped(run, ax=left)
        draw_escape_times(run, ax=right)
        handles, _ = left.get_legend_handles_labels()
        means: list[Any] = [Line2D([], [], **THEORY, label="theory")] if run.knows(ESCAPED) else []
        means += [band_mark("standard error", OPACITY)] if run.simulated else []
        means.append(Line2D([], [], color=INK, linewidth=0.6, label="half of them"))
        ordered, ncols = by_columns([*in_rows(handles, figure), means])
        figure.legend(handles=ordered, loc="outside upper center", ncols=ncols)
        return figure


def _laws(run: Stored) -> dict[str, FittedLogPower]:
    """The laws of times of escape that do not depend on another power."""
    return {name: law for name, law in run.laws(FittedLogPower).items() if law.quantity == ESCAPE and law.exponent == 0}


def _known(values: Sequence[float | None]) -> list[bool]:
    return np.isfinite(numbers(values)).tolist()


def draw_escaped(run: Curves, cells: Sequence[int] | None = None, ax: Axes | None = None) -> Axes:
    """The share of replicas that have escaped against time, with its standard error, and dashed that of theory.

    - `cells`: a curve for each, labelled by its place in the grid; by default all with a finite replica.

    **Raises:** ArgumentError where the run does not observe it.
    """
    pick({name: name for name in run.observables if name == ESCAPED}, None, LACKS)
    axes, some = panel(ax), alive(run) if cells is None else cells
    for cell, colour in cell_colours(list(some)).items():
        times, share = run.times(cell), bounded(series(run, run.column(ESCAPED), cell, ()))
        if run.simulated:
            error = series(run, f"{ESCAPED}_sem", cell, ())
            draw_band(axes, times, share - error, share + error, colour, OPACITY)
        axes.plot(times, share, color=colour, linewidth=1.6, label=curve_label(run, cell))
        if run.knows(ESCAPED):
            axes.plot(times, series(run, f"{ESCAPED}_theory", cell, ()), **THEORY, zorder=3)
    axes.axhline(0.5, color=INK, linewidth=0.6)
    axes.set(xlabel="$t$", ylabel="share of replicas that have escaped", ylim=(-0.03, 1.03))
    return axes


def draw_escape_times(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """The median time of escape against d with its error, and the law a + b ln(d), which is straight here.

    Crosses are theory from the same starts; dotted is a line through the middle of the points with the slope that the
    linearised ODE gives.

    - `name`: of the fit, with its group; by default the first.

    **Raises:** ArgumentError where the run has no such law.
    """
    law = pick(_laws(run), name, LACKS)
    axes = panel(ax)
    _, d, median, error = numbers(law.points).T
    axes.errorbar(d, median, np.nan_to_num(error), fmt="o", color=INK, markersize=4.5, capsize=2.5)
    if any(_known(law.theory_points)):
        axes.plot(d, numbers(law.theory_points), "x", color=INK, markersize=6, label="theory")
    span = np.geomspace(d.min() / ROOM, d.max() * ROOM, 64)
    told = f"b = {typeset(rounded(law.b, law.b_error))}{label(law, ', ', ', does not hold')}"
    axes.plot(span, law.a + law.b * np.log(span), color=INK, linewidth=1.0, label=told)
    if law.expected_b is not None:
        offset = np.mean(median) - law.expected_b * np.mean(np.log(d))
        told = rf"$1/(2\lambda)$ = {shown(law.expected_b)}"
        axes.plot(span, offset + law.expected_b * np.log(span), color=INK, linestyle=(0, (1, 1.5)), label=told)
    axes.set(xscale="log", xlabel=math_name(law.second), ylabel="median time of escape")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right")
    return axes
