"""The law "two_term": quantity = first_coefficient * against + second_coefficient * second, beside theory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from sgdsim.analysis.names import DEVIATIONS
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.analysis.two_term import fit_two_term, fit_two_term_to_means, weighted_two_term
from sgdsim.laws.law import Finite, Fitted, Judged, Law, Members, PairFit, attempt, judgement, number, numbers
from sgdsim.laws.quality import in_table
from sgdsim.laws.quantities import each_replica, quantity_of
from sgdsim.laws.text import WIDENED, Name, Statement, Words, headings, held


class TwoTermFit(PairFit, frozen=True):
    """`second`: the parameter of the second term."""

    law: Literal["two_term"] = "two_term"


class FittedTwoTerm(TwoTermFit, Fitted, Judged, frozen=True):
    """Both coefficients, beside the system's own values, `first_expected` and `second_expected` (None without).

    `first_theory` and `second_theory` are those of the same fit, with the same weights, to theory's own values at the
    same points, `theory_points`. `points`: against, second, quantity, standard error.
    """

    first_coefficient: Finite = None
    first_error: Finite = None
    first_statistical_error: Finite = None
    second_coefficient: Finite = None
    second_error: Finite = None
    second_statistical_error: Finite = None
    first_expected: Finite = None
    second_expected: Finite = None
    first_theory: Finite = None
    second_theory: Finite = None
    theory_points: Sequence[Finite] = ()

    def at(
        self, u: Float[np.ndarray, " points"], v: Float[np.ndarray, " points"] | float
    ) -> Float[np.ndarray, " points"]:
        """The fitted law's value at `against` = u and `second` = v."""
        return number(self.first_coefficient) * u + number(self.second_coefficient) * v


@runtime_checkable
class TwoTermExpectation(Protocol):
    """What the theory of a system may expect of a law of two terms."""

    def coefficients(
        self, quantity: str, against: str, second: str, problems: Sequence[Any]
    ) -> tuple[float | None, float | None] | None:
        """Those of `against` and of `second`; None where theory does not say."""
        ...


@dataclass(frozen=True)
class TwoTerm(Law[TwoTermFit, FittedTwoTerm]):
    """quantity = first_coefficient * against + second_coefficient * second."""

    keys = TwoTermFit
    found = FittedTwoTerm
    number = "first_coefficient"
    expects = TwoTermExpectation
    columns = headings(
        "fit, of, coefficient of, measured, theory, coefficient of, measured, theory, chi2 / dof, points"
    )

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """Deviations and scalar observables."""
        return (*DEVIATIONS, *names)

    def fit(self, fit: TwoTermFit, members: Members) -> FittedTwoTerm:
        """Both coefficients; their errors from the replicas where these are known, else from those of the means."""
        u, v = members.x(fit), members.column(fit.second)
        points = [quantity_of(members.system, fit.quantity, None, cell) for cell in members.cells]
        mean, sem, theory = map(list, zip(*points, strict=True))
        replicas = [each_replica(fit.quantity, cell) for cell in members.cells]
        # All or none: errors of both kinds in one fit would be weighed against each other.
        known = [values for values in replicas if values is not None]
        law, problem = attempt(
            lambda: fit_two_term(u, v, known) if len(known) == len(u) else fit_two_term_to_means(u, v, mean, sem)
        )
        expected: TwoTermExpectation | None = self.expectation(members.system)
        pair = expected.coefficients(fit.quantity, fit.against, fit.second, members.problems) if expected else None
        own = (None, None) if law is None else attempt(lambda: weighted_two_term(u, v, mean, sem, theory))[0]
        return FittedTwoTerm(
            **fit.model_dump(),
            **numbers(law),
            **dict(zip(("first_expected", "second_expected"), pair or (None, None), strict=True)),
            **dict(zip(("first_theory", "second_theory"), own or (None, None), strict=True)),
            theory_points=theory,
            points=[list(point) for point in zip(u, v, mean, sem, strict=True)],
            problem=problem,
        )

    def headline(self, found: FittedTwoTerm) -> str:
        """Both coefficients beside what theory expects."""
        told = zip(_measured(found), _expected(found), _theory(found), strict=True)
        a, b = (coefficient + _beside(expected, theory) for coefficient, expected, theory in told)
        return f"{found.quantity} = a {found.against} + b {found.second} with a = {a}, b = {b}; {judgement(found)}"

    def statement(self, found: FittedTwoTerm, words: Words) -> Statement:
        """Both coefficients after the law; what is expected of them beside it."""
        known = zip("ab", _expected(found), strict=True)
        expected = [f"{sign} = {plain(value)}" for sign, value in known if value is not None]
        # Like is held against like: the same fit to theory's own points, where there is one.
        pairs = zip(_theory(found), _expected(found), strict=True)
        first, second = (alternative if theory is None else theory for theory, alternative in pairs)
        return Statement(
            (
                *(f"{words(found.quantity)} = ", Name("a"), " ", Name(found.against)),
                *(" + ", Name("b"), " ", Name(found.second)),
            ),
            (f"expected {', '.join(expected)}" if expected else "",),
            (
                held("a", found.first_coefficient, found.first_error, first),
                held("b", found.second_coefficient, found.second_error, second),
            ),
        )

    def row(self, name: str, found: FittedTwoTerm, words: Words) -> tuple[str, ...]:
        """Each coefficient beside that of theory."""
        (first, second), (first_expected, second_expected) = _measured(found), _expected(found)
        return (
            name,
            words(found.quantity),
            *(found.against, first, plain(first_expected)),
            *(found.second, second, plain(second_expected)),
            in_table(found),
            str(len(found.points)),
        )

    def notes(self, fits: Mapping[str, FittedTwoTerm]) -> list[str]:
        """What the law is, and what its errors are."""
        return [f"The quantity is the sum of two terms; the digits in parentheses are standard errors; {WIDENED}."]


def _measured(found: FittedTwoTerm) -> tuple[str, str]:
    """Both coefficients with their errors."""
    return (
        rounded(found.first_coefficient, found.first_error),
        rounded(found.second_coefficient, found.second_error),
    )


def _expected(found: FittedTwoTerm) -> tuple[float | None, float | None]:
    return found.first_expected, found.second_expected


def _theory(found: FittedTwoTerm) -> tuple[float | None, float | None]:
    return found.first_theory, found.second_theory


def _beside(expected: float | None, theory: float | None) -> str:
    """What is known of a coefficient, in parentheses."""
    known = [f"{word} {value:.4g}" for word, value in (("expected", expected), ("theory", theory)) if value is not None]
    return f" ({', '.join(known)})" if known else ""
