"""Observables against time: the simulation's mean with its bands over the curve of theory, and the difference."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.errors import ArgumentError
from sgdsim.figures.common.components import (
    COMPONENTS,
    Component,
    chosen_components,
    component_label,
    label_components,
    loudest,
    series,
)
from sgdsim.figures.common.curves import (
    BANDS,
    THEORY,
    alive,
    bounded,
    by_columns,
    cell_colours,
    curve_label,
    draw_band,
    evenly,
    in_rows,
    is_logarithmic,
    logarithmic_times,
    marks,
)
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import WIDTH
from sgdsim.store.curves import Curves
from sgdsim.store.stored import Stored

CELLS = 4
"""Cells drawn at most; of more, these many are picked evenly."""
COLUMNS = 3
TITLE = 34
"""Characters of a title that fit over a panel."""
PREDICTED: dict[str, Any] = {"linewidth": 1.1, "linestyle": (0, (1, 1.3))}
ROUNDING = 1e-6
"""Of what is simulated in float32, relative to its largest size."""
OPACITIES = {"std": 0.16, "sem": 0.45}


@dataclass(frozen=True)
class TrajectoriesFigure(FigureKind):
    """For each observable a panel of curves and, where there is a theory, one of the difference; colours are cells."""

    name: ClassVar[str] = "trajectories"

    def lacks(self, run: Stored) -> str:
        """An observable that moves, in a cell with replicas."""
        if not _chosen_cells(run):
            return "a cell with a replica that stayed finite"
        return "" if _chosen_observables(run) else "an observable that changes between two save times"

    def caption(self, run: Stored) -> str:
        """Bands, curves, and what was left out."""
        cells, shown = run.results.sizes["cell"], len(_chosen_cells(run))
        below = "Below: simulation minus theory, in units of the theory where that is on a logarithmic axis."
        theory = f" Dashed: theory. {below}" if run.has_theory else ""
        theory += " Dotted: the standard deviation that theory predicts." if run.has_predictions else ""
        some = f" {shown} of the {cells} cells are drawn." if shown < cells else ""
        matrices = any(run.results[run.column(name)].ndim > 2 for name in _chosen_observables(run))
        parts = f" Of a matrix, at most {COMPONENTS} components are drawn, largest to smallest." if matrices else ""
        if not run.simulated:
            return f"Curves of theory; nothing was simulated.{some}{parts}"
        return (
            "Mean over replicas (line) with its standard error (dark band) and the standard deviation of one replica "
            f"(light band).{theory}{some}{parts}"
        )

    def draw(self, run: Stored) -> Figure:
        """A grid of panels with one legend above them."""
        names, cells = _chosen_observables(run), _chosen_cells(run)
        colours = cell_colours(cells)
        columns, storeys = min(COLUMNS, len(names)), 2 if run.has_theory else 1
        rows = -(-len(names) // columns)
        size = (max(3.6, WIDTH * columns / COLUMNS), (1.3 + 1.2 * storeys) * rows + 0.45)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows * storeys, columns, squeeze=False, height_ratios=[5, 3][:storeys] * rows)
        panels = axes.reshape(rows, storeys, columns).swapaxes(1, 2).reshape(rows * columns, storeys)
        for (upper, *lower), name in zip(panels, names, strict=False):
            _draw_observable(run, name, cells, upper, lower)
        for axis in panels[len(names) :].flat:
            axis.remove()
        _draw_legend(figure, run, colours)
        return figure


def _draw_observable(run: Stored, name: str, cells: list[int], upper: Axes, lower: list[Axes]) -> None:
    """Curves of one observable and, where theory has it, the difference below, on the same axis of times."""
    draw_trajectories(run, name, cells, upper)
    if run.knows(name):
        draw_differences(run, name, cells, *lower)
        upper.tick_params(labelbottom=False)
        upper.set_xlabel("")
        return
    # Without theory there is no difference: the empty panel would be read as zero.
    for axes in lower:
        axes.remove()


def _chosen_cells(run: Curves) -> list[int]:
    return evenly(alive(run), CELLS)


def _chosen_observables(run: Curves) -> list[str]:
    """Those that change in time; a constant needs no panel."""
    values = {name: run.results[run.column(name)].isel(cell=_chosen_cells(run)) for name in run.observables}
    # What does not change, as the overlaps of the teacher, is a column of the table and no curve.
    return [name for name, value in values.items() if _changes(value)]


def _changes(value: xr.DataArray) -> bool:
    """By more than rounding: lengths on a sphere would fill a panel with noise."""
    change = value.max("time") - value.min("time")
    return bool((change > ROUNDING * abs(value).max("time")).any())


def _colours(run: Curves, cells: Sequence[int] | None) -> dict[int, str]:
    """The cells that are drawn, in their colours."""
    some = _chosen_cells(run) if cells is None else cells
    pick({str(cell): cell for cell in some}, None, "a cell with a replica that stayed finite")
    return cell_colours(some)


def _observable(run: Curves, name: str | None) -> str:
    """The name of an observable; without one, of the first that changes."""
    names = run.observables if name is not None else _chosen_observables(run)
    return pick({one: one for one in names}, name, "an observable that changes between two save times")


def draw_trajectories(
    run: Curves, name: str | None = None, cells: Sequence[int] | None = None, ax: Axes | None = None
) -> Axes:
    """An observable against time: its mean over replicas with both bands and, dashed, theory where there is one.

    - `name`: of the observable V; by default the first that changes in time.
    - `cells`: a curve for each, labelled by its place in the grid; by default at most four, picked evenly.

    Needs `t` and V with V_sem and V_std, or V_theory alone; of a matrix at most three components are drawn.

    **Raises:** ArgumentError where there is no such observable, or no cell with finite values.
    """
    axes, name, colours = panel(ax), _observable(run, name), _colours(run, cells)
    components = chosen_components(run, name, list(colours))
    for cell, colour in colours.items():
        for component in components:
            label = curve_label(run, cell) if component == components[0] else None
            _draw_curve(axes, run, name, cell, component, colour, label)
    axes.set_title(textwrap.fill(run.words(name), TITLE), parse_math=False)
    if components != [()]:
        label_components(axes, run, name, list(colours), components)
    elif _is_positive(run, name, list(colours)):
        axes.set_yscale("log")
    _finish_times(axes, run, colours)
    return axes


def draw_differences(
    run: Curves, name: str | None = None, cells: Sequence[int] | None = None, ax: Axes | None = None
) -> Axes:
    """Simulation minus theory of an observable against time, with the bands of the simulation about it.

    Of a positive scalar in units of the theory, of a matrix the component that fluctuates most; dotted is the standard
    deviation that theory predicts, if it does. `name` and `cells` as of `draw_trajectories`.

    Needs `t`, V, V_sem, V_std and V_theory.

    **Raises:** ArgumentError where there is no such observable, no theory of it, or no cell with finite values.
    """
    name, colours = _observable(run, name), _colours(run, cells)
    if not run.knows(name):
        raise ArgumentError("name", "be an observable with a simulation and a theory", name)
    axes, component = panel(ax), loudest(run, name, list(colours))
    relative = component == () and _is_positive(run, name, list(colours))
    for cell, colour in colours.items():
        _draw_difference(axes, run, name, cell, component, colour, relative=relative)
    axes.axhline(0.0, **THEORY, zorder=3)
    axes.ticklabel_format(axis="y", scilimits=(-2, 2), useMathText=True)
    axes.yaxis.get_offset_text().set_fontsize(7)
    axes.set_ylabel("relative difference" if relative else "difference", fontsize=8)
    if component:
        label = component_label(run, name, component)
        axes.annotate(label, (0.04, 0.86), xycoords="axes fraction", fontsize=8, va="center")
    _finish_times(axes, run, colours)
    return axes


def _draw_difference(
    axes: Axes, run: Curves, name: str, cell: int, component: Component, colour: str, *, relative: bool
) -> None:
    """The difference of one cell, in units of the theory if it is `relative`."""
    times, theory = run.times(cell), series(run, f"{name}_theory", cell, component)
    scale = 1 / theory if relative else 1.0
    difference = scale * (series(run, name, cell, component) - theory)
    widths = {part: scale * series(run, f"{name}_{part}", cell, component) for part in BANDS}
    _draw_bands(axes, times, difference, widths, colour)
    axes.plot(times, difference, color=colour, linewidth=1.0, label=curve_label(run, cell))
    if name in run.predicted:
        predicted = scale * series(run, f"{name}_predicted_std", cell, component)
        for side in (predicted, -predicted):
            axes.plot(times, side, color=colour, **PREDICTED)


def _finish_times(axes: Axes, run: Curves, cells: Iterable[int]) -> None:
    """The axis of time, logarithmic where the save times are."""
    if is_logarithmic(run.times(next(iter(cells)))):
        logarithmic_times(axes)
    axes.set_xlabel("$t$")


def _is_positive(run: Curves, name: str, cells: list[int]) -> bool:
    """Whether simulation and theory stay above 0, so that a logarithmic axis and ratios make sense."""
    parts = [part for part in (name, f"{name}_theory") if part in run.results]
    return not any(bool((run.results[part].isel(cell=cells) <= 0).any()) for part in parts)  # NaN where no theory is


def _draw_curve(
    axes: Axes, run: Curves, name: str, cell: int, component: Component, colour: str, label: str | None
) -> None:
    times, mean = run.times(cell), bounded(series(run, run.column(name), cell, component))
    if run.simulated:
        widths = {part: series(run, f"{name}_{part}", cell, component) for part in BANDS}
        _draw_bands(axes, times, mean, widths, colour)
    axes.plot(times, mean, color=colour, linewidth=1.8, label=label)
    if run.knows(name):
        axes.plot(times, series(run, f"{name}_theory", cell, component), **THEORY, zorder=3)


def _draw_bands(axes: Axes, times: np.ndarray, centre: np.ndarray, widths: dict[str, np.ndarray], colour: str) -> None:
    for part, width in widths.items():
        draw_band(axes, times, centre - width, centre + width, colour, OPACITIES[part])


def _draw_legend(figure: Figure, run: Curves, colours: dict[int, str]) -> None:
    """Cells in the first rows, what lines and bands mean in the last; one row where there is one cell."""
    cells = [Line2D([], [], color=colour, label=curve_label(run, cell)) for cell, colour in colours.items()]
    means = marks(run, OPACITIES)
    if run.has_predictions:
        predicted = Line2D([], [], color="#888888", label="predicted standard deviation", **PREDICTED)
        means.insert(int(run.has_theory), predicted)
    handles, ncols = by_columns([*in_rows(cells, figure), means] if len(cells) > 1 else [cells + means])
    figure.legend(handles=handles, loc="outside upper center", ncols=ncols, columnspacing=1.2, handlelength=1.6)
