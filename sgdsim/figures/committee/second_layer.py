"""What the label noise costs at the end: the final risk over the learning rate, against the rate and the width."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sgdsim.figures.common.curves import by_columns, in_rows
from sgdsim.figures.common.fits import colours, coordinates, group_label, numbers, panels
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import CATEGORIES, MARKERS, WIDTH, math_name
from sgdsim.figures.typeset import shown
from sgdsim.laws.two_term import FittedTwoTerm
from sgdsim.store.stored import Stored

KIND, TERMS = "two_term", ("gamma", "gamma_squared")
WIDTH_AXIS = "p"
LACKS = f'a fit with law = "{KIND}", against = "{TERMS[0]}" and second = "{TERMS[1]}" for several widths {WIDTH_AXIS}'
DASHED, DOTTED = (0, (4, 3)), (0, (1, 1.5))
ROOM = 1.15
"""Of the axis beyond the largest learning rate."""
TICKS = 5
"""Labels of the axis of rates at most: of three decimals, more would touch."""


@dataclass(frozen=True)
class SecondLayerFigure(FigureKind):
    """For the first such fit: the final risk over the rate, against the rate and, at the largest, against the width."""

    name: ClassVar[str] = "second_layer"

    def lacks(self, run: Stored) -> str:
        """Two terms in the learning rate, for several widths."""
        return "" if _named(run) else LACKS

    def caption(self, run: Stored) -> str:
        """What points and lines are, and theory and limits where they are known."""
        laws = [law for groups in _named(run).values() for law in groups.values()]
        known = any(law.first_expected is not None for law in laws)
        theory = " Dashed: theory at the same points." if any(law.theory_points for law in laws) else ""
        limit = " Open symbols and dotted: the limit of small rates by theory." if known else ""
        return (
            f"a: mean over replicas of the final {run.words(laws[0].quantity)} with its standard error, over the"
            " learning rate; lines: the fitted law, a straight one here. b: the same at the largest rate, against"
            f" the width of the student.{theory}{limit}"
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels with one legend."""
        figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_error_over_rate(run, ax=left)
        draw_error_over_width(run, ax=right)
        handles, labels = left.get_legend_handles_labels()
        marks = [Line2D([], [], color=one[0].get_color(), marker=one[0].get_marker(), linewidth=0) for one in handles]
        for mark, label in zip(marks, labels, strict=True):
            mark.set_label(label)
        laws = [law for groups in _named(run).values() for law in groups.values()]
        ordered, ncols = by_columns([*in_rows(marks, figure), _meanings(laws)])
        figure.legend(handles=ordered, loc="outside upper center", ncols=ncols)
        return figure


def _named(run: Stored) -> dict[str, dict[str, FittedTwoTerm]]:
    """The groups of every fit of two terms in the learning rate that are of several widths, by the name of the fit."""
    laws = {name: law for name, law in run.laws(FittedTwoTerm).items() if (law.against, law.second) == TERMS}
    return {name: groups for name, groups in panels(laws).items() if len(_widths(groups)) > 1}


def _meanings(laws: list[FittedTwoTerm]) -> list[Line2D]:
    """What dashes, dots and open symbols are."""
    grey: dict[str, Any] = {"color": "#888888", "linewidth": 1.2}
    known = any(law.theory_points for law in laws)
    theory = [Line2D([], [], linestyle=DASHED, label="theory", **grey)] if known else []
    if all(law.first_expected is None for law in laws):
        return theory
    limit = rf"limit {math_name(TERMS[0])} $\to$ 0"
    return [*theory, Line2D([], [], linestyle=DOTTED, marker="o", fillstyle="none", label=limit, **grey)]


def _widths(groups: dict[str, FittedTwoTerm]) -> list[float]:
    return sorted({float(values[WIDTH_AXIS]) for group in groups if WIDTH_AXIS in (values := coordinates(group))})


def _by_width(groups: dict[str, FittedTwoTerm]) -> dict[str, list[tuple[float, FittedTwoTerm]]]:
    """The laws by increasing width, for every combination of the other axes as a label."""
    found: dict[str, list[tuple[float, FittedTwoTerm]]] = {}
    for group, law in groups.items():
        values = coordinates(group)
        width = float(values.pop(WIDTH_AXIS))
        found.setdefault(group_label(values), []).append((width, law))
    return {label: sorted(curve, key=lambda point: point[0]) for label, curve in found.items()}


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
        axes.plot(span, law.at(np.ones(2), span), color=colour, linewidth=1.0)
        if law.first_expected is not None:
            axes.plot([0.0], [law.first_expected], mark, color=colour, fillstyle="none", markersize=8, clip_on=False)
        most = max(most, gamma.max())
    against = math_name(TERMS[0])
    quantity = run.symbol(next(iter(groups.values())).quantity)
    axes.set(xlim=(0, ROOM * most), xlabel=against, ylabel=f"final ${quantity}$ / {against}")
    axes.xaxis.set_major_locator(MaxNLocator(TICKS))
    axes.set_ylim(bottom=0)
    return axes


def draw_error_over_width(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """The final risk over the learning rate against the width p of the student, at the largest learning rate.

    Dashed is theory at the same points, where there is one; dotted the limit of a rate that goes to 0, where theory
    expects one. There is a labelled curve for every combination of further axes.

    - `name`: as of `draw_error_over_rate`.

    **Raises:** ArgumentError where the run has no such fit.
    """
    groups = pick(_named(run), name, LACKS)
    axes = panel(ax)
    for index, (label, curve) in enumerate(_by_width(groups).items()):
        width = numbers([width for width, _ in curve])
        points = np.stack([_at_largest_rate(law) for _, law in curve])
        colour = CATEGORIES[-1 - index % len(CATEGORIES)]
        style = {"color": colour, "marker": MARKERS[index % len(MARKERS)], "markersize": 5.5, "linewidth": 0.0}
        axes.errorbar(width, points[:, 0], points[:, 1], label=label, capsize=2.5, elinewidth=1.2, **style)
        axes.plot(width, points[:, 2], color=colour, linewidth=1.2, linestyle=DASHED)
        axes.plot(width, points[:, 3], color=colour, linewidth=1.2, linestyle=DOTTED)
    against = math_name(TERMS[0])
    first = next(iter(groups.values()))
    largest = shown(float(numbers(first.points)[:, 0].max()))
    axes.set(xlabel=math_name(WIDTH_AXIS), xticks=_widths(groups))
    axes.set_ylabel(f"final ${run.symbol(first.quantity)}$ / {against} at {against} = {largest}")
    axes.set_ylim(bottom=0)
    axes.legend(loc="best")
    return axes


def _at_largest_rate(law: FittedTwoTerm) -> Float[np.ndarray, " 4"]:
    """Mean, standard error and theory over the rate, and the expected limit; NaN for what is not known."""
    points = numbers(law.points)
    last = int(np.argmax(points[:, 0]))
    gamma, _, mean, sem = points[last]
    theory = law.theory_points[last] if law.theory_points else None
    rows = numbers([mean, sem, theory]) / gamma
    return np.append(rows, numbers(law.first_expected))
