"""The phase diagram: regions of the (delta, kappa) plane, and in every cell of the grid what was measured there."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from sgdsim.analysis.numbers import plain, rounded
from sgdsim.errors import ArgumentError
from sgdsim.figures.common.fits import Law
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import NAMED_COLOURS, WIDTH, math_name
from sgdsim.store.blocks import describe
from sgdsim.store.stored import DEVIATIONS, Stored
from sgdsim.store.summary import CellSummary

HORIZONTAL, VERTICAL, SIZE = "delta", "kappa", "d"
"""Axes of the plane, and the dimension that the exponents are fitted along."""
STEPS = "steps_per_time"
"""The axis that may stand in place of the dimension."""
SHADES = LinearSegmentedColormap.from_list("shades", ["#f7f7f7", "#2b2b2e"])
"""Of measured values: greys, which no region has."""
LACKS = "a scalar observable, or a fit of a deviation against d"
FILL = 0.8
"""Part of a cell's height and width that its measured value covers; the rest shows the region."""
TICKS = 4
"""Of a colour scale."""
LEAST_WIDTH = 0.55
"""Inches that a cell must be wide for numbers to be written into it."""
CONTRADICTS = 3.5
"""Standard errors between a measured exponent and the predicted one from which a cell is marked."""

Place = tuple[float, float]
"""(delta, kappa) of a cell of the map."""


@dataclass(frozen=True)
class Panel:
    """One measured quantity over the plane: for each place some values with their text, drawn below one another.

    `missing` is written where there is no value, or that there is no theory where the quantity needs one.
    """

    title: str
    unit: str
    missing: str
    norm: type[Normalize]
    values: dict[Place, list[tuple[float, str]]]
    of_theory: bool = False


@dataclass(frozen=True)
class Map:
    """The cells of the map, the size of one, and what is measured in each at the largest dimension."""

    cells: dict[Place, CellSummary]
    step: Place
    boundaries: dict[str, float]
    """kappa + delta on the blue line, and on the line below which all is red (Veiga et al. 2022, figure 1)."""

    @classmethod
    def of(cls, run: Stored) -> "Map":
        """The cells of largest d at every (delta, kappa)."""
        cells: dict[Place, CellSummary] = {}
        for cell in sorted(run.summary.cells, key=lambda cell: cell.parameters[SIZE]):
            cells[_place(cell)] = cell
        steps = [min(np.diff(np.unique(values)), default=1.0) for values in zip(*cells, strict=True)]
        mu, rho = (next(iter(cells.values())).parameters.get(name, 0.0) for name in ("mu", "rho"))
        lines = {"blue": rho * mu - mu, "red": rho * mu - (1 + mu) / 2}
        return cls(cells, (float(steps[0]), float(steps[1])), lines)

    @property
    def window(self) -> tuple[Place, Place]:
        """Least and largest delta and kappa that the cells cover."""
        places = np.array(list(self.cells))
        low, high = places.min(axis=0) - np.array(self.step) / 2, places.max(axis=0) + np.array(self.step) / 2
        return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and rows of cells that fill the window."""
        sides = [(high - low) / step for (low, high), step in zip(self.window, self.step, strict=True)]
        return round(sides[0]), round(sides[1])


@dataclass(frozen=True)
class PhaseDiagramFigure(FigureKind):
    """Final risk, exponent of the deviation and length of the plateau, each on a map of the regions."""

    name: ClassVar[str] = "phase_diagram"

    def lacks(self, run: Stored) -> str:
        """A grid over delta and kappa, at one or several d."""
        return _lacks_plane(run) or ("" if _panels(run, Map.of(run)) else LACKS)

    def caption(self, run: Stored) -> str:
        """Regions, lines, and what the cells show."""
        plane = Map.of(run)
        titles = [one.title for one in _panels(run, plane).values()]
        blue, red = (_fraction(plane.boundaries[name]) for name in ("blue", "red"))
        lost = " A percentage is the part of the replicas that diverged." if run.summary.n_diverged else ""
        return (
            "Regions of p = p0 d^kappa, gamma = gamma0 d^-delta (background, lines at kappa + delta = "
            f"{blue} and {red}) and in each cell what was measured: {'; '.join(titles)}. Where two numbers share a "
            "cell, the upper one is measured and the lower one is theory: equal shades are equal numbers."
            f"{_comparison(run)}{lost}"
        )

    def draw(self, run: Stored) -> Figure:
        """Panels below one another with a colour scale each, and the regions above them."""
        plane = Map.of(run)
        panels = _panels(run, plane)
        columns, rows = plane.shape
        height = float(np.clip(0.52 * rows, 1.3, 4.5)) + 0.4
        figure = Figure(figsize=(WIDTH, height * len(panels) + 0.8), layout="constrained")
        axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
        legible = 0.8 * WIDTH / columns >= LEAST_WIDTH
        for name, axis in zip(panels, axes, strict=True):
            draw_phase_diagram(run, name, axis, legible=legible)
        for axis in axes[:-1]:
            axis.set_xlabel("")
        _draw_legend(figure, plane)
        return figure


def draw_phase_diagram(
    run: Stored, quantity: str | None = None, ax: Axes | None = None, *, legible: bool = True
) -> Axes:
    """The regions of the (delta, kappa) plane, and in every cell of the grid what was measured at the largest d.

    - `quantity`: "risk" at the final time, "exponent" of a deviation against d, or "plateau", its length; by default
      the first of them that the run has.
    - `legible`: whether cells are wide enough for their numbers to be written into them.

    **Raises:** ArgumentError where the run has no grid over delta and kappa, or not this quantity.
    """
    if _lacks_plane(run):
        raise ArgumentError("run", "have a phase diagram", "none", f"It lacks {_lacks_plane(run)}.")
    plane = Map.of(run)
    one = pick(_panels(run, plane), quantity, LACKS)
    axes = panel(ax)
    _draw_regions(axes, plane)
    _draw_panel(axes, plane, one, legible)
    axes.set(xlabel=math_name(HORIZONTAL), ylabel=math_name(VERTICAL))
    return axes


def _lacks_plane(run: Stored) -> str:
    """What is missing for the cells to lie in the plane; empty where nothing is."""
    if not {HORIZONTAL, VERTICAL} <= set(run.varying):
        return f"a grid over {HORIZONTAL} and {VERTICAL}, with at least two values of each"
    others = set(run.varying) - {HORIZONTAL, VERTICAL, SIZE, STEPS}
    if others:
        return f"a grid over {HORIZONTAL}, {VERTICAL} and {SIZE} only, and not over {', '.join(sorted(others))}"
    if any(cell.get("mu", 0.0) >= 1 for cell in run.parameters):
        return "a batch that grows more slowly than d, mu < 1: beyond, there is no blue line"
    return ""


def _fraction(number: float) -> str:
    """A boundary in plain text: 0, -1/2, or a decimal number."""
    return "-1/2" if number == -0.5 else plain(number)


def _place(cell: CellSummary) -> Place:
    return cell.parameters[HORIZONTAL], cell.parameters[VERTICAL]


def _panels(run: Stored, plane: Map) -> dict[str, Panel]:
    """What can be drawn of this run."""
    found = {"risk": _risk(run, plane), "exponent": _exponent(run, plane), "plateau": _plateau(plane)}
    return {name: one for name, one in found.items() if any(one.values.values())}


def _risk(run: Stored, plane: Map) -> Panel:
    """The first scalar observable at the final time."""
    names = list(next(iter(plane.cells.values())).final)
    name = names[0] if names else ""
    sizes = sorted({cell.parameters[SIZE] for cell in plane.cells.values()})
    at = (
        f"d = {plain(sizes[-1])}"
        if len(sizes) == 1
        else f"the largest d, {plain(sizes[0], 2)} to {plain(sizes[-1], 2)}"
    )
    values = {}
    for place, cell in plane.cells.items():
        mean = cell.final[name].mean if name else None
        values[place] = [(mean, plain(mean, digits=2))] if mean is not None and mean > 0 else []
    symbol = f"${run.symbol(name)}$" if name else ""
    return Panel(f"final {run.words(name)} at {at}", symbol, "none finite", LogNorm, values)


def _exponent(run: Stored, plane: Map) -> Panel:
    """Fitted exponent of a deviation against d, and that of theory at the same d, or else as d -> infinity."""
    values: dict[Place, list[tuple[float, str]]] = {place: [] for place in plane.cells}
    fits = _along_size(run)
    for label, fit in fits.items():
        for place, cell in plane.cells.items():
            if label.partition("[")[2] == _group(cell) + "]":
                off = abs(_score(fit)) > CONTRADICTS
                values[place] = [(fit.slope, rounded(fit.slope, fit.slope_error) + " !" * off)]
                values[place] += [(value, plain(value, digits=3)) for value in (_by_theory(fit),) if value is not None]
    quantity = next((fit.quantity for fit in fits.values()), "sup_deviation")
    return Panel(
        f"exponent of the {run.words(quantity)} against d, and by theory{' at the same d' * _same_d(fits)}",
        "exponent",
        "no fit",
        Normalize,
        values,
        of_theory=True,
    )


def _along_size(run: Stored) -> dict[str, Law]:
    """The fits of a deviation against d."""
    return {label: fit for label, fit in run.fits.items() if fit.quantity in DEVIATIONS and fit.against == SIZE}


def _same_d(fits: dict[str, Law]) -> bool:
    """Whether theory predicts every point of every fit that has a theory."""
    return bool(fits) and all(fit.theory_slope is not None for fit in fits.values() if _by_theory(fit) is not None)


def _by_theory(fit: Law) -> float | None:
    """The same fit to predicted deviations at the same d; where none are predicted, the exponent as d -> infinity."""
    return fit.expected_slope if fit.theory_slope is None else fit.theory_slope


def _score(fit: Law) -> float:
    """Measured minus predicted exponent in standard errors; 0 where nothing is predicted at the same d."""
    predicted, error = fit.theory_slope, fit.slope_error
    return (fit.slope - predicted) / error if predicted is not None and error else 0.0


def _comparison(run: Stored) -> str:
    """What the exponents of theory are, and which cells contradict them."""
    fits = _along_size(run)
    if not fits:
        return ""
    if not _same_d(fits):
        return (
            " The exponents of theory are those of the bound log(p) sqrt(dt) as d grows; at the d of the grid they may"
            " be others: ask for fluctuations to compare with the prediction at the same d."
        )
    scores = {label.partition("[")[2].rstrip("]"): _score(fit) for label, fit in fits.items()}
    off = [f"{place} ({score:+.1f})" for place, score in scores.items() if abs(score) > CONTRADICTS]
    worst = (
        " The exponents of theory are fitted in the same way to the predicted deviations at the same d; the largest"
        f" difference is {max(scores.values(), key=abs):+.1f} standard errors."
    )
    mark = f" Marked with !: more than {CONTRADICTS} standard errors from theory, at {', '.join(off)}." if off else ""
    return worst + mark


def _group(cell: CellSummary) -> str:
    """The name of a cell's fit along d among those of all cells."""
    return describe({name: value for name, value in cell.axes.items() if name in (HORIZONTAL, VERTICAL)})


def _plateau(plane: Map) -> Panel:
    """Length of the plateau in t, where there is one."""
    values: dict[Place, list[tuple[float, str]]] = {}
    for place, cell in plane.cells.items():
        plateau = cell.plateau
        length = plateau.end - plateau.begin if plateau else 0.0
        values[place] = [(length, plain(length, digits=2))] if length > 0 else []
    return Panel("length of the plateau", "$t$", "none", LogNorm, values)


def _draw_regions(axes: Axes, plane: Map) -> None:
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


def _draw_panel(axes: Axes, plane: Map, one: Panel, legible: bool) -> None:
    """One square for each value, its number in it where there is room, and the colour scale."""
    numbers = [value for parts in one.values.values() for value, _ in parts]
    low, high = min(numbers), max(numbers)
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
    assert figure is not None
    bar = figure.colorbar(colours, ax=axes, pad=0.01, aspect=14)
    ticks = [float(tick) for tick in cast(Normalize, colours.norm).inverse(np.linspace(0, 1, TICKS))]
    bar.set_ticks(ticks, labels=[plain(tick, digits=2).replace("-", "\N{MINUS SIGN}") for tick in ticks])
    bar.minorticks_off()
    bar.set_label(one.unit)


def _write(axes: Axes, place: Place, text: str, colour: tuple[float, ...]) -> None:
    """A number that can be read on its square and on the line that crosses it; the same on a dark page."""
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


def _draw_legend(figure: Figure, plane: Map) -> None:
    blue, red = (_fraction(plane.boundaries[name]) for name in ("blue", "red"))
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
