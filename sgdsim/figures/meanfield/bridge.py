"""Between two limits: the final risk of N units in R^d over the ODE, d -> infinity, and the limit N -> infinity."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sgdsim.figures.common.curves import alive
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import point_style
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import INK, WIDTH
from sgdsim.figures.typeset import shown
from sgdsim.store.stored import Stored

NARROW, WIDE = "narrow_risk_theory", "excess_risk_theory"
LIMITS = {"ODE": (NARROW, r"ODE, $d \to \infty$"), "mean field": (WIDE, r"mean field, $N \to \infty$")}
"""The limits by name: the column of each, and what it is called in a panel."""
STYLES: dict[str, dict[str, Any]] = {
    "ODE": {"color": INK, "linewidth": 1.1, "linestyle": (0, (5, 2))},
    "mean field": {"color": "#c45fa0", "linewidth": 1.3, "linestyle": "-"},
}
LEAST, MOST = 1e-3, 1.0
"""Ends of the scale of deviations."""
CUTS = {"N": "d", "d": "N"}
"""What a cut is along, and what stays."""
LACKS = 'a theory of both limits, [theory] kind = "bridge", and several N and d in the grid'


@dataclass(frozen=True)
class PlaneCell:
    """The final risk of one cell, its error, and both predictions."""

    risk: float
    error: float
    limits: dict[str, float]

    def deviation(self, limit: str) -> float:
        """|risk/prediction - 1|."""
        return abs(self.risk / self.limits[limit] - 1)

    def resolved(self, limit: str) -> bool:
        """Whether the deviation is above two standard errors."""
        return abs(self.risk - self.limits[limit]) > 2 * self.error


Plane = dict[tuple[int, int], PlaneCell]
"""Cells by (d, N)."""


@dataclass(frozen=True)
class BridgeFigure(FigureKind):
    """The distance from each limit on the plane of d and N, and the risk along a cut in either direction."""

    name: ClassVar[str] = "bridge"

    def lacks(self, run: Stored) -> str:
        """Both limits on a grid over N and d."""
        return "" if _plane(run) else LACKS

    def caption(self, run: Stored) -> str:
        """What maps and cuts show."""
        return (
            "a: relative distance of the final excess risk of N units in R^d from the ODE, d -> infinity at that N, in "
            "percent; in brackets where it is below two standard errors of the runs. b: the same from the mean-field "
            "limit, N -> infinity at that d. Bold: the nearer of the two. c, d: the risk along a cut, means over runs "
            "with standard errors, and both predictions."
        )

    def draw(self, run: Stored) -> Figure:
        """Maps above, cuts below."""
        figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
        maps, cuts = figure.subplots(2, 2, height_ratios=(1.15, 1))
        for axes, limit in zip(maps, LIMITS, strict=True):
            draw_distance(run, limit, axes)
        for axes, along in zip(cuts, CUTS, strict=True):
            draw_cut(run, along, axes)
        handles, labels = cuts[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
        return figure


def draw_distance(run: Stored, limit: str = "mean field", ax: Axes | None = None) -> Axes:
    """The relative distance of the final risk from a limit, in percent, on the plane of d and N.

    - `limit`: "ODE", d -> infinity at fixed N, or "mean field", N -> infinity at fixed d.

    **Raises:** ArgumentError for another limit, and where the run does not have both on a grid over N and d.
    """
    plane = _plane(run)
    words = pick({name: words for name, (_, words) in LIMITS.items()} if plane else {}, limit, LACKS)
    axes = panel(ax)
    columns, rows = _values(plane, 0), _values(plane, 1)
    shades = np.full((len(rows), len(columns)), np.nan)
    for (d, N), cell in plane.items():
        place = columns.index(d), rows.index(N)
        shades[place[::-1]] = np.clip(cell.deviation(limit), LEAST, MOST)
        _write(axes, place, cell, limit)
    axes.imshow(shades, cmap="YlGnBu", norm=LogNorm(LEAST, MOST), origin="lower", aspect="auto")
    axes.set_xticks(range(len(columns)), [shown(d) for d in columns])
    axes.set_yticks(range(len(rows)), [shown(N) for N in rows])
    axes.set(xlabel="$d$", ylabel="$N$")
    axes.set_title(f"distance from the {words}, %", loc="left")
    axes.grid(visible=False)
    return axes


def draw_cut(run: Stored, along: str = "N", ax: Axes | None = None) -> Axes:
    """The final risk along N at the middle d, or along d at the middle N, over both predictions.

    - `along`: "N" or "d".

    **Raises:** ArgumentError for another name, and where the run does not have both limits on a grid over N and d.
    """
    plane = _plane(run)
    fixed = pick(CUTS if plane else {}, along, LACKS)
    axes, order = panel(ax), 1 if along == "N" else 0
    middle = _values(plane, 1 - order)[len(_values(plane, 1 - order)) // 2]
    cells = {place[order]: cell for place, cell in sorted(plane.items()) if place[1 - order] == middle}
    x, some = np.array(list(cells)), cells.values()
    for limit, (_, words) in LIMITS.items():
        axes.plot(x, [cell.limits[limit] for cell in some], label=words, **STYLES[limit])
    style: dict[str, Any] = point_style(0) | {"linestyle": "none"}
    axes.errorbar(x, [cell.risk for cell in some], [cell.error for cell in some], label="SGD", **style)
    axes.set(xscale="log", yscale="log", xlabel=f"${along}$", ylabel="final excess risk")
    axes.set_title(f"${fixed}$ = {shown(middle)}", loc="left")
    axes.set_xticks(x, [shown(int(value)) for value in x])
    axes.minorticks_off()
    _write_risks(axes)
    return axes


def _write_risks(axes: Axes) -> None:
    """Ticks of few digits that lie within the axis: in part of a decade there may be no power of ten."""
    low, high = axes.get_ylim()
    ticks = [
        mantissa * 10.0**power for power in range(-12, 3) for mantissa in (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 6, 8)
    ]
    inside = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(inside, [shown(tick) for tick in inside])
    axes.minorticks_off()


def _plane(run: Stored) -> Plane:
    """Cells with finite values by (d, N); none unless there are several of each, and both limits."""
    if not run.simulated or not {NARROW, WIDE} <= set(run.results):
        return {}
    found: Plane = {}
    for cell in alive(run):
        axes = run.summary.cells[cell].axes
        last = run.results.isel(cell=cell, time=-1)
        names = ("excess_risk", "excess_risk_sem", NARROW, WIDE)
        risk, error, *limits = (float(last[name]) for name in names)
        if {"N", "d"} <= set(axes) and np.isfinite([risk, *limits]).all():
            found[int(axes["d"]), int(axes["N"])] = PlaneCell(risk, error, dict(zip(LIMITS, limits, strict=True)))
    return found if min(len(_values(found, 0)), len(_values(found, 1))) > 1 else {}


def _values(plane: Plane, order: int) -> list[int]:
    """The values of d (0) or N (1), increasing."""
    return sorted({place[order] for place in plane})


def _write(axes: Axes, place: tuple[int, int], cell: PlaneCell, limit: str) -> None:
    """The deviation in percent; in brackets where it may be none, bold where the other limit is no nearer."""
    deviation = cell.deviation(limit)
    text = shown(round(100 * deviation, 1 if deviation < 0.1 else 0))
    colour = "white" if deviation > 0.1 else INK
    text = text if cell.resolved(limit) else f"({text})"
    weight = "bold" if deviation == min(map(cell.deviation, LIMITS)) else "normal"
    axes.annotate(text, place, ha="center", va="center", fontsize=7, color=colour, fontweight=weight, zorder=4)
