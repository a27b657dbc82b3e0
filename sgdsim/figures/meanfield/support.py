"""Global convergence: the final risk of every run against width, from starts of different support."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.names import KEPT
from sgdsim.figures.common.curves import alive
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import finals, logarithmic_sizes
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import CATEGORIES, INK, WIDTH
from sgdsim.store.stored import Stored

AXIS, RISK = "support", "excess_risk"
WORDS = {"all": "all directions", "subspace": "a subspace, $c = 0$", "cone": "a cone, $a \\geq |(b, c)|$"}
"""The supports, in words."""
LACKS = "several supports and N in the grid, and the risk of every run"
SPREAD = 0.07
"""Of the marks of one N to either side, in ln N."""


@dataclass(frozen=True)
class SupportFigure(FigureKind):
    """A panel for each support: a mark for every run, and their median."""

    name: ClassVar[str] = "support"

    def lacks(self, run: Stored) -> str:
        """Final risks of every run for each support and N."""
        return "" if _series(run) else LACKS

    def caption(self, run: Stored) -> str:
        """Marks and lines."""
        return (
            "Final excess risk of every run, each from a start of its own, against the number of units, for starts "
            "whose support is the whole space, a subspace or a cone. Line: the median over runs."
        )

    def draw(self, run: Stored) -> Figure:
        """Side by side, with one scale."""
        found = _series(run)
        figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        every = figure.subplots(1, len(found), squeeze=False, sharey=True)[0]
        for axes, support in zip(every, found, strict=True):
            draw_support(run, support, axes)
        for axes in every[1:]:
            axes.set_ylabel("")
        return figure


def draw_support(run: Stored, support: str | None = None, ax: Axes | None = None) -> Axes:
    """The final excess risk of every run against N from starts of one support, and the median over runs.

    - `support`: as in the grid; by default the first.

    **Raises:** ArgumentError for another, and where the run keeps no risks of every run for supports and N.
    """
    found = _series(run)
    risks = pick(found, support, LACKS)
    name = next(iter(found)) if support is None else support
    axes, colour = panel(ax), CATEGORIES[list(found).index(name) % len(CATEGORIES)]
    for N, values in risks.items():
        # Sorted from left to right: marks of equal risk do not hide one another, and a share can be read off.
        places = N * np.exp(np.linspace(-SPREAD, SPREAD, len(values)))
        axes.plot(places, np.sort(values), "o", color=colour, markersize=2.4, alpha=0.5, markeredgewidth=0)
    axes.plot(list(risks), [np.median(values) for values in risks.values()], color=INK, linewidth=1.2)
    axes.set(yscale="log", ylabel="final excess risk")
    axes.set_title(WORDS.get(name, name), loc="left")
    logarithmic_sizes(axes, risks)
    return axes


def _series(run: Stored) -> dict[str, dict[int, np.ndarray]]:
    """Final risks of the runs by N, for every support in the order of the grid; none where there is no such grid."""
    found: dict[str, dict[int, np.ndarray]] = {}
    if f"{RISK}{KEPT}" not in run.results:
        return found
    for cell in alive(run):
        axes = run.summary.cells[cell].axes
        if {AXIS, "N"} <= set(axes):
            found.setdefault(str(axes[AXIS]), {})[int(axes["N"])] = finals(run, RISK, cell)
    return found if len(found) > 1 else {}
