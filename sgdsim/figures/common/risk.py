"""The learning curves: mean risk against time on logarithmic axes, with error bands, over the curve of theory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.analysis.plateau import FLAT
from sgdsim.errors import ArgumentError
from sgdsim.figures.common.cell_panels import PanelLayout, classes_of, colours_of, layout_of, marks_of, title_of
from sgdsim.figures.common.curves import (
    BANDS,
    THEORY,
    alive,
    bounded,
    by_columns,
    cell_label,
    curve_label,
    draw_band,
    logarithmic_times,
    lone_label,
    marks,
)
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import legend_beside, panel, pick
from sgdsim.figures.style import WIDTH
from sgdsim.store.curves import Curves
from sgdsim.store.stored import Stored

COLUMNS = 3
OPACITIES = {"std": 0.14, "sem": 0.4}
BAR: dict[str, Any] = {"marker": "|", "markersize": 9, "markeredgewidth": 1.6, "linestyle": "none"}
"""Where a plateau begins and ends."""


@dataclass(frozen=True)
class RiskFigure(FigureKind):
    """Every cell's risk, in the colours that its cells are named by, and along the axis of the grid otherwise."""

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
            return f"The {run.words(run.risk)} by theory; nothing was simulated.{bars}{listed}{gone}"
        return (
            f"Mean {run.words(run.risk)} over the replicas with its standard error (dark band) and the standard "
            f"deviation of one replica (light band).{theory}{bars}{listed}{gone}"
        )

    def draw(self, run: Stored) -> Figure:
        """A panel for each combination of the axes that are not told apart by colour, and for each abscissa."""
        layout = layout_of(run)
        panels = [(*panel, abscissa) for panel in layout.panels for abscissa in run.abscissae]
        columns = 2 if len(panels) == 4 or len(run.abscissae) == 2 else min(COLUMNS, len(panels))
        rows = -(-len(panels) // columns)
        shared = not layout.classed or len(layout.panels) == 1
        size = (WIDTH, 3.3 if columns == 1 else 2.5 * rows + 0.5)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis, (title, cells, abscissa) in zip(axes.flat, panels, strict=False):
            _draw_panel(axis, run, run.risk, layout, cells, abscissa)
            axis.set_title(title_of(layout, title, cells))
            if not shared and len(cells) > 1:
                axis.legend(handles=_keys(run, layout, cells), loc="lower left", fontsize=7)
        # Cells of one colour are one comparison, and share the scale; those of several regions fall by different
        # powers.
        if not layout.classed:
            lows, highs = zip(*(axis.get_ylim() for axis in axes.flat[: len(panels)]), strict=True)
            for axis in axes.flat[: len(panels)]:
                axis.set_ylim(min(lows), max(highs))
        for axis in axes.flat[len(panels) :]:
            axis.remove()
        for axis in axes[:, 0]:
            axis.set_ylabel(f"{run.words(run.risk)}, ${run.symbol(run.risk)}$")
        _draw_legend(figure, run, layout, shared)
        return figure


def draw_risk(
    run: Curves,
    name: str | None = None,
    cells: Sequence[int] | None = None,
    abscissa: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The learning curves: a positive scalar on logarithmic axes, its mean with both bands and, dashed, theory.

    - `name`: of the observable V; by default the system's risk.
    - `cells`: a curve for each, labelled by its place in the grid; by default all with finite values.
    - `abscissa`: "t", "step" or "samples" (per dimension, where there is one); by default what the run asks for.

    Needs the abscissa, `t`, and V with V_sem and V_std, or V_theory alone. Where a parameter's values are names of
    colours, the curves have them. Bars are the ends of a plateau of the risk.

    **Raises:** ArgumentError where there is no such scalar or abscissa, or no cell with finite values.
    """
    name = pick({one: one for one in run.scalars}, name, "an observable that is a single number")
    cells = alive(run) if cells is None else cells
    pick({str(cell): cell for cell in cells}, None, "a cell with a replica that stayed finite")
    abscissa = run.abscissae[0] if abscissa is None else abscissa
    if abscissa not in run.results:
        raise ArgumentError("abscissa", 'be "t", "step" or "samples", and counted in the run', abscissa)
    labels = {cell: cell_label(run, cell) for cell in cells}
    axes, layout = panel(ax), PanelLayout((("", labels),), classes_of(run))
    _draw_panel(axes, run, name, layout, labels, abscissa)
    axes.set_ylabel(f"{run.words(name)}, ${run.symbol(name)}$")
    return axes


def _draw_panel(
    axes: Axes, run: Curves, name: str, layout: PanelLayout, cells: Mapping[int, str], abscissa: str
) -> None:
    """The curves of some cells, with their plateaus, and limits that the bands do not move."""
    drawn: list[np.ndarray] = []
    colours = colours_of(layout, cells)
    for index, cell in enumerate(cells):
        x, style = _abscissa(run, cell, abscissa), marks_of(layout, cells, cell, index)
        curves = _draw_curve(
            axes, run, name, cell, x, style | {"color": colours[cell], "label": curve_label(run, cell)}
        )
        drawn += curves
        if name == run.risk:
            _draw_plateau(axes, run, cell, x, curves[0], colours[cell])
    logarithmic_times(axes)
    axes.set_yscale("log")
    axes.set_ylim(*_limits(drawn))
    axes.set_xlabel(_x_label(run, list(cells), abscissa))


def _draw_curve(
    axes: Axes, run: Curves, name: str, cell: int, x: np.ndarray, style: Mapping[str, Any]
) -> list[np.ndarray]:
    """One cell with its bands and theory; returns the curves that it drew."""
    rows = run.results.isel(cell=cell)
    mean = bounded(rows[run.column(name)].to_numpy())
    for part in BANDS if run.simulated else ():
        width = rows[f"{name}_{part}"].to_numpy()
        # A band that reaches 0 has no lower edge on a logarithmic axis: it ends three decades below the mean.
        low = np.maximum(mean - width, 1e-3 * mean)
        draw_band(axes, x, low, mean + width, style["color"], OPACITIES[part])
    axes.plot(x, mean, linewidth=1.5, **style)
    if not run.knows(name):
        return [mean]
    theory = rows[f"{name}_theory"].to_numpy()
    axes.plot(x, theory, **THEORY, zorder=3)
    return [mean, theory]


def _draw_plateau(axes: Axes, run: Curves, cell: int, x: np.ndarray, mean: np.ndarray, colour: str) -> None:
    """Bars where the plateau of a curve begins and ends; they are known in t, and drawn at the x of that time."""
    ends = run.plateau(cell)
    if ends is None:
        return
    stretch = float(x[-1] / run.times(cell)[-1])
    # Straight in logarithms, as the curve is between its save times.
    heights = np.exp(np.interp(np.log(ends), np.log(x[x > 0] / stretch), np.log(mean[x > 0])))
    places = np.array(ends) * stretch
    axes.plot(places, heights, color=colour, zorder=4, **BAR)


def _abscissa(run: Curves, cell: int, abscissa: str) -> np.ndarray:
    """Realised save times, steps or samples (per dimension, where there is one)."""
    x = run.results[abscissa].isel(cell=cell).to_numpy().astype(np.float64)
    return x / run.parameters[cell]["d"] if abscissa == "samples" and run.per_dimension else x


def _x_label(run: Curves, cells: Iterable[int], abscissa: str) -> str:
    if abscissa == "samples":
        return r"samples per dimension, batch $\times\, \nu / d$" if run.per_dimension else "samples used"
    if abscissa == "step":
        return r"steps, $\nu$"
    # A system whose time is the number of steps has no dt to speak of.
    counted = all(run.dt(cell) == 1 for cell in cells)
    return r"steps, $t = \nu$" if counted else r"time, $t = \nu\, dt$"


def _limits(curves: list[np.ndarray]) -> tuple[float, float]:
    """Room for the curves, whatever their bands."""
    values = np.concatenate(curves)
    values = values[np.isfinite(values) & (values > 0)]
    return float(values.min()) / 2, float(values.max()) * 2


def _keys(run: Curves, layout: PanelLayout, cells: Mapping[int, str]) -> list[Line2D]:
    """The cells of a panel in a legend."""
    keys, colours = [], colours_of(layout, cells)
    for index, (cell, label) in enumerate(cells.items()):
        style = marks_of(layout, cells, cell, index)
        style.pop("markevery", None)
        name = f"{label} ({layout.classes[cell]})" if layout.mixed(cells) else label or lone_label(run)
        keys.append(Line2D([], [], color=colours[cell], linewidth=1.5, label=name, **style))
    return keys


def _draw_legend(figure: Figure, run: Curves, layout: PanelLayout, shared: bool) -> None:
    """Cells, where all panels have the same, and what lines, bands and bars mean: beside one panel, else in rows."""
    _, cells = max(layout.panels, key=lambda panel: len(panel[1]))
    keys = _keys(run, layout, cells) if shared else []
    means = marks(run, OPACITIES) + _bar_key(run)
    if len(layout.panels) * len(run.abscissae) == 1:
        legend_beside(figure, [*keys, *means])
        return
    longest = max((len(str(key.get_label())) for key in keys), default=0)
    most = 4 if longest < 22 else 2
    columns = max(1, min(most, max(len(keys), len(means))))
    rows = [items[first : first + columns] for items in (keys, means) for first in range(0, len(items), columns)]
    if rows:
        handles, columns = by_columns(rows)
        figure.legend(handles=handles, loc="outside upper center", ncols=columns, fontsize=7.5, columnspacing=1.4)


def _bar_key(run: Curves) -> list[Line2D]:
    """The bars of a plateau in a legend, where a curve has one."""
    found = any(run.plateau(cell) for cell in alive(run))
    return [Line2D([], [], color="#888888", label="ends of the plateau", **BAR)] if found else []
