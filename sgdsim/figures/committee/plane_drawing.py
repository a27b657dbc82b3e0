"""How a phase diagram is drawn: regions and lines, and on every cell a disc in the shade of what was measured there."""

from functools import partial
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sgdsim.figures.committee.plane import Map, Place, fraction
from sgdsim.figures.committee.plane_values import BY_THEORY, Measured
from sgdsim.figures.style import INK, NAMED_COLOURS, WIDTH
from sgdsim.figures.typeset import shown, typeset

SHADES = LinearSegmentedColormap.from_list("shades", ["#f7f7f7", "#2b2b2e"])
"""Of measured values: greys, which no region has."""
DISC = 10.0
"""Diameter of a disc, points, where cells are not narrower than that: small, so that the regions are seen."""
LIFT, ASIDE = 5.5, 4.0
"""Of a number from the middle of a disc, points: upwards or down, and how far it reaches back over the middle."""
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
    """A disc on each cell, half measured and half theory where there are both, its numbers, and the colour scale."""
    numbers = [value for parts in one.values.values() for value, _ in parts]
    low, high = min(numbers), max(numbers)
    # A scale of one value has no length, and would be divided by.
    if low == high:
        low, high = (low / 2, high * 2) if one.norm is LogNorm else (low - 0.5, high + 0.5)
    colours = ScalarMappable(one.norm(low, high), SHADES)
    size = min(DISC, 0.56 * WIDTH * 72 / plane.shape[0])  # four fifths of the width are cells
    for place, parts in one.values.items():
        _draw_disc(axes, place, [np.asarray(colours.to_rgba(np.array([value])))[0] for value, _ in parts], size)
        if legible:
            missing = "no theory" if one.of_theory and plane.cells[place].theory is None else one.missing
            for (_, text), side in zip(parts, (1, -1), strict=False):
                _write(axes, place, text, side * LIFT)
            if not parts:
                _write(axes, place, missing, LIFT)
        _mark_diverged(axes, plane, place, legible)
    head, told, where = one.title.partition(BY_THEORY)
    title = f"{head}: measured (left, above), theory{where} (right, below)" if told else head
    axes.set_title(" ".join(map(shown, title.split(" "))), loc="left")
    figure = axes.get_figure(root=True)
    # pyright sees an Axes that may stand in no figure.
    assert figure is not None
    bar = figure.colorbar(colours, ax=axes, pad=0.01, aspect=14)
    ticks = [float(tick) for tick in cast(Normalize, colours.norm).inverse(np.linspace(0, 1, TICKS))]
    # Written out: a logarithmic scale of less than a decade would have no labelled tick.
    bar.set_ticks(ticks, labels=[shown(tick, digits=2) for tick in ticks])
    bar.minorticks_off()
    bar.set_label(one.unit)


def _draw_disc(axes: Axes, place: Place, shades: list[Any], size: float) -> None:
    """A disc in one shade, or in two halves; none without a value."""
    if shades:
        style = {"marker": "o", "markersize": size, "markeredgecolor": INK, "markeredgewidth": 0.7, "zorder": 4}
        sides = {"fillstyle": "left", "markerfacecoloralt": shades[1]} if len(shades) > 1 else {}
        axes.plot(*place, markerfacecolor=shades[0], **style, **sides)


def _write(axes: Axes, place: Place, text: str, lift: float) -> None:
    """A number, or why there is none, `lift` points above the middle of a cell or, where that is negative, below."""
    text = typeset(text) if text != "-" else "\N{EN DASH}"
    # Aside of the lines between the regions, which fall from the left to the right through the middle of cells.
    anchor: dict[str, Any] = {"ha": "left", "va": "bottom"} if lift > 0 else {"ha": "right", "va": "top"}
    axes.annotate(text, place, (-ASIDE * np.sign(lift), lift), textcoords="offset points", fontsize=6.5, **anchor)


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
        "red": rf"red, $\kappa + \delta \leq {red}$ (dashed): no ODE",
    }
    handles = [
        Line2D([], [], color=NAMED_COLOURS[name], linewidth=2.2)
        if name == "blue"
        else Patch(facecolor=NAMED_COLOURS[name], alpha=0.3, linewidth=0)
        for name in meaning
    ]
    figure.legend(
        handles,
        meaning.values(),
        loc="outside upper center",
        ncols=4,
        fontsize=7.5,
        columnspacing=1.2,
        handlelength=1.6,
    )
