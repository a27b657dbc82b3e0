"""The learning curves: mean risk against time on logarithmic axes, with error bands, over the curve of theory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.analysis.plateau import FLAT
from sgdsim.figures.common.curves import (
    BANDS,
    THEORY,
    alive,
    bounded,
    by_columns,
    draw_band,
    logarithmic_times,
    lone_label,
    marks,
    place_label,
)
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.style import MARKERS, REGION_COLOURS, REGION_MARKERS, WIDTH, series_colours
from sgdsim.store.stored import Stored

COLUMNS = 3
OPACITIES = {"std": 0.14, "sem": 0.4}
SHADES = (-0.3, 0.45)
"""Of several curves in one region: from mixed with black to mixed with white."""


@dataclass(frozen=True)
class Layout:
    """Which cells share a panel: its title and its cells with their labels, in the order of the grid.

    Cells of a panel differ in one factor of the grid: the dimension d where it varies, else that of most values.
    """

    panels: tuple[tuple[str, dict[int, str]], ...]
    regions: bool
    """Whether the grid reaches over several regions, so that colours stand for them."""


@dataclass(frozen=True)
class RiskFigure(FigureKind):
    """Every cell's risk, by region where the grid has several and by the axis of the grid otherwise."""

    name: ClassVar[str] = "risk"

    def lacks(self, run: Stored) -> str:
        """A positive scalar observable, and what it is to be drawn against."""
        if not run.scalars:
            return "an observable that is a single number"
        if not alive(run):
            return "a cell with a replica that stayed finite"
        return "" if set(run.abscissae) <= set(run.results) else "a count of samples: continue the run to have it made"

    def caption(self, run: Stored) -> str:
        """Bands, theory, plateaus and what was left out."""
        theory = " Dashed: theory." if run.has_theory else ""
        plateaus = any(cell.plateau for cell in run.summary.cells)
        bars = f" Bars: begin and end of the plateau, where the mean falls more slowly than t^-{FLAT:g}; " * plateaus
        listed = "the table of cells has their heights." * plateaus
        dead = run.results.sizes["cell"] - len(alive(run))
        why = "as every replica diverged" if run.simulated else "as theory has no finite value"
        gone = f" Not drawn, {why}: {dead} of the cells." if dead else ""
        if not run.simulated:
            return f"The {run.words(run.scalars[0])} by theory; nothing was simulated.{bars}{listed}{gone}"
        return (
            f"Mean {run.words(run.scalars[0])} over the replicas with its standard error (dark band) and the standard "
            f"deviation of one replica (light band).{theory}{bars}{listed}{gone}"
        )

    def draw(self, run: Stored) -> Figure:
        """A panel for each combination of the axes that are not told apart by colour, and for each abscissa."""
        layout = _layout(run)
        panels = [(*panel, abscissa) for panel in layout.panels for abscissa in run.abscissae]
        columns = 2 if len(panels) == 4 or len(run.abscissae) == 2 else min(COLUMNS, len(panels))
        rows = -(-len(panels) // columns)
        width = 4.6 if columns == 1 else WIDTH
        shared = not layout.regions or len(layout.panels) == 1
        figure = Figure(figsize=(width, (3.3 if columns == 1 else 2.5) * rows + 0.5), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for panel, (title, cells, abscissa) in zip(axes.flat, panels, strict=False):
            colours = _colours(run, layout, cells)
            _draw_panel(panel, run, cells, colours, abscissa)
            panel.set_title(_title(run, layout, title, cells))
            if not shared and len(cells) > 1:
                panel.legend(handles=_keys(run, cells, colours), loc="lower left", fontsize=7)
        if not layout.regions:
            lows, highs = zip(*(panel.get_ylim() for panel in axes.flat[: len(panels)]), strict=True)
            for panel in axes.flat[: len(panels)]:
                panel.set_ylim(min(lows), max(highs))
        for panel in axes.flat[len(panels) :]:
            panel.remove()
        for panel in axes[:, 0]:
            panel.set_ylabel(f"{run.words(run.scalars[0])}, ${run.symbol(run.scalars[0])}$")
        _draw_legend(figure, run, layout, shared)
        return figure


def _layout(run: Stored) -> Layout:
    """Panels and labels; cells without a finite replica are left out."""
    axes = [cell.axes for cell in run.summary.cells]
    factors = _factors(axes, run.varying)
    inner = max(factors, key=lambda names: ("d" in names, len(_values(axes, names))), default=())
    outer = [name for names in factors if names != inner for name in names]
    panels: dict[str, dict[int, str]] = {}
    for cell in alive(run):
        panels.setdefault(place_label(axes[cell], outer), {})[cell] = place_label(axes[cell], inner)
    regions = {cell.parameters.get("region") for cell in run.summary.cells}
    return Layout(tuple(panels.items()), len(regions) > 1 and regions <= REGION_COLOURS.keys())


def _factors(axes: Sequence[Mapping[str, Any]], names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The axes, with those that run together (a zip group) as one."""
    factors: list[tuple[str, ...]] = []
    for name in names:
        for index, group in enumerate(factors):
            both = len(_values(axes, (*group, name)))
            if both == len(_values(axes, group)) or both == len(_values(axes, (name,))):
                factors[index] = (*group, name)
                break
        else:
            factors.append((name,))
    return factors


def _values(axes: Sequence[Mapping[str, Any]], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return list(dict.fromkeys(tuple(cell[name] for name in names) for cell in axes))


def _title(run: Stored, layout: Layout, title: str, cells: dict[int, str]) -> str:
    """The panel's own axes, and its region where the grid has several and the panel one."""
    regions = {_region(run, cell) for cell in cells}
    return f"{title} ({regions.pop()})" if layout.regions and title and len(regions) == 1 else title


def _colours(run: Stored, layout: Layout, cells: dict[int, str]) -> dict[int, str]:
    """A colour for every cell of a panel: shades of its region's, or a place on the ordered palette."""
    if not layout.regions:
        labels = list(dict.fromkeys(label for _, panel in layout.panels for label in panel.values()))
        palette = dict(zip(labels, series_colours(len(labels)), strict=True))
        return {cell: palette[label] for cell, label in cells.items()}
    colours = {}
    for region, base in REGION_COLOURS.items():
        members = [cell for cell in cells if _region(run, cell) == region]
        mixes = np.linspace(*SHADES, len(members)) if len(members) > 1 else [0.0]
        colours |= {cell: _mixed(base, mix) for cell, mix in zip(members, mixes, strict=False)}
    return colours


def _mixed(colour: str, mix: float) -> str:
    """The colour mixed with white (mix > 0) or black (mix < 0)."""
    share = abs(mix)
    red, green, blue = ((1 - share) * part + share * (mix > 0) for part in to_rgb(colour))
    return to_hex((red, green, blue))


def _region(run: Stored, cell: int) -> str | None:
    """The region of the phase diagram; None for a system without."""
    return run.summary.cells[cell].parameters.get("region")


def _draw_panel(axes: Axes, run: Stored, cells: dict[int, str], colours: dict[int, str], abscissa: str) -> None:
    name = run.scalars[0]
    drawn: list[np.ndarray] = []
    for index, cell in enumerate(cells):
        x, stretch = _abscissa(run, cell, abscissa)
        rows = run.results.isel(cell=cell)
        mean = bounded(rows[run.column(name)].to_numpy())
        for part in BANDS if run.simulated else ():
            width = rows[f"{name}_{part}"].to_numpy()
            low = np.maximum(mean - width, 1e-3 * mean)
            draw_band(axes, x, low, mean + width, colours[cell], OPACITIES[part])
        axes.plot(x, mean, color=colours[cell], linewidth=1.5, **_marks(run, cells, cell, index))
        drawn.append(mean)
        if run.simulated and f"{name}_theory" in rows:
            axes.plot(x, rows[f"{name}_theory"].to_numpy(), **THEORY, zorder=3)
            drawn.append(rows[f"{name}_theory"].to_numpy())
        plateau = run.summary.cells[cell].plateau
        if plateau:
            ends = np.array([plateau.begin, plateau.end])
            heights = np.exp(np.interp(np.log(ends), np.log(x[x > 0] / stretch), np.log(mean[x > 0])))
            axes.plot(ends * stretch, heights, "|", color=colours[cell], markersize=9, markeredgewidth=1.6, zorder=4)
    logarithmic_times(axes)
    axes.set_yscale("log")
    axes.set_ylim(*_limits(drawn))
    axes.set_xlabel(_x_label(run, list(cells), abscissa))


def _marks(run: Stored, cells: dict[int, str], cell: int, index: int) -> dict[str, Any]:
    """A few marks along the curve: those of its region if the panel's cells lie in several, else of its order."""
    several = len({_region(run, other) for other in cells}) > 1
    marker = REGION_MARKERS[_region(run, cell) or ""] if several else MARKERS[index % len(MARKERS)]
    return {"marker": marker, "markersize": 3.5, "markevery": (0.04 + 0.03 * index, 0.2)} if len(cells) > 1 else {}


def _abscissa(run: Stored, cell: int, abscissa: str) -> tuple[np.ndarray, float]:
    """Realised save times, steps or samples (per dimension, where there is one), and their ratio to the times."""
    times, x = run.times(cell), run.results[abscissa].isel(cell=cell).to_numpy().astype(np.float64)
    if abscissa == "samples" and run.per_dimension:
        x = x / run.summary.cells[cell].parameters["d"]
    return x, float(x[-1] / times[-1])


def _x_label(run: Stored, cells: list[int], abscissa: str) -> str:
    if abscissa == "samples":
        return r"samples per dimension, batch $\times\, \nu / d$" if run.per_dimension else "samples used"
    if abscissa == "step":
        return r"steps, $\nu$"
    red = {_region(run, cell) == "red" for cell in cells}
    return r"steps, $t = \nu$" if red == {True} else r"time, $t = \nu\, dt$"


def _limits(curves: list[np.ndarray]) -> tuple[float, float]:
    """Room for the curves, whatever their bands."""
    values = np.concatenate(curves)
    values = values[np.isfinite(values) & (values > 0)]
    return float(values.min()) / 2, float(values.max()) * 2


def _keys(run: Stored, cells: dict[int, str], colours: dict[int, str]) -> list[Line2D]:
    """The cells of a panel in a legend."""
    several = len({_region(run, cell) for cell in cells}) > 1
    keys = []
    for index, (cell, label) in enumerate(cells.items()):
        marks = _marks(run, cells, cell, index)
        marks.pop("markevery", None)
        name = f"{label} ({_region(run, cell)})" if several else label or lone_label(run)
        keys.append(Line2D([], [], color=colours[cell], linewidth=1.5, label=name, **marks))
    return keys


def _draw_legend(figure: Figure, run: Stored, layout: Layout, shared: bool) -> None:
    """Cells in the first rows, where all panels have the same; then what lines and bands mean."""
    _, cells = max(layout.panels, key=lambda panel: len(panel[1]))
    keys = _keys(run, cells, _colours(run, layout, cells)) if shared else []
    means = marks(run, OPACITIES)
    longest = max((len(str(key.get_label())) for key in keys), default=0)
    most = 4 if figure.get_figwidth() > 5 or (longest < 12 and not run.simulated) else 3 if longest < 22 else 1
    columns = max(1, min(most, max(len(keys), len(means))))
    rows = [items[first : first + columns] for items in (keys, means) for first in range(0, len(items), columns)]
    if rows:
        handles, columns = by_columns(rows)
        figure.legend(handles=handles, loc="outside upper center", ncols=columns, fontsize=7.5, columnspacing=1.4)
