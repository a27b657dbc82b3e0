"""Ageing: the correlation of a state with that at a waiting time, against the time since then."""

import tomllib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import BANDS, THEORY, alive, by_columns, cell_label, draw_band, evenly, marks
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import INK, WIDTH, series_colours
from sgdsim.figures.typeset import shown
from sgdsim.store.stored import Stored

WAITING = "waiting"
"""The dimension of the waiting times, and their key in [problem]."""
LENGTH = "C"
"""The observable C(t, t)."""
CORRELATION = "C_waiting"
"""The observable C(t, t_w)."""
CELLS = 6
"""Cells drawn at most; of more, these many are picked evenly."""
COLUMNS = 2
CORRELATIONS, VALUES = "correlations with earlier times: set problem.waiting", "a cell with finite values"
OPACITIES = {"std": 0.16, "sem": 0.45}


@dataclass(frozen=True)
class AgingFigure(FigureKind):
    """A panel for each cell, a curve for each waiting time t_w, from t_w on."""

    name: ClassVar[str] = "aging"

    def lacks(self, run: Stored) -> str:
        """An observable with waiting times, and a cell with values."""
        if not _names(run) or not waiting_times(run):
            return CORRELATIONS
        return "" if alive(run) else VALUES

    def caption(self, run: Stored) -> str:
        """Curves, bands, theory, and what was left out."""
        name = run.words(_names(run)[0])
        dashed = " Dashed: theory." if run.has_theory else ""
        lines = (
            f" Mean over replicas with its standard error (dark band) and the standard deviation of one replica "
            f"(light band).{dashed}"
            if run.simulated
            else " Curves of theory; nothing was simulated."
        )
        cells, shown = len(alive(run)), len(evenly(alive(run), CELLS))
        some = f" {shown} of the {cells} cells are drawn." if shown < cells else ""
        return (
            f"The {name} t_w over the squared length at t_w, against the time since then; a curve for each waiting "
            f"time.{lines}{some}"
        )

    def draw(self, run: Stored) -> Figure:
        """A grid of panels with one legend above them."""
        cells = evenly(alive(run), CELLS)
        columns = min(COLUMNS, len(cells))
        rows = -(-len(cells) // columns)
        figure = Figure(figsize=(4.4 if columns == 1 else WIDTH, 2.6 * rows + 0.5), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axis, cell in zip(axes.flat, cells, strict=False):
            draw_aging(run, cell, axis)
        for axis in axes.flat[len(cells) :]:
            axis.remove()
        for axis in axes[:, 1:].flat:
            axis.set_ylabel("")
        draw_legend(figure, run, marks(run, OPACITIES))
        return figure


def _names(run: Stored) -> list[str]:
    """The correlation with each waiting time, where the length is known as well."""
    return [CORRELATION] if {LENGTH, CORRELATION} <= set(run.observables) else []


def waiting_times(run: Stored) -> list[float]:
    """The waiting times of the experiment, as they were asked for."""
    return list(tomllib.loads(run.experiment).get("problem", {}).get(WAITING, ()))


def draw_aging(run: Stored, cell: int | None = None, ax: Axes | None = None) -> Axes:
    """C(t_w + t, t_w) / C(t_w, t_w) of a cell against t, a curve for each waiting time t_w, labelled by it.

    The mean over replicas with both bands and, dashed, theory; each over its own mean squared length at t_w, which is
    interpolated between the save times about it.

    - `cell`: by default the first with finite values.

    **Raises:** ArgumentError where the run has no correlations with waiting times, or no finite values.
    """
    name = pick({one: one for one in _names(run) if waiting_times(run)}, None, CORRELATIONS)
    cell = pick({str(one): one for one in alive(run)}, None if cell is None else str(cell), VALUES)
    axes, waiting = panel(ax), waiting_times(run)
    dt, times = run.dt(cell), run.times(cell)
    for index, colour in enumerate(series_colours(len(waiting))):
        # The waiting time that was realised, a whole number of steps.
        start = np.rint(waiting[index] / dt) * dt
        later = times > start * (1 + 1e-9)  # a logarithmic axis has no place for 0
        since = times[later] - start
        values = {part: values_of(run, f"{name}{part}", cell, index)[later] for part in _parts(run, name)}
        own = "" if run.simulated else "_theory"
        length = _length(run, own, cell, start)
        centre = values[own] / length
        for part in BANDS if run.simulated else ():
            width = values[f"_{part}"] / length
            draw_band(axes, since, centre - width, centre + width, colour, OPACITIES[part])
        axes.plot(since, centre, color=colour, linewidth=1.6, label=label_of(waiting[index]))
        if run.has_theory:
            theory = values["_theory"] / _length(run, "_theory", cell, start)
            axes.plot(since, theory, **THEORY, zorder=3)
    axes.axhline(1.0, color=INK, linewidth=0.6, zorder=1)
    symbol = run.symbol(name)
    axes.set(xscale="log", xlabel="$t - t_w$", title=cell_label(run, cell))
    axes.set_ylabel(f"${symbol}$ / ${symbol.replace('(t,', '(t_w,')}$")
    return axes


def _length(run: Stored, part: str, cell: int, start: float) -> float:
    """The squared length at a waiting time, of the simulation or of theory."""
    # Of the length and not of the correlation, which has a kink at the waiting time.
    return float(np.interp(start, run.times(cell), run.results[f"{LENGTH}{part}"].isel(cell=cell).to_numpy()))


def label_of(time: float) -> str:
    """A waiting time in a legend."""
    return rf"$t_w$ = {shown(time)}"


def _parts(run: Stored, name: str) -> list[str]:
    return [part for part in ("", "_std", "_sem", "_theory") if f"{name}{part}" in run.results]


def values_of(run: Stored, variable: str, cell: int, index: int) -> np.ndarray:
    """One waiting time of a variable, shape (times,)."""
    return run.results[variable].isel({"cell": cell, WAITING: index}).to_numpy()


def draw_legend(figure: Figure, run: Stored, means: list[Any]) -> None:
    """Waiting times in the first rows, what lines and bands mean in the last."""
    waiting = waiting_times(run)
    most = 5 if figure.get_figwidth() > 5 else 3
    keys: list[Any] = [
        Line2D([], [], color=colour, label=label_of(time))
        for time, colour in zip(waiting, series_colours(len(waiting)), strict=True)
    ]
    rows = [items[first : first + most] for items in (keys, means) for first in range(0, len(items), most)]
    handles, columns = by_columns(rows)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, columnspacing=1.4)
