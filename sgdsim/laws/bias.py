"""The law "bias": simulation - theory = intercept + coefficient / against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from sgdsim.analysis.bias import fit_bias
from sgdsim.analysis.numbers import rounded
from sgdsim.laws.law import Finite, Fit, Fitted, Judged, Law, Members, attempt, judgement, number, numbers
from sgdsim.laws.quality import in_table
from sgdsim.laws.quantities import final
from sgdsim.laws.text import DIGITS, Number, Statement, Words, headings, held, in_errors


class BiasFit(Fit, frozen=True):
    """No keys of its own."""

    law: Literal["bias"] = "bias"


class FittedBias(BiasFit, Fitted, Judged, frozen=True):
    """See `sgdsim.analysis.bias.BiasLaw`. `points`: against, difference, standard error."""

    intercept: Finite = None
    intercept_error: Finite = None
    intercept_statistical_error: Finite = None
    coefficient: Finite = None
    coefficient_error: Finite = None
    coefficient_statistical_error: Finite = None

    def at(self, inverse: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
        """The fitted line's value at 1/x: it goes on to 0, where it is the intercept."""
        return number(self.intercept) + number(self.coefficient) * inverse


@dataclass(frozen=True)
class Bias(Law[BiasFit, FittedBias]):
    """simulation - theory = intercept + coefficient / against, of a scalar observable at the last save time."""

    keys = BiasFit
    found = FittedBias
    number = "intercept"
    compares = True
    columns = headings("fit, of, against, intercept, intercept / s.e., coefficient, chi2 / dof, points")

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """The scalar observables: a line needs a theory of the same quantity."""
        return tuple(names)

    def fit(self, fit: BiasFit, members: Members) -> FittedBias:
        """A straight line in 1/against."""
        rows = [final(cell, fit.quantity) for cell in members.cells]
        # The error of the difference is that of the simulation: theory has none.
        points = [[x, mean - theory, sem] for x, (mean, sem, theory) in zip(members.x(fit), rows, strict=True)]
        law, problem = attempt(lambda: fit_bias(*map(list, zip(*points, strict=True))))
        return FittedBias(**fit.model_dump(), **numbers(law), points=points, problem=problem)

    def headline(self, found: FittedBias) -> str:
        """The intercept and the coefficient of 1/x, and how well the line holds."""
        return (
            f"{found.quantity} - theory = {_intercept(found)} + c/{found.against} with c = {_coefficient(found)};"
            f" {judgement(found)}"
        )

    def statement(self, found: FittedBias, words: Words) -> Statement:
        """The intercept; the coefficient beside it."""
        return Statement(
            (f"bias of the {words(found.quantity)} = ", Number(_intercept(found))),
            (f"what is left of simulation minus theory as {found.against} grows",),
            (
                held("bias", found.intercept, found.intercept_error, 0.0),
                held(f"coefficient of 1/{found.against}", found.coefficient, found.coefficient_error, None),
            ),
        )

    def row(self, name: str, found: FittedBias, words: Words) -> tuple[str, ...]:
        """Intercept and coefficient of the line in 1/x."""
        return (
            name,
            words(found.quantity),
            f"1/{found.against}",
            _intercept(found),
            in_errors(found.intercept, found.intercept_error),
            _coefficient(found),
            in_table(found),
            str(len(found.points)),
        )

    def notes(self, fits: Mapping[str, FittedBias]) -> list[str]:
        """What the errors are."""
        return [DIGITS]


def _intercept(found: FittedBias) -> str:
    return rounded(found.intercept, found.intercept_error)


def _coefficient(found: FittedBias) -> str:
    return rounded(found.coefficient, found.coefficient_error)
