"""A share of replicas that rises with a parameter: points and fitted functions of every size, and their crossings."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.gumbel import gumbel
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.fits import numbers
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import INK, MARKERS, WIDTH, math_name, series_colours
from sgdsim.figures.typeset import shown, typeset
from sgdsim.laws.finite_size import FittedFiniteSize
from sgdsim.store.stored import Stored

LACKS = 'a fit with law = "finite_size": add a table [fits.NAME] to the experiment'


@dataclass(frozen=True)
class FiniteSizeFigure(FigureKind):
    """A panel for every fit, with the sizes as series."""

    name: ClassVar[str] = "finite_size"

    def lacks(self, run: Stored) -> str:
        """At least one such law."""
        return "" if run.laws(FittedFiniteSize) else LACKS

    def caption(self, run: Stored) -> str:
        """Points, lines, and what the band is."""
        laws = list(run.laws(FittedFiniteSize).values())
        what = " and ".join(dict.fromkeys(f"{run.words(law.quantity)} against {law.against}" for law in laws))
        known = (
            " Dashed: what is expected of an infinite size." if any(law.expected is not None for law in laws) else ""
        )
        return (
            f"Points: {what}, with binomial standard errors. Lines: laws of Gumbel by maximum likelihood, of every "
            f"size. Band: where those of the two largest sizes cross, with its standard error.{known}"
            f"{quality.caution(laws)}"
        )

    def draw(self, run: Stored) -> Figure:
        """Panels side by side, with legends of their own."""
        laws = run.laws(FittedFiniteSize)
        figure = Figure(figsize=(min(1.0, 0.5 * len(laws) + 0.1) * WIDTH, 3.3), layout="constrained")
        every = figure.subplots(1, len(laws), sharex=True, sharey=True, squeeze=False)[0]
        for axes, (name, law) in zip(every, laws.items(), strict=True):
            draw_finite_size(run, name, axes).legend(loc="best", fontsize=7)
            axes.set_title(_kept_to(law))
        for axes in every[1:]:
            axes.set_ylabel("")
        return figure


def draw_finite_size(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """The share of every size against the parameter, labelled by size and midpoint, with the fitted functions.

    - `name`: of the fit in the experiment; by default the first.

    **Raises:** ArgumentError where the run has no such law.
    """
    law = pick(run.laws(FittedFiniteSize), name, LACKS)
    axes = panel(ax)
    points = numbers(law.points)
    span = np.linspace(points[:, 0].min(), points[:, 0].max(), 300)
    sizes = numbers(law.sizes)
    for index, (row, colour) in enumerate(zip(sizes, series_colours(len(sizes)), strict=True)):
        size, midpoint, error, width = row[:4]
        label = f"{math_name(law.second)} = {plain(float(size))}: {typeset(rounded(float(midpoint), float(error)))}"
        style: dict[str, Any] = {"color": colour, "fmt": MARKERS[index % len(MARKERS)], "markersize": 4.5}
        x, share, bar = _shares(points[points[:, 1] == size])
        axes.errorbar(x, share, bar, capsize=2.5, elinewidth=1.2, label=label, **style)
        axes.plot(span, gumbel((span - midpoint) / width), color=colour, linewidth=1.2)
    if law.crossing is not None and law.crossing_error is not None:
        low, high = law.crossing - law.crossing_error, law.crossing + law.crossing_error
        axes.axvspan(low, high, color="#888888", alpha=0.25, linewidth=0, zorder=0)
    if law.expected is not None:
        axes.axvline(law.expected, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    axes.set(xlabel=math_name(law.against), ylabel=run.quantity_label(law.quantity))
    return axes


def _shares(points: Float[np.ndarray, "points 4"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, share and binomial error; of 0 and 1 that of one success more or less would be."""
    x, _, share, trials = points.T
    inside = np.clip(share, 1 / (trials + 2), 1 - 1 / (trials + 2))
    return x, share, np.sqrt(inside * (1 - inside) / trials)


def _kept_to(law: FittedFiniteSize) -> str:
    """The values to which the law is kept, as a title."""
    where = law.where or {}
    return ", ".join(f"{math_name(name)} = {', '.join(shown(value) for value in some)}" for name, some in where.items())
