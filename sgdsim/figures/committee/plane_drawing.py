"""How a phase diagram is drawn: regions and lines behind, and a square with its number for every measured value."""

from functools import partial
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from sgdsim.analysis.numbers import plain
from sgdsim.figures.committee.plane import Map, Place, fraction
from sgdsim.figures.committee.plane_values import Measured
from sgdsim.figures.style import NAMED_COLOURS

SHADES = LinearSegmentedColormap.from_list("shades", ["#f7f7f7", "#2b2b2e"])
"""Of measured values: greys, which no region has."""
FILL = 0.8
"""Part of a cell's height and width that its measured value covers; the rest shows the region."""
TICKS = 4
"""Of a colour scale."""


def draw_regions(axes: Axes, plane: Map) -> None:
    """The regions as a background and the lines between them; all clipped to the window of the cells."""
    (left, right), (bottom, top) = plane.window
    across = np.array([left, right])
    blue, red = (plane.boundaries[name] - across for name in ("blue", "red"))
    shade = partial(axes.fill_between, across, alpha=0.3, linewidth=0, zorder=0)
    shade(blue, np.maximum(top, blue), color=NAMED_COLOURS["green"])
    shade(red, blue, color=NAMED_COLOURS["orange"])
    shade(np.minimum(bottom, red), red, color=NAMED_COLOURS["red"])
    for name, line in (("blue", blue), ("red", red)):
        style = "-" if name == "blue" else (0, (5, 2))
        axes.plot(across, line, color=NAMED_COLOURS[name], linewidth=2.2, linestyle=style, zorder=3)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.grid(visible=False)
    for values, axis in zip(zip(*plane.cells, strict=True), (axes.xaxis, axes.yaxis), strict=True):
        ticks = np.unique(values)
        axis.set_ticks(ticks[:: -(-len(ticks) // 9)])


def draw_measured(axes: Axes, plane: Map, one: Measured, legible: bool) -> None:
    """One square for each value, its number in it where there is room, and the colour scale."""
    numbers = [value for parts in one.values.values() for value, _ in parts]
    low, high = min(numbers), max(numbers)
    # A scale of one value has no length, and would be divided by.
    if low == high:
        low, high = (low / 2, high * 2) if one.norm is LogNorm else (low - 0.5, high + 0.5)
    colours = ScalarMappable(one.norm(low, high), SHADES)
    for place, parts in one.values.items():
        width, height = (FILL * side for side in plane.step)
        corner = (place[0] - width / 2, place[1] + height / 2)
        for index, (value, text) in enumerate(parts):
            colour, side = tuple(np.asarray(colours.to_rgba(np.array([value])))[0]), height / len(parts)
            low_corner = (corner[0], corner[1] - (index + 1) * side)
            axes.add_patch(Rectangle(low_corner, width, side, facecolor=colour, linewidth=0, zorder=2))
            if legible:
                _write(axes, (place[0], low_corner[1] + side / 2), text, colour)
        if not parts and legible:
            missing = "no theory" if one.of_theory and plane.cells[place].theory is None else one.missing
            axes.text(*place, missing, ha="center", va="center", fontsize=6.5)
        _mark_diverged(axes, plane, place, legible)
    axes.set_title(one.title, loc="left")
    figure = axes.get_figure(root=True)
    # pyright sees an Axes that may stand in no figure.
    assert figure is not None
    bar = figure.colorbar(colours, ax=axes, pad=0.01, aspect=14)
    ticks = [float(tick) for tick in cast(Normalize, colours.norm).inverse(np.linspace(0, 1, TICKS))]
    # Written out: a logarithmic scale of less than a decade would have no labelled tick.
    bar.set_ticks(ticks, labels=[plain(tick, digits=2).replace("-", "\N{MINUS SIGN}") for tick in ticks])
    bar.minorticks_off()
    bar.set_label(one.unit)


def _write(axes: Axes, place: Place, text: str, colour: tuple[float, ...]) -> None:
    """A number that can be read on its square and on the line that crosses it; the same on a dark page."""
    # Luma of ITU-R 601: what the eye takes for bright.
    bright = np.dot(colour[:3], (0.299, 0.587, 0.114)) > 0.5
    box = {"facecolor": colour, "linewidth": 0, "pad": 0.8}
    text = text.replace("-", "\N{MINUS SIGN}") if text != "-" else "\N{EN DASH}"
    axes.text(*place, text, ha="center", va="center", fontsize=6.5, color="black" if bright else "white", bbox=box)


def _mark_diverged(axes: Axes, plane: Map, place: Place, legible: bool) -> None:
    """The part of the replicas that diverged, in the lower right corner of a cell."""
    cell = plane.cells[place]
    if not cell.n_diverged:
        return
    corner = place[0] + plane.step[0] * 0.48, place[1] - plane.step[1] * 0.48
    if legible:
        part = f"{100 * cell.n_diverged / cell.n_replicas:.2g} %"
        box = {"facecolor": "white", "linewidth": 0, "pad": 0.6}
        axes.text(*corner, part, ha="right", va="bottom", fontsize=6, color=NAMED_COLOURS["red"], bbox=box, zorder=5)
    else:
        axes.plot(*corner, marker="x", markersize=3, color=NAMED_COLOURS["red"], clip_on=False, zorder=5)


def draw_legend(figure: Figure, plane: Map) -> None:
    """What the regions and lines are, above all panels."""
    blue, red = (fraction(plane.boundaries[name]) for name in ("blue", "red"))
    meaning = {
        "green": "green: perfect learning",
        "blue": rf"blue, $\kappa + \delta = {blue}$: plateau",
        "orange": "orange: bad learning",
        "red": rf"red, $\kappa + \delta \leq {red}$: no ODE",
    }
    handles = [
        Line2D([], [], color=NAMED_COLOURS[name], linewidth=2.2)
        if name == "blue"
        else Patch(facecolor=NAMED_COLOURS[name], alpha=0.3, linewidth=0)
        for name in meaning
    ]
    figure.legend(handles, meaning.values(), loc="outside upper center", ncols=4, columnspacing=1.2, handlelength=1.6)
