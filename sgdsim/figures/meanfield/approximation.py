"""The approximation theorem: how far SGD and its SDE are apart against eps, by three couplings, under the bound."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.curves import alive
from sgdsim.figures.common.fits import coordinates, group_label, numbers, panels
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import GUIDE, point_style
from sgdsim.figures.panels import around, panel, pick
from sgdsim.figures.style import INK, WIDTH
from sgdsim.figures.typeset import typeset
from sgdsim.laws.law import number
from sgdsim.laws.power import FittedPower
from sgdsim.store.stored import Stored

COUPLINGS = {
    "apart_largest": "noise apart",
    "assigned_largest": "assigned",
    "laws_largest": "laws",
}
"""Quantities of the fits, and what is coupled."""
FLOORS = {"assigned_largest": "assigned_floor", "laws_largest": "laws_floor"}
"""What two samples of one law are apart."""
AGAINST = "eps"
LACKS = f'power laws of "apart_largest" and "assigned_largest" against "{AGAINST}"'


@dataclass(frozen=True)
class ApproximationFigure(FigureKind):
    """A panel for every noise: roots of mean squared distances, fitted powers, the bound, and the floors of samples."""

    name: ClassVar[str] = "approximation"

    def lacks(self, run: Stored) -> str:
        """A power law of every coupling against eps."""
        return "" if _groups(run) else LACKS

    def caption(self, run: Stored) -> str:
        """What is coupled to what, what the floor is, and what is bounded."""
        laws = [law for group in _groups(run).values() for law in group.values()]
        return (
            "Largest over the save times of E^(1/2) |W_sde - W_sgd|^2 against eps = gamma_N/N, from the same start. "
            "Noise apart: a run of each, which do not know of one another. Assigned: sorted runs, particle by "
            "particle, the best coupling of their laws given the start; laws: of a particle picked at random. Both "
            "from two folds of runs, without the floor: small open symbols are what two samples of one law are apart. "
            "Mean over starts with its standard error; lines: fitted powers. Dashed: the bound, "
            "C eps^(1/2) log(1 + 1/eps), drawn "
            f"through the largest eps of the runs that are apart.{quality.caution(laws)}"
        )

    def draw(self, run: Stored) -> Figure:
        """Panels side by side, with legends of their own."""
        groups = _groups(run)
        figure = Figure(figsize=(min(1.0, 0.5 * len(groups) + 0.1) * WIDTH, 3.6), layout="constrained")
        every = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, group in zip(every, groups, strict=True):
            draw_approximation(run, group, axes).legend(fontsize=6.5, loc="lower right")
            axes.set_title(group_label(coordinates(group)))
        for axes in every[1:]:
            axes.set_ylabel("")
        # Room for the legends below the points: between the couplings there is none.
        every[0].set_ylim(bottom=every[0].get_ylim()[0] / 12)
        return figure


def draw_approximation(run: Stored, group: str | None = None, ax: Axes | None = None) -> Axes:
    """max_t E^(1/2) |W_sde - W_sgd|^2 against eps, a labelled series for each coupling, with its floor and the bound.

    - `group`: of the fits, as "noise=common"; by default the first.

    **Raises:** ArgumentError where the run has no power laws of these against eps.
    """
    groups = _groups(run)
    name = pick({one: one for one in groups}, group, LACKS)
    axes = panel(ax)
    for index, (quantity, law) in enumerate(groups[name].items()):
        _draw_law(axes, law, index)
        if quantity in FLOORS:
            _draw_floor(axes, run, law, FLOORS[quantity], index)
    _draw_bound(axes, groups[name]["apart_largest"])
    axes.set(xscale="log", yscale="log", xlabel=r"$\varepsilon = \gamma_N/N$")
    axes.set_ylabel(r"$\max_t\,\mathrm{E}^{1/2}\, |W_{\rm sde} - W_{\rm sgd}|^2$")
    return axes


def _groups(run: Stored) -> dict[str, dict[str, FittedPower]]:
    """The laws of every group of cells, by quantity; groups without the first two are left out."""
    found: dict[str, dict[str, FittedPower]] = {}
    for groups in panels(run.fits).values():
        for group, law in groups.items():
            if law.against == AGAINST and law.quantity in COUPLINGS and not law.log:
                found.setdefault(group, {})[law.quantity] = law
    needed = list(COUPLINGS)[:2]
    return {
        group: {name: laws[name] for name in COUPLINGS if name in laws}
        for group, laws in found.items()
        if all(name in laws for name in needed)
    }


def _draw_law(axes: Axes, law: FittedPower, index: int) -> None:
    """Roots of the points and of the fitted law."""
    eps, mean, sem = numbers(law.points)[numbers(law.points)[:, 1] > 0].T
    style = point_style(index)
    # The error of a root is that of the square over twice the root; no bar reaches 0, which has no logarithm.
    root = np.sqrt(mean)
    error = sem / (2 * root)
    slope = None if law.slope is None else typeset(rounded(law.slope / 2, (law.slope_error or 0.0) / 2))
    label = f"{COUPLINGS[law.quantity]}: exponent {slope}" + quality.label(law, ", ", ", fails")
    axes.errorbar(eps, root, [np.minimum(error, 0.9 * root), error], linestyle="none", label=label, **style)
    span = around(eps, 1.15)
    axes.plot(span, np.sqrt(law.at(span)), color=style["color"], linewidth=1.2)


def _draw_floor(axes: Axes, run: Stored, law: FittedPower, name: str, index: int) -> None:
    """What two samples are apart, largest over time, at every eps of the law's cells."""
    cells = [cell for cell in alive(run) if cell in law.cells]
    points = np.array([(_eps(run, cell), float(run.results[name].isel(cell=cell).max())) for cell in cells])
    style: dict[str, Any] = point_style(index)
    x, y = points.T
    axes.plot(
        *(x, np.sqrt(y)),
        marker=style["marker"],
        color=style["color"],
        markerfacecolor="white",
        markersize=3.2,
        linewidth=0.5,
        linestyle=":",
        label="its floor",
    )


def _eps(run: Stored, cell: int) -> float:
    return float(run.summary.cells[cell].parameters[AGAINST])


def _draw_bound(axes: Axes, law: FittedPower) -> None:
    """The theorem's function, through the last point of the runs that are apart."""
    points: Float[np.ndarray, "points 3"] = numbers(law.points)
    eps = points[:, 0]
    last = int(np.argmax(eps))

    def bound(x: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
        return np.sqrt(x) * np.log1p(1 / x)

    span = around(eps, 1.15)
    height = float(np.sqrt(number(points[last, 1]))) / bound(eps)[last]
    axes.plot(span, height * bound(span), color=INK, label=r"$C \sqrt{\varepsilon}\, \log(1 + 1/\varepsilon)$", **GUIDE)
