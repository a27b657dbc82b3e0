"""The fitted threshold against another axis of the grid, with its range over the fit windows."""

from dataclasses import dataclass
from typing import ClassVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.figures.common.fits import all_along, colours, draw_along, numbers
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import MARKERS, math_name
from sgdsim.laws.threshold import FittedThreshold
from sgdsim.store.stored import Stored

LACKS = "thresholds fitted at two or more values of another axis"


@dataclass(frozen=True)
class ThresholdStartFigure(FigureKind):
    """A panel for each fit; a curve for every combination of the axes that are not drawn along."""

    name: ClassVar[str] = "threshold_start"

    def lacks(self, run: Stored) -> str:
        """Thresholds at two values of another axis."""
        return "" if all_along(run, FittedThreshold) else LACKS

    def caption(self, run: Stored) -> str:
        """What is drawn along which axis."""
        axes = " and ".join(dict.fromkeys(one.axis for one in all_along(run, FittedThreshold).values()))
        return (
            f"Fitted threshold against {axes}. Points: medians over the fit windows; bars: the range over the windows, "
            "a systematic error."
        )

    def draw(self, run: Stored) -> Figure:
        """One panel below another."""
        return draw_along(run, FittedThreshold, draw_threshold_start)


def draw_threshold_start(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """The fitted threshold against another axis of the grid; bars are its range over the fit windows.

    There is a curve for every combination of the other axes, in a legend.

    - `name`: of the fit in the experiment, without a group; by default the first.

    **Raises:** ArgumentError where the run has no such thresholds at two or more values of an axis.
    """
    one = pick(all_along(run, FittedThreshold), name, LACKS)
    axes = panel(ax)
    palette = colours(len(one.curves))
    for index, (label, curve) in enumerate(one.curves.items()):
        x = [value for value, _ in curve]
        middle, low, high = (
            numbers([getattr(law, key) for _, law in curve]) for key in ("threshold", "threshold_low", "threshold_high")
        )
        error = [abs(middle - low), abs(high - middle)]
        style = {"color": palette[index], "marker": MARKERS[index % len(MARKERS)], "markersize": 4.5, "capsize": 2.5}
        axes.errorbar(x, middle, error, label=label, linewidth=1.2, **style)
    against = next(iter(one.curves.values()))[0][1].against
    symbol = math_name(against).strip("$")
    axes.set(xscale="log" if one.logarithmic else "linear", xlabel=math_name(one.axis), ylabel=f"${symbol}^*$")
    if any(one.curves):
        axes.legend(loc="best")
    return axes
