"""Averaged trajectories: the risk of the last weights and of their running means, and what noise adds to both."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import THEORY, alive, curve_label, is_logarithmic, logarithmic_times
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import legend_beside, panel, pick
from sgdsim.figures.style import WIDTH, series_colours
from sgdsim.store.stored import Stored

LAST, AVERAGE = "excess_risk", "excess_risk_average"
STYLES: dict[str, dict[str, Any]] = {LAST: {"marker": "o"}, AVERAGE: {"marker": "s", "markerfacecolor": "white"}}
WORDS = {LAST: "last weights", AVERAGE: "averaged weights"}
LACKS = 'averages and their limit: simulator.kind = "averaged" and theory.kind = "averaged"'
MOST = 6
"""Cells that are drawn."""


@dataclass(frozen=True)
class AveragesFigure(FigureKind):
    """The two risks over their limits, and beside them the distance from the limits."""

    name: ClassVar[str] = "averages"

    def lacks(self, run: Stored) -> str:
        """Risks of the averaged network, measured and of the limit."""
        return "" if _cells(run) else LACKS

    def caption(self, run: Stored) -> str:
        """Marks and lines, and what is subtracted."""
        return (
            "a: excess risk of the network (filled marks) and of the network whose weights are the means of all steps "
            "so far (open), mean over runs; dashed: their limits without noise. b: the same less the limit, which is "
            "what noise adds, with standard errors; what is within two of them of 0 is left out."
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels with a legend beside them."""
        figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_averages(run, left)
        draw_noise_excess(run, right)
        handles = list(left.get_legend_handles_labels()[0])
        handles += [Line2D([], [], color="#888888", markersize=4, label=WORDS[name], **STYLES[name]) for name in WORDS]
        legend_beside(figure, [*handles, Line2D([], [], **THEORY, label="limit")], fontsize=7)
        return figure


def draw_averages(run: Stored, ax: Axes | None = None) -> Axes:
    """Excess risk of the last and of the averaged weights against time over their limits, a labelled colour a cell.

    **Raises:** ArgumentError where the run has no averages with a limit.
    """
    axes, cells = panel(ax), _found(run)
    for cell, colour in zip(cells, series_colours(len(cells)), strict=True):
        times = run.times(cell)
        axes.plot([], [], color=colour, label=curve_label(run, cell))
        for name, style in STYLES.items():
            mean, _, limit = _curves(run, name, cell)
            axes.plot(times, mean, color=colour, linewidth=0, markersize=3.2, **style)
            line: dict[str, Any] = THEORY | {"color": colour}
            axes.plot(times, limit, **line)
    _scaled(axes, run, cells, "excess risk")
    return axes


def draw_noise_excess(run: Stored, ax: Axes | None = None) -> Axes:
    """What noise adds to the risk of the last and of the averaged weights against time, with standard errors.

    **Raises:** ArgumentError where the run has no averages with a limit.
    """
    axes, cells = panel(ax), _found(run)
    for cell, colour in zip(cells, series_colours(len(cells)), strict=True):
        for name, style in STYLES.items():
            mean, error, limit = _curves(run, name, cell)
            seen = mean - limit > 2 * error  # a logarithm has no place for less
            times, added = run.times(cell)[seen], (mean - limit)[seen]
            axes.errorbar(times, added, error[seen], color=colour, linewidth=0.9, markersize=3.2, **style)
    _scaled(axes, run, cells, "excess risk above the limit")
    return axes


def _scaled(axes: Axes, run: Stored, cells: list[int], words: str) -> None:
    axes.set(yscale="log", xlabel="$t$", ylabel=words)
    if is_logarithmic(run.times(cells[0])):
        logarithmic_times(axes)


def _found(run: Stored) -> list[int]:
    """The cells. **Raises:** ArgumentError where there are none."""
    cells = _cells(run)
    pick({str(cell): cell for cell in cells}, None, LACKS)
    return cells


def _cells(run: Stored) -> list[int]:
    """The first cells with averages that have a limit."""
    if not {f"{name}{ending}" for name in STYLES for ending in ("_sem", "_theory")} <= set(run.results):
        return []
    known = [cell for cell in alive(run, 2) if np.isfinite(_curves(run, AVERAGE, cell)[2]).all()]
    return known[:MOST]


def _curves(run: Stored, name: str, cell: int) -> tuple[Float[np.ndarray, " times"], ...]:
    """Mean over runs, its standard error, and the limit."""
    return tuple(run.results[f"{name}{part}"].isel(cell=cell).to_numpy() for part in ("", "_sem", "_theory"))
