"""The growth with the width: a deviation over sqrt(dt) against p, under a + b log(p), beside sqrt(log p) and theory."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import rounded
from sgdsim.figures.committee.log_power import LAW, RIVAL, Collapsed, draw_columns, mark_widths, power_of
from sgdsim.figures.common.fits import Law
from sgdsim.figures.common.quality import caution, label
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.style import CATEGORIES, INK, math_name
from sgdsim.laws.log_power import verdict
from sgdsim.store.stored import Stored


@dataclass(frozen=True)
class LawInPFigure(FigureKind):
    """quantity / x^s against v on a logarithmic axis, on which a + b log(v) is straight, and the ratio to it below."""

    name: ClassVar[str] = "law_in_p"

    def lacks(self, run: Stored) -> str:
        """A law of this kind that could be fitted."""
        return "" if run.laws(LAW) else f'a fit with law = "{LAW}"'

    def caption(self, run: Stored) -> str:
        """Points, both forms, which is excluded, predictions."""
        fits = list(run.laws(LAW).values())
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
        return draw_columns(run, list(run.laws(LAW).values()), _draw)


def _draw(upper: Axes, lower: Axes, points: Collapsed, quantity: str) -> None:
    scale = points.x**points.power
    law = points.growth(points.v)
    points.draw(upper, points.v, scale)
    points.draw(lower, points.v, scale * law, labelled=False)
    end = max(points.v.max(), points.curve[0].max(initial=1.0))
    span = np.geomspace(points.v.min() / 1.15 if points.v.min() > 1.15 else 1.0, end * 1.1, 128)
    upper.plot(span, points.growth(span), color=INK, label=_form(points.fit, points.fit, r"\log"), zorder=1)
    rival = points.fit.rival
    if rival:
        dashed: dict[str, Any] = {"color": CATEGORIES[-1], "linestyle": RIVAL, "zorder": 1}
        # Its own exponent differs by a hair from the law's, by which the points are divided: the middle point agrees.
        shift = float(np.exp(np.mean(np.log(points.x)))) ** (rival.exponent - points.power)
        upper.plot(span, shift * points.growth(span, rival), label=_form(points.fit, rival, r"\sqrt{\log}"), **dashed)
        lower.plot(span, shift * points.growth(span, rival) / points.growth(span), **dashed)
    if points.curve.size:
        v, x, predicted = points.curve
        thin: dict[str, Any] = {"color": CATEGORIES[4], "linewidth": 0.9, "zorder": 2}
        upper.plot(v, predicted / x**points.power, label="predicted curve", **thin)
        lower.plot(v, predicted / x**points.power / points.growth(v), **thin)
    lower.axhline(1.0, color=INK, linewidth=0.8)
    lower.set(xscale="log")
    decades = 10.0 ** np.arange(2, np.log10(end) + 1e-9)
    mark_widths(lower, np.append(points.v, decades[decades > 2 * points.v.max()]))
    upper.set_ylabel(f"{quantity} / ${power_of(points.fit.against, points.power)}$")
    lower.set_xlabel(math_name(points.fit.second))
    upper.legend(loc="upper left", fontsize=7)


def _form(fit: Law, form: Law, growth: str) -> str:
    """A form with its coefficients and chi2, for a legend."""
    a, b = rounded(form.a, form.a_error), rounded(form.b, form.b_error)
    variable = math_name(fit.second).strip("$")
    inside = rf"{growth[:-1]} {variable}}}" if growth.endswith("}") else rf"{growth} {variable}"
    return f"{a} + {b} ${inside}${label(form, ', ', ', does not hold')}"
