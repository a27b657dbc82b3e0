"""The power of dt: a deviation over a + b log(p) against dt, in which all widths fall on one line."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import rounded
from sgdsim.figures.committee.log_power import RATIO, Collapsed, draw_columns, quantity_label
from sgdsim.figures.common.quality import caution, label
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import around, panel, pick
from sgdsim.figures.style import INK, math_name
from sgdsim.figures.typeset import shown, typeset
from sgdsim.laws.log_power import FittedLogPower
from sgdsim.store.stored import Stored

LACKS = 'a fit with law = "log_power" whose exponent is fitted, along an axis that changes dt'


@dataclass(frozen=True)
class LawInDtFigure(FigureKind):
    """quantity / (a + b log v) against x on logarithmic axes, beside x^s, and the ratio to it below."""

    name: ClassVar[str] = "law_in_dt"

    def lacks(self, run: Stored) -> str:
        """A law of this kind whose exponent was fitted."""
        return "" if _fits(run) else LACKS

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
        return draw_columns(run, _named(run), draw_law_in_dt, draw_law_in_dt_ratio)


def _named(run: Stored) -> dict[str, FittedLogPower]:
    """The laws whose points differ in x, by name."""
    return {name: fit for name, fit in run.laws(FittedLogPower).items() if len({point[0] for point in fit.points}) > 1}


def _fits(run: Stored) -> list[FittedLogPower]:
    return list(_named(run).values())


def draw_law_in_dt(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """A quantity over a + b log(v) against x = dt, where the points of all widths v = p fall on one line x^s.

    Crosses are what theory predicts of every point; series, line and predictions are labelled.

    - `name`: of the fit, with its group; by default the first.

    **Raises:** ArgumentError where the run has no such law whose exponent was fitted.
    """
    fit = pick(_named(run), name, LACKS)
    axes, points = panel(ax), Collapsed.of(run, fit)
    points.draw(axes, points.x, points.growth(points.v))
    predicted = "" if fit.theory_exponent is None else f", theory's {shown(fit.theory_exponent)}"
    slope, quality = typeset(rounded(points.power, fit.exponent_error)), label(fit, ", ", ", does not hold")
    span = around(points.x)
    axes.plot(span, span**points.power, color=INK, zorder=1, label=f"slope {slope}{predicted}{quality}")
    axes.set(xscale="log", yscale="log", xlabel=math_name(fit.against))
    variable = math_name(fit.second).strip("$")
    axes.set_ylabel(rf"{quantity_label(run, fit)} / $(a + b\,\log {variable})$")
    return axes


def draw_law_in_dt_ratio(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """The points of `draw_law_in_dt`, divided by the line.

    - `name`: as there.

    **Raises:** ArgumentError where the run has no such law whose exponent was fitted.
    """
    fit = pick(_named(run), name, LACKS)
    axes, points = panel(ax), Collapsed.of(run, fit)
    points.draw(axes, points.x, points.growth(points.v) * points.x**points.power, labelled=False)
    axes.axhline(1.0, color=INK, linewidth=0.8)
    axes.set(xscale="log", xlabel=math_name(fit.against), ylabel=RATIO)
    return axes
