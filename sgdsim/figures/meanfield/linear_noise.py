"""The two terms of the distance from the limit: N E|W^N - W^*|^2 against N eps, where all beta lie on one line."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.curves import THEORY
from sgdsim.figures.common.fits import numbers
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import point_style
from sgdsim.figures.panels import around, panel, pick
from sgdsim.figures.style import INK, series_colours
from sgdsim.figures.typeset import shown, typeset
from sgdsim.laws.two_term import FittedTwoTerm
from sgdsim.store.stored import Stored

EPS, INVERSE, AXIS = "eps", "inverse_N", "beta"

LACKS = f'a fit with law = "two_term" against "{EPS}" and "{INVERSE}", of several beta'
NOISE = r"$N \varepsilon = \gamma N^\beta$"


@dataclass(frozen=True)
class LinearNoiseFigure(FigureKind):
    """Points of all cells in the variables in which c eps + b/N is a straight line, and their ratio to it."""

    name: ClassVar[str] = "linear_noise"

    def lacks(self, run: Stored) -> str:
        """One fit of two terms over several beta."""
        return "" if _found(run) else LACKS

    def caption(self, run: Stored) -> str:
        """What the line means."""
        law = _found(run)[0]
        theory = " Dashed: the linearised equations, without a fit." if _expected(law) else ""
        return (
            f"N times the {run.words(law.quantity)} at the final time, against N eps = gamma N^beta; mean over runs "
            "with its standard error. Line: c eps + b/N, one fit for all beta: the noise that the limit does not have, "
            f"and the sampling of the law by N particles.{theory} Below: the points, divided by it."
            f"{quality.caution([law])}"
        )

    def draw(self, run: Stored) -> Figure:
        """The line above, the ratio below."""
        figure = Figure(figsize=(4.6, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        draw_linear_noise(run, upper).legend(loc="upper left")
        upper.set_xlabel("")
        draw_linear_noise_ratio(run, lower)
        return figure


def draw_linear_noise(run: Stored, ax: Axes | None = None) -> Axes:
    """N E |W^N - W^*|^2 against N eps for every beta, with the line c N eps + b of the fit and, dashed, linear theory.

    Points and lines are labelled.

    **Raises:** ArgumentError where the run has no law of two terms, in eps and 1/N, over several beta.
    """
    law = _law(run)
    axes, groups, span = panel(ax), _points(run, law), _span(run, law)
    for index, (beta, colour) in enumerate(zip(groups, series_colours(len(groups)), strict=True)):
        x, y, error = groups[beta].T
        axes.errorbar(x, y, error, linestyle="none", label=rf"$\beta$ = {beta:g}", **point_style(index, colour))
    terms = ((getattr(law, f"{term}_coefficient"), getattr(law, f"{term}_error")) for term in ("first", "second"))
    c, b = (typeset(rounded(*term)) for term in terms)
    label = rf"$c\,\varepsilon + b/N$: $c$ = {c}, $b$ = {b}" + quality.label(law, "\n", ", law does not hold")
    axes.plot(span, _line(law, span), color=INK, linewidth=1.0, label=label, zorder=1)
    expected = _expected(law)
    if expected is not None:
        c, b = expected
        label = rf"linear theory: $c$ = {shown(c)}, $b$ = {shown(b)}"
        axes.plot(span, c * span + b, label=label, **THEORY)
    axes.set(xscale="log", yscale="log", xlabel=NOISE, ylabel=rf"$N\ \times$ {run.words(law.quantity)}")
    return axes


def draw_linear_noise_ratio(run: Stored, ax: Axes | None = None) -> Axes:
    """The points and the linear theory of `draw_linear_noise`, divided by the line of the fit.

    **Raises:** ArgumentError where the run has no law of two terms, in eps and 1/N, over several beta.
    """
    law = _law(run)
    axes, groups, span = panel(ax), _points(run, law), _span(run, law)
    for index, (points, colour) in enumerate(zip(groups.values(), series_colours(len(groups)), strict=True)):
        x, y, error = points.T
        line = _line(law, x)
        axes.errorbar(x, y / line, error / line, linestyle="none", **point_style(index, colour))
    expected = _expected(law)
    if expected is not None:
        axes.plot(span, (expected[0] * span + expected[1]) / _line(law, span), **THEORY)
    axes.axhline(1.0, color=INK, linewidth=0.8)
    axes.set(xscale="log", xlabel=NOISE, ylabel="measured / line")
    return axes


def _law(run: Stored) -> FittedTwoTerm:
    """The law. **Raises:** ArgumentError where there is none."""
    found = _found(run)
    return pick({"law": found[0]} if found else {}, None, LACKS)


def _line(law: FittedTwoTerm, x: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    return law.at(x, 1.0)


def _span(run: Stored, law: FittedTwoTerm) -> Float[np.ndarray, " span"]:
    """Where lines are drawn: a little beyond the points."""
    every = np.concatenate(list(_points(run, law).values()))[:, 0]
    return around(every, count=128)


def _expected(law: FittedTwoTerm) -> tuple[float, float] | None:
    """c and b of the linearised equations, where the system knows them."""
    c, b = law.first_expected, law.second_expected
    return None if c is None or b is None else (c, b)


def _found(run: Stored) -> list[FittedTwoTerm]:
    """The fits of two terms to cells of several beta; the first is drawn."""
    laws = [law for law in run.laws(FittedTwoTerm).values() if (law.against, law.second) == (EPS, INVERSE)]
    return [law for law in laws if len(_points(run, law)) > 1]


def _points(run: Stored, law: FittedTwoTerm) -> dict[float, Float[np.ndarray, "points 3"]]:
    """N eps and N times the quantity with its error, for every beta."""
    cells = [cell.values for cell in run.summary.cells]
    betas = {(cell[EPS], cell[INVERSE]): cell[AXIS] for cell in cells}
    found: dict[float, list[tuple[float, ...]]] = {}
    for eps, inverse, mean, error in numbers(law.points).tolist():
        found.setdefault(betas[eps, inverse], []).append((eps / inverse, mean / inverse, error / inverse))
    # A mean without an error is drawn without a bar, and not left out.
    return {beta: np.nan_to_num(np.array(sorted(found[beta]))) for beta in sorted(found)}
