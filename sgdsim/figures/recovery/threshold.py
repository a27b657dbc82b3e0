"""A threshold: relaxation times that grow as a power of the distance from it, with the fitted law."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import plain
from sgdsim.figures.common.fits import Law, colours, coordinates, group_label, numbers, panels
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.style import MARKERS, WIDTH, math_name
from sgdsim.store.stored import Stored

NARROW = 0.01
"""Ranges narrower than this part of the axis are shaded as wide as it, to be seen at all."""


@dataclass(frozen=True)
class ThresholdFigure(FigureKind):
    """For each fit a panel of times against the parameter, and one against the distance from the threshold."""

    name: ClassVar[str] = "threshold"

    def lacks(self, run: Stored) -> str:
        """At least one fitted threshold."""
        return "" if run.laws("threshold") else 'a fitted threshold: add a fit with law = "threshold"'

    def caption(self, run: Stored) -> str:
        """Points, laws, ranges, and what did not relax."""
        laws = run.laws("threshold").values()
        against = " and ".join(dict.fromkeys(law.against for law in laws))
        arrows = " Arrows: not down to the level by the final time." if any(law.missed for law in laws) else ""
        return (
            f"Time to fall to the level against {against}, and against the distance from the fitted threshold. Lines: "
            "power laws, of the medians over fit windows; vertical lines and shades: the threshold and its range over "
            f"the windows, a systematic error.{arrows}"
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels for each named fit, with the legend of its groups above them."""
        found = panels(run.laws("threshold"))
        heights = [2.9 + 0.19 * len(groups) for groups in found.values()]
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
        rows = figure.subfigures(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, groups in zip(rows, found.values(), strict=True):
            left, right = part.subplots(1, 2)
            for index, (law, colour) in enumerate(zip(groups.values(), colours(len(groups)), strict=True)):
                _draw_law(left, right, law, index, colour)
            _finish(left, right, run, groups)
            handles = left.get_legend_handles_labels()[0]
            labels = [_label(group, law) for group, law in groups.items()]
            part.legend(handles, labels, loc="outside upper center")
        return figure


def _draw_law(left: Axes, right: Axes, law: Law, index: int, colour: str) -> None:
    style: dict[str, Any] = {"color": colour, "marker": MARKERS[index % len(MARKERS)], "markersize": 4, "linewidth": 0}
    x, tau = numbers(law.points).T
    threshold, exponent = law.threshold, law.exponent
    line = left.plot(x, tau, **style)[0]
    line.set_label(f"{index}")
    beyond = x > threshold
    right.plot(x[beyond] - threshold, tau[beyond], **style)
    near = min((x[beyond] - threshold).min() / 1.5, (law.longest / law.prefactor) ** (-1 / exponent) / 1.5)
    span = np.geomspace(near, 1.1 * (x[beyond] - threshold).max(), 128)
    for axes, origin in ((left, threshold), (right, 0.0)):
        axes.plot(origin + span, law.prefactor * span**-exponent, color=colour, linewidth=1.1)
    width = NARROW / 4 * (x.max() - threshold)
    left.axvspan(law.threshold_low - width, law.threshold_high + width, color=colour, alpha=0.18, linewidth=0)
    left.axvline(threshold, color=colour, linewidth=1.0, linestyle=(0, (4, 3)))
    missed = numbers(law.missed)
    height = np.full(len(missed), 0.97 - 0.035 * index)
    left.plot(missed, height, "^", color=colour, markersize=3.5, fillstyle="none", transform=left.get_xaxis_transform())


def _finish(left: Axes, right: Axes, run: Stored, groups: dict[str, Law]) -> None:
    """Scales, limits with room for the arrows of every group, and labels."""
    times = np.concatenate([numbers(law.points)[:, 1] for law in groups.values()])
    low, high = times.min() / 1.5, times.max() * 1.5
    arrows = any(law.missed for law in groups.values())
    room = min(0.5, 0.04 + 0.035 * len(groups)) if arrows else 0.0
    left.set(yscale="log", ylim=(low, low * (high / low) ** (1 / (1 - room))))
    right.set(xscale="log", yscale="log", ylim=(low, high))
    first = next(iter(groups.values()))
    symbol = math_name(first.against).strip("$")
    level = rf" to ${run.symbol(run.scalars[0])} = {plain(first.level)}$" if run.scalars else ""
    left.set(xlabel=f"${symbol}$", ylabel=rf"relaxation time $\tau${level}")
    right.set(xlabel=rf"${symbol} - {symbol}^*$")


def _label(group: str, law: Law) -> str:
    """The threshold and the exponent of a group, with their ranges over the windows."""
    symbol = math_name(law.against).strip("$")
    ranges = (
        rf"{symbol}^*$ = {plain(law.threshold, 3)} ({plain(law.threshold_low, 3)} to {plain(law.threshold_high, 3)})",
        rf"\nu$ = {plain(law.exponent, 3)} ({plain(law.exponent_low, 3)} to {plain(law.exponent_high, 3)})",
    )
    return ": ".join(filter(None, (group_label(coordinates(group)), ",  ".join(f"${one}" for one in ranges))))
