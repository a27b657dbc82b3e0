"""The power of dt: a deviation over a + b log(p) against dt, in which all widths fall on one line."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from sgdsim.analysis.numbers import plain, rounded
from sgdsim.figures.committee.log_power import LAW, Collapsed, draw_columns
from sgdsim.figures.common.fits import Law
from sgdsim.figures.common.quality import caution, label
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.style import INK, math_name
from sgdsim.store.stored import Stored


@dataclass(frozen=True)
class LawInDtFigure(FigureKind):
    """quantity / (a + b log v) against x on logarithmic axes, beside x^s, and the ratio to it below."""

    name: ClassVar[str] = "law_in_dt"

    def lacks(self, run: Stored) -> str:
        """A law of this kind whose exponent was fitted."""
        return "" if _fits(run) else f'a fit with law = "{LAW}" whose exponent is fitted, along an axis that changes dt'

    def caption(self, run: Stored) -> str:
        """Points, line, ratio, predictions."""
        first = _fits(run)[0]
        known = any(np.isfinite(np.array(fit.theory_points, np.float64)).any() for fit in _fits(run))
        theory = " Crosses: what theory predicts of every point, without a fit." if known else ""
        return (
            f"Mean over replicas of the {run.words(first.quantity)} from theory with its standard error, divided by"
            f" a + b log({first.second}) of the law, against {first.against}: all widths on one line."
            f"{theory} Below: the same, divided by the line.{caution(_fits(run))}"
        )

    def draw(self, run: Stored) -> Figure:
        """A column for each law."""
        return draw_columns(run, _fits(run), _draw)


def _fits(run: Stored) -> list[Law]:
    """The laws whose points differ in x."""
    return [fit for fit in run.laws(LAW).values() if len({point[0] for point in fit.points}) > 1]


def _draw(upper: Axes, lower: Axes, points: Collapsed, quantity: str) -> None:
    growth, power = points.growth(points.v), points.power
    points.draw(upper, points.x, growth)
    points.draw(lower, points.x, growth * points.x**power, labelled=False)
    span = np.geomspace(points.x.min() / 1.3, points.x.max() * 1.3, 64)
    fit = points.fit
    slope = rounded(power, fit.exponent_error)
    quality = label(fit, ", ", ", does not hold")
    predicted = "" if fit.theory_exponent is None else f", theory's {plain(fit.theory_exponent, digits=4)}"
    upper.plot(span, span**power, color=INK, zorder=1, label=f"slope {slope}{predicted}{quality}")
    lower.axhline(1.0, color=INK, linewidth=0.8)
    upper.set(xscale="log", yscale="log")
    if span[-1] > 10 * span[0]:  # a power of ten has its label; others would overlap
        lower.xaxis.set_minor_formatter(NullFormatter())
    upper.set_ylabel(rf"{quantity} / $(a + b\,\log {math_name(fit.second).strip('$')})$")
    lower.set_xlabel(math_name(fit.against))
    upper.legend(loc="upper left", fontsize=7)
