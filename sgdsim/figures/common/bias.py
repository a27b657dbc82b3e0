"""The bias of a finite system: simulation minus theory against 1/x, with the line c0 + c1/x fitted to it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.curves import THEORY
from sgdsim.figures.common.fits import colours, coordinates, group_label, numbers, panels
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import MARKERS, WIDTH, math_name
from sgdsim.laws.bias import FittedBias
from sgdsim.store.stored import Stored

COLUMNS = 2
LACKS = 'a fit with law = "bias": add a table [fits.NAME] to the experiment'


@dataclass(frozen=True)
class BiasFigure(FigureKind):
    """A panel for each fitted quantity: points with their errors, the lines, and their intercepts in the legend."""

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
            "vanishes with the size of the system. Points of several groups are drawn side by side."
            f"{quality.caution(run.laws(FittedBias).values())}"
        )

    def draw(self, run: Stored) -> Figure:
        """A grid of panels, each with a legend above it."""
        found = panels(run.laws(FittedBias))
        columns = min(COLUMNS, len(found))
        rows = -(-len(found) // columns)
        height = 2.3 + 0.17 * max(map(len, found.values()))
        figure = Figure(figsize=(4.2 if columns == 1 else WIDTH, height * rows), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axis, name in zip(axes, found, strict=False):
            draw_bias(run, name, axis)
            title = axis.get_title()
            axis.set_title("")
            axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), borderpad=0.6, title=title)
        for axis in axes[len(found) :]:
            axis.remove()
        return figure


def draw_bias(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """Simulation minus theory against 1/x with its errors, and the lines c0 + c1/x, labelled by their intercepts.

    - `name`: of the fit in the experiment, without a group; by default the first. Its groups are drawn in one panel.

    **Raises:** ArgumentError where the run has no such bias.
    """
    groups = pick(panels(run.laws(FittedBias)), name, LACKS)
    axes = panel(ax)
    right = max((1 / numbers(law.points)[:, 0]).max() for law in groups.values())
    # From 0 on: what the figure is about is where the line meets 1/x = 0.
    span = np.array([0.0, 1.08 * right])
    for index, (group, law, colour) in enumerate(zip(groups, groups.values(), colours(len(groups)), strict=True)):
        x, difference, sem = numbers(law.points).T
        aside = 0.008 * right * (index - (len(groups) - 1) / 2)  # error bars side by side
        style: dict[str, Any] = {"color": colour, "markersize": 4.5, "capsize": 2.5, "elinewidth": 1.2}
        intercept = rf"$c_0$ = {rounded(law.intercept, law.intercept_error)}".replace("= -", "= \N{MINUS SIGN}")
        label = ": ".join(filter(None, (group_label(coordinates(group)), intercept + quality.label(law, ", "))))
        axes.errorbar(1 / x + aside, difference, sem, fmt=MARKERS[index % len(MARKERS)], label=label, **style)
        axes.plot(span, law.at(span), color=colour, linewidth=1.2)
    first = next(iter(groups.values()))
    axes.axhline(0.0, **THEORY, zorder=1)
    axes.set_xlim(-0.03 * right, 1.1 * right)
    axes.set_xlabel(f"1 / {math_name(first.against)}")
    symbol = f", ${run.symbol(first.quantity)}$" if first.quantity in run.observables else ""
    axes.set_ylabel("simulation \N{MINUS SIGN} theory")
    axes.ticklabel_format(axis="y", scilimits=(-2, 2), useMathText=True)
    axes.yaxis.get_offset_text().set_fontsize(7)
    axes.set_title(f"{run.words(first.quantity)}{symbol}")
    return axes
