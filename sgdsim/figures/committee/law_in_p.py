"""The growth with the width: a deviation over sqrt(dt) against p, under a + b log(p), beside sqrt(log p) and theory."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import rounded
from sgdsim.figures.committee.log_power import (
    RATIO,
    RIVAL,
    Collapsed,
    draw_columns,
    mark_widths,
    power_of,
    quantity_label,
)
from sgdsim.figures.common.quality import caution, label
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import CATEGORIES, INK, math_name
from sgdsim.figures.typeset import typeset
from sgdsim.laws.law import number
from sgdsim.laws.log_power import FittedForm, FittedLogPower, verdict
from sgdsim.store.stored import Stored

LACKS = 'a fit with law = "log_power"'
DASHED: dict[str, Any] = {"color": CATEGORIES[-1], "linestyle": RIVAL, "zorder": 1}
THIN: dict[str, Any] = {"color": CATEGORIES[4], "linewidth": 0.9, "zorder": 2}


@dataclass(frozen=True)
class LawInPFigure(FigureKind):
    """quantity / x^s against v on a logarithmic axis, on which a + b log(v) is straight, and the ratio to it below."""

    name: ClassVar[str] = "law_in_p"

    def lacks(self, run: Stored) -> str:
        """A law of this kind that could be fitted."""
        return "" if run.laws(FittedLogPower) else LACKS

    def caption(self, run: Stored) -> str:
        """Points, both forms, which is excluded, predictions."""
        fits = list(run.laws(FittedLogPower).values())
        first = fits[0]
        second = first.second
        told = " ".join(f"By chi2, {verdict(fit.excluded, fit.second)}." for fit in fits if fit.rival)
        known = any(np.isfinite(np.array(fit.theory_points, np.float64)).any() for fit in fits)
        curve = any(fit.theory_curve for fit in fits)
        theory = " Crosses: what theory predicts of every point, without a fit." if known else ""
        theory += " Thin line: the prediction at other widths." if curve else ""
        theory += "".join(
            f" No predicted curve: {fit.theory_curve_problem}" for fit in fits if fit.theory_curve_problem
        )
        return (
            f"Mean over replicas of the {run.words(first.quantity)} from theory with its standard error, divided by"
            f" {first.against} to the power of the law, against {second}. Solid: a + b log({second}). Dashed: the"
            f" rival a + b sqrt(log({second})). {told}{theory} Below: the same, divided by the solid line."
            f"{caution(fits)}"
        )

    def draw(self, run: Stored) -> Figure:
        """A column for each law."""
        return draw_columns(run, run.laws(FittedLogPower), draw_law_in_p, draw_law_in_p_ratio)


def draw_law_in_p(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """A quantity over x^s, x = dt, against the width v = p on a logarithmic axis, where a + b log(v) is straight.

    Dashed is the rival a + b sqrt(log v), thin the prediction at other widths; crosses are what theory predicts of the
    points. All are labelled.

    - `name`: of the fit, with its group; by default the first.

    **Raises:** ArgumentError where the run has no such law.
    """
    fit = pick(run.laws(FittedLogPower), name, LACKS)
    axes, points = panel(ax), Collapsed.of(run, fit)
    points.draw(axes, points.v, points.x**points.power)
    span, rival = _span(points), fit.rival
    axes.plot(span, points.growth(span), color=INK, label=_form(fit, fit, r"\log"), zorder=1)
    if rival:
        axes.plot(span, _rival(points, rival, span), label=_form(fit, rival, r"\sqrt{\log}"), **DASHED)
    if points.curve.size:
        v, x, predicted = points.curve
        axes.plot(v, predicted / x**points.power, label="predicted curve", **THIN)
    axes.set(xscale="log", xlabel=math_name(fit.second))
    axes.set_ylabel(f"{quantity_label(run, fit)} / ${power_of(fit.against, points.power)}$")
    return axes


def draw_law_in_p_ratio(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """Points, rival and predictions of `draw_law_in_p`, divided by the straight line.

    - `name`: as there.

    **Raises:** ArgumentError where the run has no such law.
    """
    fit = pick(run.laws(FittedLogPower), name, LACKS)
    axes, points = panel(ax), Collapsed.of(run, fit)
    points.draw(axes, points.v, points.x**points.power * points.growth(points.v), labelled=False)
    span = _span(points)
    if fit.rival:
        axes.plot(span, _rival(points, fit.rival, span) / points.growth(span), **DASHED)
    if points.curve.size:
        v, x, predicted = points.curve
        axes.plot(v, predicted / x**points.power / points.growth(v), **THIN)
    axes.axhline(1.0, color=INK, linewidth=0.8)
    axes.set(xscale="log", xlabel=math_name(fit.second), ylabel=RATIO)
    # The widths that were measured are marked; beyond them, where theory alone goes, powers of ten.
    decades = 10.0 ** np.arange(2, np.log10(_end(points)) + 1e-9)
    mark_widths(axes, np.append(points.v, decades[decades > 2 * points.v.max()]))
    return axes


def _end(points: Collapsed) -> float:
    """The largest width that is measured or predicted."""
    return max(points.v.max(), points.curve[0].max(initial=1.0))


def _span(points: Collapsed) -> Float[np.ndarray, " span"]:
    """Widths that a form is drawn at, a little beyond the points and >= 1."""
    return np.geomspace(points.v.min() / 1.15 if points.v.min() > 1.15 else 1.0, _end(points) * 1.1, 128)


def _rival(points: Collapsed, rival: FittedForm, span: Float[np.ndarray, " span"]) -> Float[np.ndarray, " span"]:
    """The form with sqrt(log v), as it is drawn over the points divided by the law's own power of x.

    The rival's exponent differs by a hair from it: the middle point agrees.
    """
    middle = float(np.exp(np.mean(np.log(points.x))))
    return middle ** (number(rival.exponent) - points.power) * points.growth(span, rival)


def _form(fit: FittedLogPower, form: FittedForm, growth: str) -> str:
    """A form with its coefficients and chi2, for a legend."""
    a, b = typeset(rounded(form.a, form.a_error)), typeset(rounded(form.b, form.b_error))
    variable = math_name(fit.second).strip("$")
    inside = rf"{growth[:-1]} {variable}}}" if growth.endswith("}") else rf"{growth} {variable}"
    return f"{a} + {b} ${inside}${label(form, ', ', ', does not hold')}"
