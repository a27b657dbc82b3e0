"""The law "power_log": quantity = constant * against^slope * log(1 + 1/against)^log_slope, beside a bound of theory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from sgdsim.analysis.names import DEVIATIONS
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.analysis.power_log import fit_power_log
from sgdsim.laws.law import Finite, Fit, Fitted, Judged, Law, Members, attempt, judgement, numbers
from sgdsim.laws.quality import in_table
from sgdsim.laws.quantities import largest_of, quantity_of
from sgdsim.laws.text import DIGITS, Name, Number, Statement, Words, headings, held


class PowerLogFit(Fit, frozen=True):
    """Three numbers are fitted: three values of `against` at least."""

    law: Literal["power_log"] = "power_log"


class FittedPowerLog(PowerLogFit, Fitted, Judged, frozen=True):
    """The law, beside the exponents of an upper bound, `bound_slope` and `bound_log_slope` (None without).

    `correlation`: of both exponents. `points`: against, quantity, standard error.
    """

    slope: Finite = None
    slope_error: Finite = None
    slope_statistical_error: Finite = None
    log_slope: Finite = None
    log_slope_error: Finite = None
    log_slope_statistical_error: Finite = None
    constant: Finite = None
    constant_error: Finite = None
    constant_statistical_error: Finite = None
    correlation: Finite = None
    bound_slope: Finite = None
    bound_log_slope: Finite = None


@runtime_checkable
class PowerLogExpectation(Protocol):
    """What a theorem may say of a law with a power and a logarithm."""

    def bound(self, quantity: str, against: str, problems: Sequence[Any]) -> tuple[float, float] | None:
        """The exponents s and q of an upper bound C against^s log(1 + 1/against)^q; None where there is none."""
        ...


@dataclass(frozen=True)
class PowerLog(Law[PowerLogFit, FittedPowerLog]):
    """quantity = constant * against^slope * log(1 + 1/against)^log_slope."""

    keys = PowerLogFit
    found = FittedPowerLog
    number = "slope"
    expects = PowerLogExpectation
    columns = headings("fit, of, against, exponent, bound, exponent of the log, bound, correlation, chi2 / dof, points")

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """Deviations, scalar observables, and their largest means."""
        return (*DEVIATIONS, *names, *largest_of(names))

    def fit(self, fit: PowerLogFit, members: Members) -> FittedPowerLog:
        """Both exponents, from the means and their errors."""
        x = members.x(fit)
        mean, sem, _ = np.array([quantity_of(members.system, fit.quantity, None, cell) for cell in members.cells]).T
        law, problem = attempt(lambda: fit_power_log(x, mean, sem))
        expected: PowerLogExpectation | None = self.expectation(members.system)
        bound = expected.bound(fit.quantity, fit.against, members.problems) if expected else None
        return FittedPowerLog(
            **fit.model_dump(),
            **numbers(law),
            **dict(zip(("bound_slope", "bound_log_slope"), bound or (None, None), strict=True)),
            points=[list(point) for point in zip(x, mean.tolist(), sem.tolist(), strict=True)],
            problem=problem,
        )

    def headline(self, found: FittedPowerLog) -> str:
        """Both exponents beside those of the bound."""
        s, q = rounded(found.slope, found.slope_error), rounded(found.log_slope, found.log_slope_error)
        exponents = f"{plain(found.bound_slope)}, {plain(found.bound_log_slope)}"
        bound = "" if found.bound_slope is None else f" (bound {exponents})"
        law = f"{found.quantity} = C {found.against}^s log(1 + 1/{found.against})^q"
        return f"{law} with s = {s}, q = {q}{bound}, correlation {found.correlation:.3f}; {judgement(found)}"

    def statement(self, found: FittedPowerLog, words: Words) -> Statement:
        """The law; the exponents of the bound beside it."""
        bound = (
            f"bounded by exponents {plain(found.bound_slope)} and {plain(found.bound_log_slope)}"
            if found.bound_slope is not None
            else ""
        )
        return Statement(
            (
                f"{words(found.quantity)} = C ",
                Name(found.against),
                Number(rounded(found.slope, found.slope_error), raised=True),
                " log(1 + 1/",
                Name(found.against),
                ")",
                Number(rounded(found.log_slope, found.log_slope_error), raised=True),
            ),
            (bound,),
            (
                held("exponent", found.slope, found.slope_error, None),
                held("exponent of the logarithm", found.log_slope, found.log_slope_error, None),
            ),
        )

    def row(self, name: str, found: FittedPowerLog, words: Words) -> tuple[str, ...]:
        """Each exponent beside that of the bound."""
        return (
            *(name, words(found.quantity), found.against),
            *(rounded(found.slope, found.slope_error), plain(found.bound_slope)),
            *(rounded(found.log_slope, found.log_slope_error), plain(found.bound_log_slope)),
            *(f"{found.correlation:.3f}", in_table(found), str(len(found.points))),
        )

    def notes(self, fits: Mapping[str, FittedPowerLog]) -> list[str]:
        """Errors, and what a bound is."""
        return [DIGITS, "A bound is an upper one: the quantity may fall faster."]
