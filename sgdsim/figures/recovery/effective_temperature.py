"""The fluctuation-dissipation plot: integrated response against correlation, whose slope is -1/T of a temperature T."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import THEORY, alive, cell_label, evenly
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.recovery.aging import (
    CELLS,
    COLUMNS,
    CORRELATION,
    LENGTH,
    VALUES,
    draw_legend,
    label_of,
    values_of,
    waiting_times,
)
from sgdsim.figures.style import INK, WIDTH, series_colours
from sgdsim.store.stored import Stored

RESPONSE = "chi_waiting"
"""The observable chi(t, t_w)."""
MOST = 0.1
"""Largest standard error that is drawn, as a share of theory's largest chi/C of the cell. Where a run leaves for the
signal its tangents grow without bound, and a mean over replicas says nothing any more."""
NEEDED = "correlations with and responses to earlier times: set problem.waiting, and simulator.response to measure them"


@dataclass(frozen=True)
class EffectiveTemperatureFigure(FigureKind):
    """A panel for each cell, a curve for each waiting time t_w, along which t grows from t_w on."""

    name: ClassVar[str] = "effective_temperature"

    def lacks(self, run: Stored) -> str:
        """Correlations and responses of waiting times, and a cell with values."""
        if not _sources(run) or not waiting_times(run):
            return NEEDED
        return "" if alive(run) else VALUES

    def caption(self, run: Stored) -> str:
        """What is drawn, and how a temperature is read off."""
        drawn: dict[tuple[str, ...], str] = {("",): "means over replicas", ("_theory",): "theory"}
        known = f"means over replicas where their error is below {MOST:g} of theory's largest value; dashed: theory"
        lines = drawn.get(_sources(run), known)
        return (
            "Integrated response to a force since t_w against the correlation with t_w, both over the squared length "
            f"at t; a curve for each t_w, {lines}. In equilibrium at temperature T all would fall on one line of slope "
            "-1/T that ends at (1, 0)."
        )

    def draw(self, run: Stored) -> Figure:
        """A grid of panels with one legend above them."""
        cells = evenly(alive(run), CELLS)
        columns = min(COLUMNS, len(cells))
        rows = -(-len(cells) // columns)
        figure = Figure(figsize=(4.4 if columns == 1 else WIDTH, 2.6 * rows + 0.5), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis, cell in zip(axes.flat, cells, strict=False):
            draw_effective_temperature(run, cell, axis)
        for axis in axes.flat[len(cells) :]:
            axis.remove()
        dashed = [Line2D([], [], **THEORY, label="theory")] if len(_sources(run)) > 1 else []
        draw_legend(figure, run, dashed)
        return figure


def _sources(run: Stored) -> tuple[str, ...]:
    """Of simulation and theory those that have correlation, response and length, as endings of their names."""
    needed = (CORRELATION, RESPONSE, LENGTH)
    return tuple(part for part in ("", "_theory") if all(f"{name}{part}" in run.results for name in needed))


def _largest_error(run: Stored, cell: int) -> float:
    """The largest standard error of chi/C that is drawn; any without a theory to compare with."""
    if "_theory" not in _sources(run):
        return np.inf
    chi, length = (run.results[f"{name}_theory"].isel(cell=cell) for name in (RESPONSE, LENGTH))
    return MOST * float((chi / length).max())


def draw_effective_temperature(run: Stored, cell: int | None = None, ax: Axes | None = None) -> Axes:
    """chi(t, t_w)/C(t, t) of a cell against C(t, t_w)/C(t, t), a curve for each waiting time t_w, labelled by it.

    - `cell`: by default the first with finite values.

    **Raises:** ArgumentError where the run has no responses to earlier times, or no finite values.
    """
    pick({RESPONSE: RESPONSE} if _sources(run) and waiting_times(run) else {}, None, NEEDED)
    cell = pick({str(one): one for one in alive(run)}, None if cell is None else str(cell), VALUES)
    axes, waiting, sources = panel(ax), waiting_times(run), _sources(run)
    times, most = run.times(cell), _largest_error(run, cell)
    for index, colour in enumerate(series_colours(len(waiting))):
        later = times >= np.rint(waiting[index] / run.dt(cell)) * run.dt(cell) * (1 - 1e-9)
        own = {"color": colour, "linewidth": 1.6, "label": label_of(waiting[index])}
        for part in sources:
            length = run.results[f"{LENGTH}{part}"].isel(cell=cell).to_numpy()
            C, chi = (values_of(run, f"{name}{part}", cell, index) / length for name in (CORRELATION, RESPONSE))
            if not part:
                chi = np.where(values_of(run, f"{RESPONSE}_sem", cell, index) / length <= most, chi, np.nan)
            line: dict[str, Any] = own if part == sources[0] else THEORY | {"zorder": 3}
            axes.plot(C[later], chi[later], **line)
    axes.axvline(1.0, color=INK, linewidth=0.6, zorder=1)
    axes.set(xlabel="$C(t,t_w)$ / $C(t,t)$", ylabel=r"$\chi(t,t_w)$ / $C(t,t)$", title=cell_label(run, cell))
    return axes
