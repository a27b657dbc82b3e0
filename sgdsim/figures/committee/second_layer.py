"""What the label noise costs at the end: the final risk over the learning rate, and its limit against the width."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import by_columns, in_rows
from sgdsim.figures.common.fits import Law, along, colours, coordinates, group_label, numbers, panels
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import INK, MARKERS, WIDTH, math_name
from sgdsim.store.stored import Stored

KIND, TERMS = "two_term", ("gamma", "gamma_squared")
LACKS = (
    f'a fit with law = "{KIND}", against = "{TERMS[0]}" and second = "{TERMS[1]}" for several values of another axis'
)
DASHES = (0, (4, 3))
ROOM = 1.15
"""Of the axis beyond the largest learning rate."""


@dataclass(frozen=True)
class SecondLayerFigure(FigureKind):
    """For the first such fit: the final risk over the rate against the rate, and its limit against the width."""

    name: ClassVar[str] = "second_layer"

    def lacks(self, run: Stored) -> str:
        """Two terms in the learning rate, of several groups."""
        return "" if _named(run) else LACKS

    def caption(self, run: Stored) -> str:
        """Points, lines, limits."""
        first = next(iter(next(iter(_named(run).values())).values()))
        expected = any(law.expected is not None for law in _limits(run))
        dashed = " Open symbols and dashes: the limit by theory." if expected else ""
        return (
            f"Left: mean over replicas of the final {run.words(first.quantity)} with its standard error, divided by"
            f" {first.against}; lines: the fitted law, a straight one here. Right: its limit as {first.against} -> 0,"
            f" with its error, against the other axis.{dashed}"
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels with one legend."""
        figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_error_over_rate(run, ax=left)
        draw_error_limit(run, ax=right)
        handles, labels = left.get_legend_handles_labels()
        marks = [Line2D([], [], color=one[0].get_color(), marker=one[0].get_marker(), linewidth=0) for one in handles]
        for mark, label in zip(marks, labels, strict=True):
            mark.set_label(label)
        ordered, ncols = by_columns(in_rows(marks, figure))
        figure.legend(handles=ordered, loc="outside upper center", ncols=ncols)
        return figure


@dataclass(frozen=True)
class _Limit:
    """What one law tends to: its group, the measured limit and its error, and the expected one."""

    group: str
    limit: float
    error: float
    expected: float | None


def _named(run: Stored) -> dict[str, dict[str, Law]]:
    """The groups of every fit of two terms in the learning rate which lie along an axis, by the name of the fit."""
    laws = {name: law for name, law in run.laws(KIND).items() if (law.against, law.second) == TERMS}
    return {name: groups for name, groups in panels(laws).items() if along(groups) is not None}


def _limits(run: Stored) -> list[_Limit]:
    return [
        _Limit(group, law.first_coefficient, law.first_error, law.first_expected)
        for groups in _named(run).values()
        for group, law in groups.items()
    ]


def draw_error_over_rate(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """The final risk over the learning rate gamma, against gamma: points, and the law a + b gamma down to gamma = 0.

    Open symbols at 0 are the limits that theory expects. There is a labelled series for every group of cells.

    - `name`: of the fit in the experiment, without a group; by default the first.

    **Raises:** ArgumentError where the run has no such fit.
    """
    groups = pick(_named(run), name, LACKS)
    axes, most = panel(ax), 0.0
    for index, ((group, law), colour) in enumerate(zip(groups.items(), colours(len(groups)), strict=True)):
        gamma, _, value, sem = numbers(law.points).T
        mark = MARKERS[index % len(MARKERS)]
        style = {"color": colour, "marker": mark, "markersize": 4.5, "linewidth": 0, "elinewidth": 1.0}
        axes.errorbar(gamma, value / gamma, np.nan_to_num(sem) / gamma, label=group_label(coordinates(group)), **style)
        span = np.array([0.0, ROOM * gamma.max()])
        axes.plot(span, law.first_coefficient + law.second_coefficient * span, color=colour, linewidth=1.0)
        if law.first_expected is not None:
            axes.plot([0.0], [law.first_expected], mark, color=colour, fillstyle="none", markersize=8, clip_on=False)
        most = max(most, gamma.max())
    against = math_name(TERMS[0])
    quantity = run.symbol(next(iter(groups.values())).quantity)
    axes.set(xlim=(0, ROOM * most), xlabel=against, ylabel=f"final ${quantity}$ / {against}")
    axes.set_ylim(bottom=0)
    return axes


def draw_error_limit(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """What the final risk over the learning rate tends to as that goes to 0, against another axis, e.g. the width.

    Dashed is the limit that theory expects. There is a labelled curve for every combination of further axes.

    - `name`: as of `draw_error_over_rate`.

    **Raises:** ArgumentError where the run has no such fit.
    """
    groups = pick(_named(run), name, LACKS)
    one = along(groups)
    assert one is not None  # as `_named` leaves others out
    axes = panel(ax)
    for index, (label, curve) in enumerate(one.curves.items()):
        x = numbers([value for value, _ in curve])
        limit, error, expected = (
            numbers([getattr(law, f"first_{key}") for _, law in curve]) for key in ("coefficient", "error", "expected")
        )
        style = {"color": INK, "marker": MARKERS[index % len(MARKERS)], "markersize": 5.5, "linewidth": 0.8}
        axes.errorbar(x, limit, np.nan_to_num(error), label=label, capsize=2.5, **style)
        known = np.isfinite(expected)
        axes.plot(x[known], expected[known], color=INK, linewidth=1.0, linestyle=DASHES)
    axes.set(xlabel=math_name(one.axis), ylabel=rf"limit as {math_name(TERMS[0])} $\to 0$")
    axes.set_xticks(sorted({value for curve in one.curves.values() for value, _ in curve}))
    axes.set_ylim(bottom=0)
    if any(one.curves):
        axes.legend(loc="best")
    return axes
