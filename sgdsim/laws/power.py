"""The law "power": quantity = constant * against^slope, beside what theory expects of it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sgdsim.analysis.fits import PowerLaw, fit_power_law, fit_power_law_to_means, weighted_law
from sgdsim.analysis.goodness import judged
from sgdsim.analysis.names import DEVIATIONS
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.errors import ArgumentError
from sgdsim.laws.law import (
    Finite,
    Fit,
    Fitted,
    Judged,
    Law,
    Members,
    attempt,
    judgement,
    number,
    numbers,
    reason,
)
from sgdsim.laws.quality import in_table
from sgdsim.laws.quantities import COLUMNS, Point, apart, each_replica, is_alone, largest_of, medians, quantity_of
from sgdsim.laws.text import DIGITS, Line, Name, Number, Statement, Table, Words, called, headings, held


class PowerFit(Fit, frozen=True):
    """`level` belongs to the quantities that say when one is reached; with `log` it is quantity / |ln(against)|."""

    law: Literal["power"] = "power"
    level: float | None = Field(default=None, gt=0)
    log: bool = False


class FittedPower(PowerFit, Fitted, Judged, frozen=True):
    """The law, beside theory.

    `expected_slope` is the exponent by theory, of a law with a logarithm that beside it, and `expected_assumes` what
    that takes for granted, in words (None where nothing). `theory_slope` and `theory_constant` are those of the same
    fit, with the same weights, to theory's own values at the same points, `theory_points`. Of a deviation from theory
    these are the predicted means (None without predicted fluctuations). Where nothing was simulated, the fit is to
    theory itself, with equal weights and without errors. `points`: against, quantity, standard error.
    """

    slope: Finite = None
    slope_error: Finite = None
    slope_statistical_error: Finite = None
    constant: Finite = None
    constant_error: Finite = None
    constant_statistical_error: Finite = None
    expected_slope: Finite = None
    expected_assumes: str | None = None
    theory_slope: Finite = None
    theory_constant: Finite = None
    theory_points: Sequence[Finite] = ()

    def at(self, x: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
        """The fitted law's value at x."""
        return number(self.constant) * x ** number(self.slope)


@runtime_checkable
class PowerExpectation(Protocol):
    """What the theory of a system may expect of a power law."""

    def slope(self, quantity: str, against: str, problems: Sequence[Any]) -> float | None:
        """The slope of log(quantity) against log(against) over these problems; None where theory does not say."""
        ...

    def assumes(self, quantity: str, against: str, problems: Sequence[Any]) -> str | None:
        """What the slope takes for granted, in words that follow its number; None where nothing."""
        ...


@runtime_checkable
class LogExpectation(PowerExpectation, Protocol):
    """What it may expect besides, of a law with a logarithm."""

    def slope_beside_log(self, quantity: str, against: str, problems: Sequence[Any]) -> float | None:
        """The slope of log(quantity/|ln(against)|) against log(against); None where theory does not say."""
        ...


@dataclass(frozen=True)
class Power(Law[PowerFit, FittedPower]):
    """quantity = constant * against^slope, divided by |ln(against)| before where that is asked for."""

    keys = PowerFit
    found = FittedPower
    number = "slope"
    expects = PowerExpectation
    said = math.inf
    columns = headings("fit, of, against, exponent, theory, off by, constant, chi2 / dof, points")

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """All of them: deviations, scalars and what is said of them, when a level is reached or half have escaped."""
        return (*DEVIATIONS, *names, *COLUMNS, *medians(names), *apart(names), *largest_of(names))

    def mistakes(self, fit: PowerFit) -> Iterable[tuple[str, str]]:
        """A level that its quantity does not have, or has to have."""
        needs = fit.quantity in COLUMNS
        if needs != (fit.level is not None):
            yield "level", f'must {"" if needs else "not "}be given for quantity = "{fit.quantity}"'

    def fit(self, fit: PowerFit, members: Members) -> FittedPower:
        """A power law over the cells."""
        x = members.x(fit)
        # All cells are asked: how many do not reach a level tells more than that one does not.
        samples, points, failed = _points(fit, members, x)
        mean, sem, theory = np.array(points).T
        alone = all(map(is_alone, members.cells))
        law, problem = (
            (None, f"{failed[0]} ({len(failed)} of {len(x)} cells)")
            if failed
            else _try_power(x, mean, sem, samples, alone)
        )
        theory_slope, theory_constant = (None, None) if law is None or alone else _theory_law(x, mean, sem, theory)
        expected: PowerExpectation | None = self.expectation(members.system)
        asked = (fit.quantity, fit.against, members.problems)
        return FittedPower(
            **fit.model_dump(),
            **numbers(law),
            expected_slope=_expected_slope(expected, fit.log, *asked),
            expected_assumes=expected.assumes(*asked) if expected and not fit.log else None,
            theory_slope=theory_slope,
            theory_constant=theory_constant,
            theory_points=theory.tolist(),
            points=[[abscissa, *point[:2]] for abscissa, point in zip(x, points, strict=True)],
            problem=problem,
        )

    def headline(self, found: FittedPower) -> str:
        """Slope and constant beside what theory expects."""
        assumes = f" {found.expected_assumes}" if found.expected_assumes else ""
        expected = "" if found.expected_slope is None else f", expected {found.expected_slope:.4g}{assumes}"
        if assumes and found.theory_slope is not None:
            expected += f", predicted {found.theory_slope:.4g}"
        predicted = "" if found.theory_constant is None else f", predicted {found.theory_constant:.4g}"
        quality = "" if found.chi2 is None else f"; {judgement(found)}"
        return (
            f"{found.quantity} = C {found.against}^s"
            f" with s = {rounded(found.slope, found.slope_error)}{expected};"
            f" C = {rounded(found.constant, found.constant_error)}{predicted}{quality}"
        )

    def statement(self, found: FittedPower, words: Words) -> Statement:
        """The law with its numbers in their places; both beside those of theory."""
        slope = rounded(found.slope, found.slope_error)
        constant = Number(rounded(found.constant, found.constant_error))
        law = (
            f"{_called(found, words)} = ",
            constant,
            " \N{MIDDLE DOT} ",
            Name(found.against),
            Number(slope, raised=True),
        )
        note: Line = ()
        if found.expected_slope is not None:
            assumes = f", {found.expected_assumes}" if found.expected_assumes else ""
            note = ("expected exponent ", Number(plain(found.expected_slope)), assumes)
        # Like is held against like: the same fit to theory's own points, where there is one.
        theory = found.expected_slope if found.theory_slope is None else found.theory_slope
        return Statement(
            law,
            note,
            (
                held("exponent", found.slope, found.slope_error, theory),
                held("constant", found.constant, found.constant_error, found.theory_constant),
            ),
        )

    def row(self, name: str, found: FittedPower, words: Words) -> tuple[str, ...]:
        """Every fitted number with its error, beside what theory predicts."""
        slope, error, expected = found.slope, found.slope_error, found.expected_slope
        off = "-" if slope is None or expected is None or not error else f"{(slope - expected) / error:+.1f} s.e."
        return (
            name,
            _called(found, words),
            found.against,
            rounded(slope, error),
            plain(expected),
            off,
            rounded(found.constant, found.constant_error),
            in_table(found),
            str(len(found.points)),
        )

    def table(self, fits: Mapping[str, FittedPower], words: Words) -> Table:
        """With exponent and constant of theory at the same points, where any fit has them."""
        table = super().table(fits, words)
        if all(found.theory_slope is None for found in fits.values()):
            return table
        at = self.columns.index("constant")
        theory = [(plain(found.theory_slope), plain(found.theory_constant, digits=4)) for found in fits.values()]
        rows = [
            (*row[:at], slope, row[at], constant, *row[at + 1 :])
            for row, (slope, constant) in zip(table.rows, theory, strict=True)
        ]
        columns = (*self.columns[:at], "theory at these points", "constant", "theory", *self.columns[at + 1 :])
        return Table(columns, tuple(rows))

    def notes(self, fits: Mapping[str, FittedPower]) -> list[str]:
        """Errors, and what the expected exponents take for granted: a sentence for each."""
        named: dict[str, list[str]] = {}
        for name, found in fits.items():
            if found.expected_assumes:
                named.setdefault(found.expected_assumes, []).append(name)
        assumed = [f"The exponent of theory of {', '.join(names)} is {words}." for words, names in named.items()]
        return [DIGITS, *assumed]


def _expected_slope(
    expected: PowerExpectation | None, log: bool, quantity: str, against: str, problems: Sequence[Any]
) -> float | None:
    """That of the quantity itself, or of what a logarithm was taken out of: the one says nothing of the other."""
    if log:
        return expected.slope_beside_log(quantity, against, problems) if isinstance(expected, LogExpectation) else None
    return None if expected is None else expected.slope(quantity, against, problems)


def _called(found: PowerFit, words: Words) -> str:
    """The fitted quantity in words, e.g. "samples to level 0.001"."""
    return called(found.quantity, found.level, words) + (f" / ln {found.against}" if found.log else "")


def _points(fit: PowerFit, members: Members, x: Sequence[float]) -> tuple[list[np.ndarray], list[Point], list[str]]:
    """What is fitted at every x: the replicas' values (where they are known), the points, and why some are missing."""
    samples, points, failed = [], [], []
    for abscissa, cell in zip(x, members.cells, strict=True):
        # At against = 1 the logarithm is 0, and no law with it goes through the point.
        divisor = abs(math.log(abscissa)) or math.nan if fit.log else 1.0
        if (values := each_replica(fit.quantity, cell)) is not None:
            samples.append(values / divisor)
        try:
            mean, sem, theory = quantity_of(members.system, fit.quantity, fit.level, cell)
        except ArgumentError as error:
            mean, sem, theory = (math.nan,) * 3
            failed.append(reason(error))
        points.append((mean / divisor, sem / divisor, theory / divisor))
    return samples if len(samples) == len(points) else [], points, failed


def _try_power(
    x: list[float], mean: np.ndarray, sem: np.ndarray, samples: list[np.ndarray], alone: bool
) -> tuple[PowerLaw | None, str | None]:
    """The power law, or why there is none."""
    if alone:
        return attempt(lambda: _unweighted(x, mean))
    return attempt(lambda: fit_power_law(x, samples) if samples else fit_power_law_to_means(x, mean, sem))


def _unweighted(x: list[float], values: np.ndarray) -> PowerLaw:
    """The power law through numbers without errors."""
    # Mean and error 1 at every point are equal weights in the logarithm.
    slope, constant = weighted_law(x, np.ones(len(x)), np.ones(len(x)), values)
    return PowerLaw(slope=slope, constant=constant, **judged(math.nan, len(x) - 2, slope=math.nan, constant=math.nan))


def _theory_law(
    x: list[float], mean: np.ndarray, sem: np.ndarray, theory: np.ndarray
) -> tuple[float | None, float | None]:
    """Slope and constant of theory's own values, None where no power law goes through them."""
    try:
        return weighted_law(x, mean, sem, theory)
    except ArgumentError:
        return None, None
