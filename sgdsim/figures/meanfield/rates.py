"""How fast particles approach their limit: E sup |W^N - W^*|^2 against N for every beta, and its slopes."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.analysis.numbers import rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.fits import by_axis, numbers
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import GUIDE, logarithmic_sizes, marked, point_style
from sgdsim.figures.panels import around, legend_beside, panel, pick
from sgdsim.figures.style import INK, WIDTH, series_colours
from sgdsim.figures.typeset import typeset
from sgdsim.laws.law import number
from sgdsim.laws.power import FittedPower
from sgdsim.laws.two_term import FittedTwoTerm
from sgdsim.store.stored import Stored

QUANTITY, AGAINST, AXIS = "coupling", "N", "beta"
LACKS = 'a power law of "coupling" against "N", and beta in the grid'


@dataclass(frozen=True)
class Series:
    """The law of one beta: the power, and the two terms where they could be fitted."""

    beta: float
    power: FittedPower
    two: FittedTwoTerm | None
    colour: str

    @property
    def exponent(self) -> float:
        """The slope of theory."""
        return number(self.power.expected_slope)


@dataclass(frozen=True)
class RatesFigure(FigureKind):
    """Points and laws for every beta, and beside them the slopes over the two theorems."""

    name: ClassVar[str] = "rates"

    def lacks(self, run: Stored) -> str:
        """Power laws of the coupling against N, for each beta."""
        return "" if _series(run) else LACKS

    def caption(self, run: Stored) -> str:
        """What is measured, what is fitted, and what is theory, left and right."""
        two = any(one.two for one in _series(run))
        lines = "a N^-(1 - beta) + b/N, fitted by weighted least squares" if two else "fitted power laws"
        return (
            "a: mean over particles of the largest squared distance of a particle from its limit, which shares its "
            f"start and its noise; mean over runs with its standard error. Solid: {lines}. Dashed: the exponents of "
            "theory, 1 - beta for beta < 1 and 1 at beta = 1. b: fitted slopes of single powers, their errors by "
            "bootstrap over the runs; line and full circle: theory; the empty circle is what the line leaves out."
            f"{quality.caution(one.power for one in _series(run))}"
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels with one legend beside them."""
        figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        draw_rates(run, left)
        draw_slopes(run, right)
        _draw_legend(figure, _series(run))
        return figure


def _series(run: Stored) -> list[Series]:
    """The laws by increasing beta; none where the groups differ in more than beta."""
    powers = by_axis({name: fit for name, fit in run.fits.items() if _is_rate(fit) and _expected(fit)}, AXIS)
    twos = by_axis({name: fit for name, fit in run.laws(FittedTwoTerm).items() if fit.quantity == QUANTITY}, AXIS)
    colours = series_colours(len(powers))
    return [
        Series(beta, law, twos.get(beta) if beta < 1 else None, colour)
        for (beta, law), colour in zip(powers.items(), colours, strict=True)
    ]


def _is_rate(fit: FittedPower) -> bool:
    return fit.quantity == QUANTITY and fit.against == AGAINST


def _expected(fit: FittedPower) -> bool:
    return fit.expected_slope is not None


def draw_rates(run: Stored, ax: Axes | None = None) -> Axes:
    """E sup_t |W^N - W^*|^2 against N for every beta, with the fitted laws and, dashed, the exponents of theory.

    **Raises:** ArgumentError where the run has no power law of the coupling against N for every beta.
    """
    found = _found(run)
    axes = panel(ax)
    for index, one in enumerate(found):
        _draw_law(axes, one, index)
    axes.set(yscale="log", ylabel=r"$\mathrm{E}\,\sup_t\, |W^N - W^*|^2$")
    logarithmic_sizes(axes, np.concatenate([numbers(one.power.points)[:, 0] for one in found]))
    return axes


def _found(run: Stored) -> list[Series]:
    """The laws. **Raises:** ArgumentError where there are none."""
    found = _series(run)
    pick({f"{one.beta:g}": one for one in found}, None, LACKS)
    return found


def _draw_law(axes: Axes, one: Series, index: int) -> None:
    N, mean, sem = numbers(one.power.points).T
    label = rf"$\beta$ = {one.beta:g}"
    axes.errorbar(N, mean, sem, linestyle="none", label=label, **point_style(index, one.colour))
    span = around(N, 1.25)
    fitted = one.power.at(span) if one.two is None else _two_terms(one.two, span)
    axes.plot(span, fitted, color=one.colour, linewidth=1.3)
    # Through the middle of the points: the slope is what theory says, not the height.
    middle = np.exp(np.log(N).mean())
    height = np.exp(np.log(mean).mean())
    axes.plot(span, height * (span / middle) ** one.exponent, color=one.colour, zorder=3, **GUIDE)


def _two_terms(law: FittedTwoTerm, N: np.ndarray) -> np.ndarray:
    """a u + b v at other N: u and v are powers of N, so that their logarithms are straight lines through the points."""
    u, v = numbers(law.points)[:, :2].T
    slope, offset = np.polyfit(np.log(v), np.log(u), 1)
    return law.at(np.exp(offset) * N**-slope, 1 / N)


def draw_slopes(run: Stored, ax: Axes | None = None) -> Axes:
    """The fitted slopes in N against beta with their errors, over the two theorems: -(1 - beta), and -1 at beta = 1.

    **Raises:** ArgumentError where the run has no power law of the coupling against N for every beta.
    """
    found = _found(run)
    axes = panel(ax)
    axes.plot([0, 1], [-1, 0], color=INK, **GUIDE)
    axes.plot(1, 0, "o", color=INK, markersize=7, markerfacecolor="white", markeredgewidth=0.9)
    axes.plot(1, -1, "o", color=INK, markersize=9, markerfacecolor="none", markeredgewidth=0.9)
    for index, one in enumerate(found):
        error = one.power.slope_error or 0.0
        axes.errorbar(one.beta, number(one.power.slope), error, **point_style(index, one.colour))
    axes.set(xlabel=r"$\beta$", ylabel="slope in $N$", xlim=(-0.06, 1.08))
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -1.12), max(high, 0.08))
    axes.annotate(r"$-(1 - \beta)$", (0.45, -0.55), xytext=(-6, 4), textcoords="offset points", ha="right")
    axes.annotate(r"$\beta = 1$: $-1$", (1, -1), xytext=(-9, 5), textcoords="offset points", ha="right")
    return axes


def _draw_legend(figure: Figure, found: list[Series]) -> None:
    """The slope of every beta, then what the lines are."""
    keys: list[Any] = []
    for index, one in enumerate(found):
        slope = typeset(rounded(one.power.slope, one.power.slope_error))
        label = rf"$\beta$ = {one.beta:g}: slope {slope}" + quality.label(one.power, "\n", ", fails")
        keys.append(Line2D([], [], linewidth=0, label=label, **marked(point_style(index, one.colour))))
    if any(one.two for one in found):
        keys.append(Line2D([], [], color="#888888", linewidth=1.3, label=r"$a N^{-(1-\beta)} + b/N$"))
    keys.append(Line2D([], [], color="#888888", label="exponent of theory", **GUIDE))
    style = {"marker": "o", "markerfacecolor": "none", "linewidth": 0}
    keys.append(Line2D([], [], color=INK, markersize=7, label=r"theory at $\beta$ = 1", **style))
    legend_beside(figure, keys, fontsize=7)
