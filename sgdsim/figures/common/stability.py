"""The onset of an instability against another axis of the grid, between its two neighbours on the grid."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.analysis.numbers import plain
from sgdsim.figures.common.fits import all_along, colours, draw_along, numbers
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import MARKERS, math_name
from sgdsim.laws.onset import FittedOnset
from sgdsim.store.stored import Stored

LACKS = "onsets found at two or more values of another axis"
DASHES = (0, (4, 3))


@dataclass(frozen=True)
class StabilityFigure(FigureKind):
    """A panel for each fit; a curve for every combination of the axes that are not drawn along."""

    name: ClassVar[str] = "stability"

    def lacks(self, run: Stored) -> str:
        """Onsets at two values of another axis."""
        return "" if all_along(run, FittedOnset) else LACKS

    def caption(self, run: Stored) -> str:
        """What sets in where, and what was expected."""
        laws = run.laws(FittedOnset).values()
        what = " and ".join(
            dict.fromkeys(f"the final {run.words(law.quantity)} rises through {plain(law.level)}" for law in laws)
        )
        against = " and ".join(dict.fromkeys(law.against for law in laws))
        dashed = " Dashed: what is expected." if any(law.expected is not None for law in laws) else ""
        return (
            f"Where {what} as {against} grows. Bars reach to the neighbouring values of {against} on the grid.{dashed}"
        )

    def draw(self, run: Stored) -> Figure:
        """One panel below another."""
        return draw_along(run, FittedOnset, draw_stability)


def draw_stability(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """The onset of a quantity's rise against another axis of the grid; bars reach to the neighbours on the grid.

    Dashed is what the system expects. There is a curve for every combination of the other axes, in a legend.

    - `name`: of the fit in the experiment, without a group; by default the first.

    **Raises:** ArgumentError where the run has no such onsets at two or more values of an axis.
    """
    one = pick(all_along(run, FittedOnset), name, LACKS)
    axes = panel(ax)
    palette = colours(len(one.curves))
    for index, (label, curve) in enumerate(one.curves.items()):
        x = numbers([value for value, _ in curve])
        onset, low, high, expected = (
            numbers([getattr(law, key) for _, law in curve]) for key in ("onset", "low", "high", "expected")
        )
        error = [abs(onset - low), abs(high - onset)]
        style = {"color": palette[index], "marker": MARKERS[index % len(MARKERS)], "markersize": 4.5, "capsize": 2.5}
        axes.errorbar(x, onset, error, label=label, linewidth=1.2, **style)
        known = np.isfinite(expected)
        # One expected onset is a line: a curve through one point is not seen.
        if known.sum() == 1:
            axes.axhline(expected[known][0], color=palette[index], linewidth=1.0, linestyle=DASHES)
        elif known.any():
            axes.plot(x[known], expected[known], color=palette[index], linewidth=1.0, linestyle=DASHES)
    against = next(iter(one.curves.values()))[0][1].against
    axes.set(xscale="log" if one.logarithmic else "linear", yscale="log", xlabel=math_name(one.axis))
    axes.set_ylabel(f"onset in {math_name(against)}")
    handles, labels = axes.get_legend_handles_labels()
    if any(law.expected is not None for curve in one.curves.values() for _, law in curve):
        handles.append(Line2D([], [], color="#888888", linewidth=1.0, linestyle=DASHES))
        labels.append("expected")
    if any(labels):
        axes.legend(handles, labels, loc="best")
    return axes
