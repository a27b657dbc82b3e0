"""The law "log_power": a logarithm beside a power, its rival with its square root, and theory seen the same way."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from pydantic import Field

from sgdsim.analysis.goodness import in_words, judged
from sgdsim.analysis.log_power import (
    Growth,
    LogPowerLaw,
    fit_log_power,
    fit_log_power_to_means,
    weighted_log_power,
)
from sgdsim.analysis.names import DEVIATIONS
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.errors import ArgumentError
from sgdsim.laws.law import (
    Finite,
    Fitted,
    Judged,
    Law,
    Members,
    Missing,
    PairFit,
    Rows,
    attempt,
    judgement,
    numbers,
    reason,
)
from sgdsim.laws.quality import in_table
from sgdsim.laws.quantities import Point, each_replica, is_alone, medians, quantity_of
from sgdsim.laws.text import WIDENED, Name, Number, Statement, Words, headings, held, in_errors

EXCLUDED = 3.0
"""Standard errors from which on a form counts as excluded."""


class LogPowerFit(PairFit, frozen=True):
    """`second`: the parameter of the logarithm; `exponent`: of `against`, where it is not to be fitted.

    `predict_to` asks theory for a curve up to this value of `second`.
    """

    law: Literal["log_power"] = "log_power"
    exponent: float | None = Field(default=None, ge=-100, le=100)
    predict_to: int | None = Field(default=None, ge=4, le=100_000)


class FittedForm(Judged, frozen=True):
    """One of the two forms of the law, see `sgdsim.analysis.log_power.LogPowerLaw`."""

    a: Finite = None
    a_error: Finite = None
    a_statistical_error: Finite = None
    b: Finite = None
    b_error: Finite = None
    b_statistical_error: Finite = None
    exponent: Finite = None
    exponent_error: Finite = None
    exponent_statistical_error: Finite = None


class Excluded(Judged, frozen=True):
    """The standard errors at which the mixture of both forms excludes each, and how well the mixture itself holds."""

    log: Finite = None
    sqrt_log: Finite = None


class FittedLogPower(LogPowerFit, Fitted, FittedForm, frozen=True):
    """quantity = (a + b log(second)) against^exponent, the exponent fitted or given.

    `rival` has the same numbers of the law with sqrt(log(second)); `excluded`: the standard errors at which each of the
    two is excluded (None where the points do not tell them apart). `theory_a`, `theory_b` and `theory_exponent` are
    those of the same fit, with the same weights, to theory's own values at the same points, `theory_points` (None
    without); `theory_chi2` is the sum of squared differences of measured and predicted points in standard errors, over
    `theory_dof` points: nothing is fitted. Where nothing was simulated, the law is fitted to theory itself, with equal
    relative weights and without errors, and the rival is not.

    `points`: against, second, quantity, standard error. With `predict_to`, `theory_curve` has rows (second, against,
    prediction), and `theory_curve_problem` says why it has none.
    """

    exponent: Finite = None
    rival: FittedForm | None = None
    excluded: Excluded | None = None
    theory_a: Finite = None
    theory_b: Finite = None
    theory_exponent: Finite = None
    theory_chi2: Finite = None
    theory_dof: int = 0
    expected_b: Finite = None
    theory_points: Sequence[Finite] = ()
    theory_curve: Rows | None = None
    theory_curve_problem: str | None = None


@runtime_checkable
class LogPowerExpectation(Protocol):
    """What the theory of a system may expect of a law with a logarithm."""

    def growth(self, quantity: str, against: str, second: str, problems: Sequence[Any]) -> float | None:
        """b, the growth of the quantity with log(second); None where theory does not say."""
        ...


@dataclass(frozen=True)
class LogPower(Law[LogPowerFit, FittedLogPower]):
    """quantity = (a + b log(second)) against^exponent, the exponent fitted or given."""

    keys = LogPowerFit
    found = FittedLogPower
    number = "b"
    expects = LogPowerExpectation
    reach = "predict_to"
    columns = headings(
        "fit, of, a, theory, b, theory, b / s.e., exponent of, measured, theory, chi2 / dof, "
        "chi2 / dof with sqrt(log), log excluded at, sqrt(log) excluded at, points"
    )

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """Deviations and scalar observables."""
        return (*DEVIATIONS, *names, *medians(names))

    def misses(self, fit: LogPowerFit, columns: Mapping[str, Sequence[float]]) -> Missing | None:
        """The exponent where `against` does not vary; a `second` with a logarithm that does."""
        against, second = columns.get(fit.against, ()), columns.get(fit.second, ())
        if fit.exponent is None and len(set(against)) == 1:
            return "exponent", f'must be given where against = "{fit.against}" takes one value only', "exponent = 0.5"
        if second and (min(second) < 1 or len(set(second)) == 1):
            return "second", "must take two or more values, all >= 1: its logarithm is the law's", 'second = "p"'
        return None

    def fit(self, fit: LogPowerFit, members: Members) -> FittedLogPower:
        """Both forms; errors from the replicas where these are known, else from those of the means."""
        x, v = members.x(fit), members.column(fit.second)
        points, missed = _points(fit, members)
        mean, sem, theory = np.array(points).T
        growth, problem = (
            (None, f"{missed[0]} ({len(missed)} of {len(x)} cells)")
            if missed
            else attempt(lambda: _growth(fit, members, x, v, mean, sem))
        )
        expected: LogPowerExpectation | None = self.expectation(members.system)
        asked = (fit.quantity, fit.against, fit.second, members.problems)
        law, rival, excluded = (None,) * 3 if growth is None else (growth.law, growth.rival, growth.excluded)
        # Theory as data: fitted with the weights of the data, its a and b differ from theirs by the data alone.
        values = None
        if growth is not None and not all(map(is_alone, members.cells)):
            values, _ = attempt(lambda: weighted_log_power(x, v, sem, theory, fit.exponent))
        theory_a, theory_b, theory_exponent = values or (None,) * 3
        theory_chi2, theory_dof = _without_a_fit(mean, sem, theory)
        return FittedLogPower(
            **fit.model_dump(exclude={"exponent"}),
            **numbers(law),
            rival=None if rival is None else FittedForm(**numbers(rival)),
            excluded=None if excluded is None else Excluded(**numbers(excluded)),
            theory_a=theory_a,
            theory_b=theory_b,
            theory_exponent=theory_exponent,
            expected_b=expected.growth(*asked) if expected else None,
            theory_chi2=theory_chi2,
            theory_dof=theory_dof,
            theory_points=theory.tolist(),
            points=[list(point) for point in zip(x, v, mean.tolist(), sem.tolist(), strict=True)],
            problem=problem,
        )

    def headline(self, found: FittedLogPower) -> str:
        """The coefficients beside those of theory, how sure b > 0 is, chi2 of both forms, and which is excluded."""
        coefficients = ", ".join(
            f"{one.sign} = {one.value}{' (given)' if one.given else one.beside}" for one in _coefficients(found)
        )
        law = f"{found.quantity} = (a + b log({found.second})) {found.against}^s with {coefficients}{_sure(found)}"
        if found.chi2 is None or found.rival is None:
            return law
        unfitted = (
            ""
            if found.theory_chi2 is None
            else f"; predicted points, without a fit: {in_words(found.theory_chi2, found.theory_dof)}"
        )
        return (
            f"{law}; {judgement(found)}; with sqrt(log({found.second})): chi2/dof = {found.rival.chi2:.3g}"
            f"/{found.rival.dof}; {verdict(found.excluded, found.second)}{unfitted}"
        )

    def statement(self, found: FittedLogPower, words: Words) -> Statement:
        """All three numbers after the law; those of theory, and what is said of the rival, beside it."""
        exponent = held("exponent s", found.exponent, found.exponent_error, found.theory_exponent)
        *_, s = _coefficients(found)
        expected = "" if found.expected_b is None else f"expected b = {plain(found.expected_b)}"
        sure = _sure(found).removeprefix(", ")
        rival = verdict(found.excluded, found.second) if sure else ""
        return Statement(
            (
                *(f"{words(found.quantity)} = (", Name("a"), " + ", Name("b"), " log ", Name(found.second), ") "),
                *(Name(found.against), Number("s", raised=True)),
            ),
            ("; ".join(filter(None, (expected, sure, rival))),),
            (
                held("a", found.a, found.a_error, found.theory_a),
                held("b", found.b, found.b_error, found.theory_b),
                replace(exponent, value=f"{s.value} (given)") if s.given else exponent,
            ),
        )

    def row(self, name: str, found: FittedLogPower, words: Words) -> tuple[str, ...]:
        """The coefficients beside theory, and what is said of the rival."""
        a, b, s = _coefficients(found)
        excluded = found.excluded or Excluded()
        return (
            *(name, f"{words(found.quantity)}, log({found.second})"),
            *(a.value, plain(a.theory), b.value, plain(b.theory)),
            in_errors(found.b, found.b_error),
            *(found.against, s.value, plain(s.theory)),
            *(in_table(found), in_table(found.rival)),
            *("-" if at is None else f"{at:.1f} s.e." for at in (excluded.log, excluded.sqrt_log)),
            str(len(found.points)),
        )

    def notes(self, fits: Mapping[str, FittedLogPower]) -> list[str]:
        """What the law and its rival are, and what its errors are."""
        return [
            (
                "quantity = (a + b log) x^exponent; an exponent without an error was given. The rival has sqrt(log) in "
                "place of log; the fit of both at once says at how many standard errors either is excluded. The digits "
                f"in parentheses are standard errors; {WIDENED}."
            )
        ]


@dataclass(frozen=True)
class _Coefficient:
    """A fitted number with its error, as text, and that of theory; `given`: whether it was not fitted."""

    sign: str
    value: str
    theory: float | None
    given: bool = False
    expected: float | None = None

    @property
    def beside(self) -> str:
        """Theory in parentheses, where there is any."""
        both = (("theory", self.theory), ("expected", self.expected))
        known = [f"{word} {value:.4g}" for word, value in both if value is not None]
        return f" ({', '.join(known)})" if known else ""


def _coefficients(found: FittedLogPower) -> tuple[_Coefficient, _Coefficient, _Coefficient]:
    """a, b and s; without errors of the points no exponent counts as given."""
    given = found.exponent_error is None and found.chi2 is not None
    return (
        _Coefficient("a", rounded(found.a, found.a_error), found.theory_a),
        _Coefficient("b", rounded(found.b, found.b_error), found.theory_b, expected=found.expected_b),
        _Coefficient("s", rounded(found.exponent, found.exponent_error), found.theory_exponent, given),
    )


def _sure(found: FittedForm) -> str:
    """`, b > 0 at 33.1 standard errors`; empty without an error."""
    if found.b is None or not found.b_error:
        return ""
    ratio = found.b / found.b_error
    return f", b {'>' if ratio > 0 else '<'} 0 at {abs(ratio):.1f} standard errors"


def verdict(excluded: Excluded | None, second: str) -> str:
    """Which form is excluded, in words; `second` is the name of the logarithm's parameter."""
    log, root = f"log({second})", f"sqrt(log({second}))"
    if excluded is None or excluded.log is None or excluded.sqrt_log is None:
        return f"{log} and {root} are not told apart by these points"
    at, root_at = excluded.log, excluded.sqrt_log
    if (at >= EXCLUDED) == (root_at >= EXCLUDED):
        both = "both are" if at >= EXCLUDED else "neither is"
        told = f"{both} excluded, {log} at {at:.1f} and {root} at {root_at:.1f} standard errors"
        if at < EXCLUDED or excluded.chi2 is None or excluded.dof is None:
            return told
        return f"{told}; a + b {log} + c {root} has {in_words(excluded.chi2, excluded.dof)}"
    if at >= EXCLUDED:
        log, at, root, root_at = root, root_at, log, at
    return f"{root} is excluded at {root_at:.1f} standard errors, {log} is not, at {at:.1f}"


def _without_a_fit(mean: np.ndarray, sem: np.ndarray, theory: np.ndarray) -> tuple[float | None, int]:
    """chi2 of the points against what theory predicts of them, None where it predicts nothing; and their number."""
    # NaN where theory is silent, infinite where a point has no error: neither is counted.
    scores = (mean - theory) / sem
    known = scores[np.isfinite(scores)]
    return float(known @ known) if len(known) else None, len(known)


def _points(fit: LogPowerFit, members: Members) -> tuple[list[Point], list[str]]:
    """The quantity of every cell, and why some have none."""
    points, missed = [], []
    for cell in members.cells:
        try:
            points.append(quantity_of(members.system, fit.quantity, None, cell))
        except ArgumentError as error:
            points.append((math.nan,) * 3)
            missed.append(reason(error))
    return points, missed


def _growth(
    fit: LogPowerFit, members: Members, x: list[float], v: list[float], mean: np.ndarray, sem: np.ndarray
) -> Growth:
    """The fit to replicas, to means, or to theory alone."""
    if all(map(is_alone, members.cells)):
        a, b, s = weighted_log_power(x, v, mean, mean, fit.exponent)
        # Equal relative weights: theory has no errors, and its values go over decades.
        none = judged(math.nan, len(x) - 2 - (fit.exponent is None), a=math.nan, b=math.nan, exponent=math.nan)
        return Growth(LogPowerLaw(a=a, b=b, exponent=s, **none), None, None)
    replicas = [values for cell in members.cells if (values := each_replica(fit.quantity, cell)) is not None]
    if len(replicas) == len(x):
        return fit_log_power(x, v, replicas, fit.exponent)
    return fit_log_power_to_means(x, v, mean, sem, fit.exponent)
