"""The bias of a finite system: simulation minus theory against 1/x, with the line c0 + c1/x fitted to it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.analysis.numbers import rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.curves import THEORY, by_columns, in_rows
from sgdsim.figures.common.fits import colours, coordinates, group_label, numbers, panels
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import MARKERS, WIDTH, math_name
from sgdsim.figures.typeset import typeset
from sgdsim.laws.bias import FittedBias
from sgdsim.store.stored import Stored

COLUMNS = 2
APART = 30
"""Largest over smallest size of the differences in one panel; smaller ones would be a line at 0."""
Groups = dict[str, tuple[FittedBias, dict[str, Any]]]
"""Laws by the name of their group, with colour and mark."""
LACKS = 'a fit with law = "bias": add a table [fits.NAME] to the experiment'


@dataclass(frozen=True)
class BiasFigure(FigureKind):
    """A panel for each fitted quantity, and for groups of another scale one of their own, with the intercepts in it."""

    name: ClassVar[str] = "bias"

    def lacks(self, run: Stored) -> str:
        """At least one fitted bias."""
        return "" if run.laws(FittedBias) else LACKS

    def caption(self, run: Stored) -> str:
        """What points, lines and intercepts are, and which lines do not hold."""
        against = " and ".join(dict.fromkeys(law.against for law in run.laws(FittedBias).values()))
        return (
            f"Mean over replicas minus theory at the final time, with its standard error, against 1/{against}. Lines: "
            f"c0 + c1/{against}, fitted by weighted least squares; an intercept c0 of 0 means that the difference "
            "vanishes with the size of the system. Dashed: no difference. Groups are drawn side by side."
            f"{quality.caution(run.laws(FittedBias).values())}"
        )

    def draw(self, run: Stored) -> Figure:
        """A grid of panels with their intercepts inside, and the groups above all of them."""
        found = panels(run.laws(FittedBias))
        parts = [part for groups in found.values() for part in _by_scale(groups)]
        columns = min(COLUMNS, len(parts))
        rows = -(-len(parts) // columns)
        size = (4.6 if columns == 1 else WIDTH, 2.7 * rows + 0.25)
        figure = Figure(figsize=size, layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axis, part in zip(axes, parts, strict=False):
            _draw_groups(axis, run, part)
            handles = axis.get_legend_handles_labels()[0]
            axis.legend(handles, [_intercept(law) for law, _ in part.values()], loc="best", fontsize=7)
        for axis in axes[len(parts) :]:
            axis.remove()
        _draw_legend(figure, max(found.values(), key=len))
        return figure


def draw_bias(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """Simulation minus theory against 1/x with its errors, and the lines c0 + c1/x, labelled by their intercepts.

    - `name`: of the fit in the experiment, without a group; by default the first. Its groups are drawn in one panel.

    **Raises:** ArgumentError where the run has no such bias.
    """
    groups = pick(panels(run.laws(FittedBias)), name, LACKS)
    return _draw_groups(panel(ax), run, _styled(groups))


def _styled(groups: dict[str, FittedBias]) -> Groups:
    """The groups with the colour and the mark of each."""
    styles = [
        {"color": colour, "fmt": MARKERS[index % len(MARKERS)]} for index, colour in enumerate(colours(len(groups)))
    ]
    return {group: (law, style) for (group, law), style in zip(groups.items(), styles, strict=True)}


def _by_scale(groups: dict[str, FittedBias]) -> list[Groups]:
    """The groups that can share an axis: of those far smaller than others, nothing would be seen beside them."""
    sizes = {group: np.abs(numbers(law.points)[:, 1:]).max() for group, law in groups.items()}
    found: list[Groups] = []
    last = np.inf
    for group, one in sorted(_styled(groups).items(), key=lambda item: -sizes[item[0]]):
        if not found or sizes[group] * APART < last:
            found.append({})
            last = sizes[group]
        found[-1][group] = one
    return [{group: part[group] for group in groups if group in part} for part in found]


def _draw_groups(axes: Axes, run: Stored, groups: Groups) -> Axes:
    """Points and lines of some groups."""
    right = max((1 / numbers(law.points)[:, 0]).max() for law, _ in groups.values())
    # From 0 on: what the figure is about is where the line meets 1/x = 0.
    span = np.array([0.0, 1.08 * right])
    for index, (group, (law, own)) in enumerate(groups.items()):
        x, difference, sem = numbers(law.points).T
        aside = 0.008 * right * (index - (len(groups) - 1) / 2)  # error bars side by side
        style: dict[str, Any] = own | {"markersize": 4.5, "capsize": 2.5, "elinewidth": 1.2}
        label = ": ".join(filter(None, (group_label(coordinates(group)), _intercept(law))))
        axes.errorbar(1 / x + aside, difference, sem, label=label, **style)
        axes.plot(span, law.at(span), color=own["color"], linewidth=1.2)
    first, _ = next(iter(groups.values()))
    axes.axhline(0.0, **THEORY, zorder=1)
    axes.set_xlim(-0.03 * right, 1.1 * right)
    axes.set_xlabel(f"1 / {math_name(first.against)}")
    symbol = f", ${run.symbol(first.quantity)}$" if first.quantity in run.observables else ""
    axes.set_ylabel("simulation \N{MINUS SIGN} theory")
    axes.ticklabel_format(axis="y", scilimits=(-2, 2), useMathText=True)
    axes.yaxis.get_offset_text().set_fontsize(7)
    axes.set_title(f"{run.words(first.quantity)}{symbol}")
    return axes


def _intercept(law: FittedBias) -> str:
    """The intercept with its error, and how well the line holds."""
    return f"$c_0$ = {typeset(rounded(law.intercept, law.intercept_error))}{quality.label(law, ', ')}"


def _draw_legend(figure: Figure, groups: dict[str, FittedBias]) -> None:
    """The groups by name, where there are several."""
    keys = [
        Line2D([], [], color=style["color"], marker=style["fmt"], label=group_label(coordinates(group)))
        for group, (_, style) in _styled(groups).items()
    ]
    if len(keys) > 1:
        handles, columns = by_columns(in_rows(keys, figure))
        figure.legend(handles=handles, loc="outside upper center", ncols=columns, markerscale=0.8)
