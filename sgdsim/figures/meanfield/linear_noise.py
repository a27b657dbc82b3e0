"""The two terms of the distance from the limit: N E|W^N - W^*|^2 against N eps, where all beta lie on one line."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import plain, rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.curves import THEORY
from sgdsim.figures.common.fits import Law
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import point_style
from sgdsim.figures.style import INK, series_colours
from sgdsim.store.stored import Stored

EPS, INVERSE, AXIS = "eps", "inverse_N", "beta"


@dataclass(frozen=True)
class LinearNoiseFigure(FigureKind):
    """Points of all cells in the variables in which c eps + b/N is a straight line, and their ratio to it."""

    name: ClassVar[str] = "linear_noise"

    def lacks(self, run: Stored) -> str:
        """One fit of two terms over several beta."""
        return "" if _found(run) else f'a fit with law = "two_term" against "{EPS}" and "{INVERSE}", of several beta'

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
        law = _found(run)[0]
        figure = Figure(figsize=(4.6, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        first, second = law.first_coefficient, law.second_coefficient
        groups = _points(run, law)
        colours = series_colours(len(groups))
        for index, (beta, points) in enumerate(groups.items()):
            (x, y, error), style = points.T, point_style(index, colours[index])
            upper.errorbar(x, y, error, linestyle="none", label=rf"$\beta$ = {beta:g}", **style)
            lower.errorbar(x, *(values / (first * x + second) for values in (y, error)), linestyle="none", **style)
        every = np.concatenate(list(groups.values()))[:, 0]
        span = np.geomspace(every.min() / 1.3, every.max() * 1.3, 128)
        c, b = rounded(first, law.first_error), rounded(second, law.second_error)
        label = rf"$c\,\varepsilon + b/N$: $c$ = {c}, $b$ = {b}" + quality.label(law, "\n", ", law does not hold")
        upper.plot(span, first * span + second, color=INK, linewidth=1.0, label=label, zorder=1)
        expected = _expected(law)
        if expected is not None:
            c, b = expected
            label = rf"linear theory: $c$ = {plain(c)}, $b$ = {plain(b)}"
            upper.plot(span, c * span + b, label=label, **THEORY)
            lower.plot(span, (c * span + b) / (first * span + second), **THEORY)
        upper.set(xscale="log", yscale="log", ylabel=rf"$N\ \times$ {run.words(law.quantity)}")
        upper.legend(loc="upper left")
        lower.axhline(1.0, color=INK, linewidth=0.8)
        lower.set(xlabel=r"$N \varepsilon = \gamma N^\beta$", ylabel="measured / line")
        return figure


def _expected(law: Law) -> tuple[float, float] | None:
    """c and b of the linearised equations, where the system knows them."""
    c, b = law.first_expected, law.second_expected
    return None if c is None or b is None else (c, b)


def _found(run: Stored) -> list[Law]:
    """The fits of two terms to cells of several beta; the first is drawn."""
    laws = [law for law in run.laws("two_term").values() if (law.against, law.second) == (EPS, INVERSE)]
    return [law for law in laws if len(_points(run, law)) > 1]


def _points(run: Stored, law: Law) -> dict[float, Float[np.ndarray, "points 3"]]:
    """N eps and N times the quantity with its error, for every beta."""
    cells = [cell.values for cell in run.summary.cells]
    betas = {(cell[EPS], cell[INVERSE]): cell[AXIS] for cell in cells}
    found: dict[float, list[tuple[float, ...]]] = {}
    for eps, inverse, mean, error in law.points:
        found.setdefault(betas[eps, inverse], []).append((eps / inverse, mean / inverse, (error or 0.0) / inverse))
    return {beta: np.array(sorted(found[beta])) for beta in sorted(found)}
