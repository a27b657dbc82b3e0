"""A law of a package, and its figure: quantity = factor * theory in all cells, with one factor for all of them.

With y the mean of a scalar observable at the last save time, s its standard error and x the theory, by least squares,

    factor = S_xy / S_xx,    its error = S_xx^(-1/2),    S_ab = sum over the cells of a b / s^2

A theory that is right has factor = 1 within the error; one that lacks a factor of two has 2.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from sgdsim.analysis.goodness import judged
from sgdsim.analysis.numbers import rounded
from sgdsim.figures.kinds import FigureKind
from sgdsim.laws.law import Finite, Fit, Fitted, Judged, Law, judgement
from sgdsim.laws.quality import in_table
from sgdsim.laws.quantities import final
from sgdsim.laws.text import DIGITS, Number, Statement, headings, held, in_errors


class FactorFit(Fit, frozen=True):  # the keys of [fits.NAME], beside those that all laws have
    law: Literal["factor"] = "factor"
    within: float = Field(gt=0, examples=[0.05])  # how near to 1 counts as agreement


class FittedFactor(FactorFit, Fitted, Judged, frozen=True):  # what summary.json holds of it
    factor: Finite = None
    factor_error: Finite = None
    factor_statistical_error: Finite = None


@dataclass(frozen=True)
class Factor(Law[FactorFit, FittedFactor]):
    keys = FactorFit
    found = FittedFactor
    number = "factor"
    compares = True  # so that an experiment without a theory is refused
    columns = headings("fit, of, measured / theory, (factor - 1) / s.e., chi2 / dof, points")

    def quantities(self, names):
        return tuple(names)

    def fit(self, fit, members):
        y, s, x = np.array([final(cell, fit.quantity) for cell in members.cells]).T
        points = np.stack([members.x(fit), y, s, x], axis=1).tolist()
        if not (np.isfinite(s) & (s > 0) & (x != 0)).all():
            return FittedFactor(
                **fit.model_dump(), points=points, problem="no fit: every cell needs a theory and an error"
            )
        weight = ((x / s) ** 2).sum()
        factor = float((x * y / s**2).sum() / weight)
        found = judged(float((((y - factor * x) / s) ** 2).sum()), len(x) - 1, factor=weight**-0.5)
        return FittedFactor(**fit.model_dump(), **found, factor=factor, points=points)

    def headline(self, found):
        agrees = "agree" if abs(found.factor - 1) < found.within else "do not agree"
        measured = rounded(found.factor, found.factor_error)
        return f"{found.quantity} = {measured} theory: they {agrees} within {found.within:g}; {judgement(found)}"

    def statement(self, found, words):
        factor = Number(rounded(found.factor, found.factor_error))
        head = (f"{words(found.quantity)} = ", factor, " times theory")
        return Statement(head, numbers=(held("factor", found.factor, found.factor_error, 1.0),))

    def row(self, name, found, words):
        off = in_errors(found.factor - 1, found.factor_error)
        measured = rounded(found.factor, found.factor_error)
        return name, words(found.quantity), measured, off, in_table(found), str(len(found.points))

    def notes(self, fits):
        return [DIGITS]


@dataclass(frozen=True)
class FactorFigure(FigureKind):
    name: ClassVar[str] = "factor"

    def lacks(self, run):
        return "" if run.laws(FittedFactor) else "a fit of the law factor"

    def caption(self, run):
        return "Mean over theory in every cell with its standard error; the band is the fitted factor with its own."

    def draw(self, run):
        figure = Figure(figsize=(4.2, 3.0), layout="constrained")
        axes = figure.subplots()
        for name, found in run.laws(FittedFactor).items():
            x, mean, error, theory = np.array(found.points).T
            (line, *_) = axes.errorbar(x, mean / theory, error / abs(theory), fmt="o", label=name)
            low, high = found.factor - found.factor_error, found.factor + found.factor_error
            axes.axhspan(low, high, color=line.get_color(), alpha=0.2)
        axes.set(xlabel=found.against, ylabel="measured / theory")
        axes.legend()
        return figure


LAW, FIGURE = Factor(), FactorFigure()
