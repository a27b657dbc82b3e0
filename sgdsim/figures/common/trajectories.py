"""Observables against time: the simulation's mean with its bands over the curve of theory, and the difference."""

import textwrap
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import (
    BANDS,
    THEORY,
    alive,
    bounded,
    by_columns,
    cell_colours,
    cell_label,
    draw_band,
    evenly,
    in_rows,
    is_logarithmic,
    logarithmic_times,
    lone_label,
    marks,
)
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.style import WIDTH
from sgdsim.store.stored import Stored

CELLS = 4
"""Cells drawn at most; of more, these many are picked evenly."""
COMPONENTS = 3
"""Components of a matrix drawn at most, from the largest at the final time to the smallest."""
COLUMNS = 3
TITLE = 34
"""Characters of a title that fit over a panel."""
PREDICTED: dict[str, Any] = {"linewidth": 1.1, "linestyle": (0, (1, 1.3))}
OPACITIES = {"std": 0.16, "sem": 0.45}

Component = tuple[int, ...]


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
        for panel, name in zip(panels, names, strict=False):
            _draw_observable(panel, run, name, colours)
        for axis in panels[len(names) :].flat:
            axis.remove()
        _draw_legend(figure, run, colours)
        return figure


def _chosen_cells(run: Stored) -> list[int]:
    return evenly(alive(run), CELLS)


def _chosen_observables(run: Stored) -> list[str]:
    """Those that change in time; a constant needs no panel."""
    values = {name: run.results[run.column(name)].isel(cell=_chosen_cells(run)) for name in run.observables}
    return [name for name, value in values.items() if bool((value.max("time") > value.min("time")).any())]


def _draw_observable(panel: np.ndarray, run: Stored, name: str, colours: dict[int, str]) -> None:
    """Curves of one observable in panel[0] and, where theory has it, the difference in panel[1]."""
    cells = list(colours)
    components = _chosen_components(run, name, cells)
    for cell, colour in colours.items():
        for component in components:
            _draw_curve(panel[0], run, name, cell, component, colour)
    panel[0].set_title(textwrap.fill(run.words(name), TITLE), parse_math=False)
    if components != [()]:
        _label_components(panel[0], run, name, cells, components)
    elif _is_positive(run, name, cells):
        panel[0].set_yscale("log")
    if run.knows(name):
        panel[0].tick_params(labelbottom=False)
        _draw_differences(panel[1], run, name, colours, _loudest(run, name, cells, components))
    else:
        for axes in panel[1:]:
            axes.remove()
        panel = panel[:1]
    if is_logarithmic(run.times(cells[0])):
        for axes in panel:
            logarithmic_times(axes)
    panel[-1].set_xlabel("$t$")


def _draw_differences(axes: Axes, run: Stored, name: str, colours: dict[int, str], component: Component) -> None:
    """Simulation minus theory of one component; of a positive scalar, in units of the theory."""
    relative = component == () and _is_positive(run, name, list(colours))
    for cell, colour in colours.items():
        theory = _series(run, f"{name}_theory", cell, component)
        scale = 1 / theory if relative else 1.0
        difference = scale * (_series(run, name, cell, component) - theory)
        widths = {part: scale * _series(run, f"{name}_{part}", cell, component) for part in BANDS}
        _draw_bands(axes, run.times(cell), difference, widths, colour)
        axes.plot(run.times(cell), difference, color=colour, linewidth=1.0)
        if f"{name}_predicted_std" in run.results:
            predicted = scale * _series(run, f"{name}_predicted_std", cell, component)
            for side in (predicted, -predicted):
                axes.plot(run.times(cell), side, color=colour, **PREDICTED)
    axes.axhline(0.0, **THEORY, zorder=3)
    axes.ticklabel_format(axis="y", scilimits=(-2, 2), useMathText=True)
    axes.yaxis.get_offset_text().set_fontsize(7)
    axes.set_ylabel("relative difference" if relative else "difference", fontsize=8)
    if component:
        label = _component_label(run, name, component)
        axes.annotate(label, (0.04, 0.86), xycoords="axes fraction", fontsize=8, va="center")


def _is_positive(run: Stored, name: str, cells: list[int]) -> bool:
    """Whether simulation and theory stay above 0, so that a logarithmic axis and ratios make sense."""
    parts = [part for part in (name, f"{name}_theory") if part in run.results]
    return not any(bool((run.results[part].isel(cell=cells) <= 0).any()) for part in parts)  # NaN where no theory is


def _draw_curve(axes: Axes, run: Stored, name: str, cell: int, component: Component, colour: str) -> None:
    times, mean = run.times(cell), bounded(_series(run, run.column(name), cell, component))
    if run.simulated:
        widths = {part: _series(run, f"{name}_{part}", cell, component) for part in BANDS}
        _draw_bands(axes, times, mean, widths, colour)
    axes.plot(times, mean, color=colour, linewidth=1.8)
    if run.knows(name):
        axes.plot(times, _series(run, f"{name}_theory", cell, component), **THEORY, zorder=3)


def _draw_bands(axes: Axes, times: np.ndarray, centre: np.ndarray, widths: dict[str, np.ndarray], colour: str) -> None:
    for part, width in widths.items():
        draw_band(axes, times, centre - width, centre + width, colour, OPACITIES[part])


def _series(run: Stored, variable: str, cell: int, component: Component) -> np.ndarray:
    values = run.results[variable].isel(cell=cell).to_numpy()  # (times, *dims)
    return values[(slice(None), *component)]


def _chosen_components(run: Stored, name: str, cells: list[int]) -> list[Component]:
    """At most COMPONENTS indices that every drawn cell has, the mirror images of a symmetric matrix left out."""
    final = run.results[run.column(name)].isel(cell=cells, time=-1).to_numpy()  # (cells, *dims)
    symmetric = final.ndim == 3 and final.shape[1] == final.shape[2] and _equal(final, final.swapaxes(1, 2))
    indices = [
        index
        for index in np.ndindex(final.shape[1:])
        if np.isfinite(final[(slice(None), *index)]).all() and not (symmetric and index[0] > index[1])
    ]
    indices.sort(key=lambda index: -final[(-1, *index)])
    picks = np.linspace(0, len(indices) - 1, min(COMPONENTS, len(indices))).round().astype(int)
    return [indices[pick] for pick in picks]


def _equal(left: np.ndarray, right: np.ndarray) -> bool:
    return bool(np.allclose(left, right, rtol=1e-12, atol=1e-300, equal_nan=True))


def _loudest(run: Stored, name: str, cells: list[int], components: list[Component]) -> Component:
    """The component that fluctuates most in the first of the cells."""
    return max(components, key=lambda component: float(_series(run, f"{name}_std", cells[0], component).sum()))


def _component_label(run: Stored, name: str, component: Component) -> str:
    """M_12, or M_{3,12} where an index has two digits; counted from 1 as in the papers."""
    separator = "," if max(component) > 8 else ""
    return f"${run.symbol(name)}_{{{separator.join(str(index + 1) for index in component)}}}$"


def _label_components(axes: Axes, run: Stored, name: str, cells: list[int], components: list[Component]) -> None:
    """Names of the components at the right end of their curves, pushed apart where they would overlap."""
    bottom, top = axes.get_ylim()
    gap = 0.1 * (top - bottom)
    ceiling = np.inf
    for component in components:  # largest first
        height = min(_series(run, run.column(name), cells[-1], component)[-1], ceiling)
        ceiling = height - gap
        place = (run.times(cells[-1])[-1], height)
        label = _component_label(run, name, component)
        axes.annotate(label, place, xytext=(3, 0), textcoords="offset points", va="center", fontsize=8)


def _draw_legend(figure: Figure, run: Stored, colours: dict[int, str]) -> None:
    """Cells in the first rows, what lines and bands mean in the last; one row where there is one cell."""
    cells = [
        Line2D([], [], color=colour, label=cell_label(run, cell) or lone_label(run)) for cell, colour in colours.items()
    ]
    means = marks(run, OPACITIES)
    if run.has_predictions:
        predicted = Line2D([], [], color="#888888", label="predicted standard deviation", **PREDICTED)
        means.insert(int(run.has_theory), predicted)
    handles, ncols = by_columns([*in_rows(cells, figure), means] if len(cells) > 1 else [cells + means])
    figure.legend(handles=handles, loc="outside upper center", ncols=ncols, columnspacing=1.2, handlelength=1.6)
