"""A threshold: relaxation times that grow as a power of the distance from it, with the fitted law."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sgdsim.figures.common.fits import colours, coordinates, group_label, numbers, panels
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import legend_beside, panel, pick
from sgdsim.figures.style import MARKERS, WIDTH, math_name
from sgdsim.figures.typeset import shown
from sgdsim.laws.law import number
from sgdsim.laws.threshold import FittedThreshold
from sgdsim.store.stored import Stored

HEIGHT, LINE = 2.9, 0.135
"""Least height of the panels of one fit, and that of a line of their legend, inches."""
DASHED: dict[str, Any] = {"linewidth": 1.0, "linestyle": (0, (4, 3))}
SHADE = 0.18
LACKS = 'a fitted threshold: add a fit with law = "threshold"'
NARROW = 0.01
"""Ranges narrower than this part of the axis are shaded as wide as it, to be seen at all."""


@dataclass(frozen=True)
class ThresholdFigure(FigureKind):
    """For each fit a panel of times against the parameter, and one against the distance from the threshold."""

    name: ClassVar[str] = "threshold"

    def lacks(self, run: Stored) -> str:
        """At least one fitted threshold."""
        return "" if run.laws(FittedThreshold) else LACKS

    def caption(self, run: Stored) -> str:
        """Points, laws, ranges, and what did not relax."""
        laws = run.laws(FittedThreshold).values()
        against = " and ".join(dict.fromkeys(law.against for law in laws))
        arrows = " Open triangles: not down to the level by the final time." if any(law.missed for law in laws) else ""
        return (
            f"Time to fall to the level against {against}, and against the distance from the fitted threshold. Lines: "
            "power laws, of the medians over fit windows; vertical dashes and shades: the threshold and its range over "
            f"the windows, a systematic error, which the legend has in parentheses.{arrows}"
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels for each named fit, with the legend of its groups beside them."""
        found = panels(run.laws(FittedThreshold))
        heights = [max(HEIGHT, LINE * (4 * len(groups) + 5)) for groups in found.values()]
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
        rows = figure.subfigures(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, (name, groups) in zip(rows, found.items(), strict=True):
            left, right = part.subplots(1, 2)
            draw_threshold(run, name, left)
            draw_critical_law(run, name, right)
            _draw_legend(part, left, groups)
        return figure


def draw_threshold(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """The time to fall to a level against a parameter, with the power law that diverges at the fitted threshold.

    Dashed and shaded are the threshold and its range over the fit windows; arrows are cells that did not get down.
    Groups are labelled by their number.

    - `name`: of the fit in the experiment, without a group; by default the first.

    **Raises:** ArgumentError where the run has no such threshold.
    """
    groups = pick(panels(run.laws(FittedThreshold)), name, LACKS)
    axes, symbol = panel(ax), _symbol(groups)
    for index, (law, colour) in enumerate(zip(groups.values(), colours(len(groups)), strict=True)):
        x, tau = numbers(law.points).T
        axes.plot(x, tau, **_style(index, colour))[0].set_label(f"{index}")
        span = _span(law)
        axes.plot(number(law.threshold) + span, law.beyond(span), color=colour, linewidth=1.1)
        _draw_range(axes, law, colour)
        # At the upper edge whatever the scale of times is: these cells have none.
        missed = numbers(law.missed)
        height = np.full(len(missed), 0.97 - 0.035 * index)
        place = axes.get_xaxis_transform()
        axes.plot(missed, height, "^", color=colour, markersize=3.5, fillstyle="none", transform=place)
    low, high = _limits(groups)
    arrows = any(law.missed for law in groups.values())
    # Room for the rows of arrows, one for each group, above the longest time.
    room = min(0.5, 0.04 + 0.035 * len(groups)) if arrows else 0.0
    axes.set(yscale="log", ylim=(low, low * (high / low) ** (1 / (1 - room))))
    level = shown(next(iter(groups.values())).level)
    fall = rf" to ${run.symbol(run.risk)} = {level}$" if run.scalars else ""
    axes.set(xlabel=f"${symbol}$", ylabel=rf"relaxation time $\tau${fall}")
    return axes


def draw_critical_law(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """The same times against the distance from the fitted threshold, on logarithmic axes.

    - `name`: as of `draw_threshold`.

    **Raises:** ArgumentError where the run has no such threshold.
    """
    groups = pick(panels(run.laws(FittedThreshold)), name, LACKS)
    axes, symbol = panel(ax), _symbol(groups)
    for index, (law, colour) in enumerate(zip(groups.values(), colours(len(groups)), strict=True)):
        x, tau = numbers(law.points).T
        away, span = x - number(law.threshold), _span(law)
        axes.plot(away[away > 0], tau[away > 0], **_style(index, colour))
        axes.plot(span, law.beyond(span), color=colour, linewidth=1.1)
    axes.set(xscale="log", yscale="log", ylim=_limits(groups), xlabel=rf"${symbol} - {symbol}^*$")
    return axes


def _style(index: int, colour: str) -> dict[str, Any]:
    return {"color": colour, "marker": MARKERS[index % len(MARKERS)], "markersize": 4, "linewidth": 0}


def _span(law: FittedThreshold) -> Float[np.ndarray, " span"]:
    """Distances from the threshold over which a law is drawn: from where it is as long as the longest time."""
    away = numbers(law.points)[:, 0] - number(law.threshold)
    longest, prefactor, exponent = (number(value) for value in (law.longest, law.prefactor, law.exponent))
    # The fitted threshold may lie beyond the nearest point of a wide window: such a point has no place on the law.
    near = min(away[away > 0].min(), (longest / prefactor) ** (-1 / exponent))
    return np.geomspace(near / 1.5, 1.1 * away.max(), 128)


def _draw_range(axes: Axes, law: FittedThreshold, colour: str) -> None:
    """The threshold, and its range over the windows."""
    threshold, low, high = (number(value) for value in (law.threshold, law.threshold_low, law.threshold_high))
    width = NARROW / 4 * (numbers(law.points)[:, 0].max() - threshold)
    axes.axvspan(low - width, high + width, color=colour, alpha=SHADE, linewidth=0)
    axes.axvline(threshold, color=colour, **DASHED)


def _limits(groups: dict[str, FittedThreshold]) -> tuple[float, float]:
    """Room for the times of all groups."""
    times = np.concatenate([numbers(law.points)[:, 1] for law in groups.values()])
    return times.min() / 1.5, times.max() * 1.5


def _symbol(groups: dict[str, FittedThreshold]) -> str:
    """The parameter as mathematics, without the dollars."""
    return math_name(next(iter(groups.values())).against).strip("$")


def _draw_legend(part: SubFigure, left: Axes, groups: dict[str, FittedThreshold]) -> None:
    """The numbers of every group, then what dashes, shades and open symbols are."""
    handles: list[Any] = list(left.get_legend_handles_labels()[0])
    labels = [_label(group, law) for group, law in groups.items()]
    symbol = _symbol(groups)
    grey: dict[str, Any] = {"color": "#888888"}
    handles += [Line2D([], [], **grey, **DASHED), Patch(alpha=2 * SHADE, linewidth=0, **grey)]
    labels += [f"threshold ${symbol}^*$", "its range"]
    if any(law.missed for law in groups.values()):
        handles.append(Line2D([], [], marker="^", markersize=3.5, fillstyle="none", linewidth=0, **grey))
        labels.append("above the level\nat the final time")
    legend_beside(part, handles, labels, fontsize=7)


def _label(group: str, law: FittedThreshold) -> str:
    """The threshold and the exponent of a group, with their ranges over the windows."""
    symbol = math_name(law.against).strip("$")
    names = ((rf"{symbol}^*", "threshold"), (r"\nu", "exponent"))
    told = [_with_range(law, key, sign) for sign, key in names]
    return "\n".join(filter(None, (group_label(coordinates(group)), *told)))


def _with_range(law: FittedThreshold, key: str, sign: str) -> str:
    """A fitted number as mathematics, with its range over the windows."""
    value, low, high = (shown(getattr(law, name), 3) for name in (key, f"{key}_low", f"{key}_high"))
    return rf"${sign}$ = {value} ({low} to {high})"
