"""The law "known": a quantity of every cell, or at every waiting time of one, beside values that are known."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from pydantic import Field

from sgdsim.analysis.numbers import plain, rounded
from sgdsim.errors import ArgumentError
from sgdsim.laws.law import Finite, Fit, Fitted, Law, Members, attempt, number
from sgdsim.laws.quantities import Point, quantity_of
from sgdsim.laws.text import Held, Name, Number, Statement, Words, headings

LENGTH, CORRELATION = "C", "C_waiting"
"""The observables C(t, t) and C(t, t_w), of systems that have waiting times."""


class KnownFit(Fit, frozen=True):
    """`expected`: the known values, in the order of the cells or of the waiting times; left out, theory says them.

    `within`: how far off they may be. `lag`: of the quantity "C_waiting" alone, which is then
    C(t_w + lag, t_w)/[C(t_w, t_w) C(t_w + lag, t_w + lag)]^(1/2) at every waiting time t_w of one cell.
    """

    law: Literal["known"] = "known"
    expected: list[float] | None = Field(default=None, examples=[[0.5, 0.25]])
    within: float | None = Field(default=None, gt=0)
    lag: float | None = Field(default=None, gt=0)


class FittedKnown(KnownFit, Fitted, frozen=True):
    """`points`: against or t_w, quantity, its standard error, that of theory, and the known value.

    `off`: the largest difference from a known value, of theory where there is one, else of the mean; `at`: where it is;
    `off_error`: the standard error of that mean. `held`: whether it is within what was asked, None where nothing was.
    """

    off: Finite = None
    off_error: Finite = None
    at: Finite = None
    held: bool | None = None


@runtime_checkable
class KnownExpectation(Protocol):
    """What the theory of a system may know of a quantity."""

    def value(self, quantity: str, problem: Any) -> float | None:
        """The value of the quantity at late times; None where theory does not say."""
        ...


@dataclass(frozen=True)
class Known(Law[KnownFit, FittedKnown]):
    """Values beside those that are known, and the largest difference."""

    keys = KnownFit
    found = FittedKnown
    number = "off"
    expects = KnownExpectation
    columns = headings("fit, of, against, largest difference, at, asked, points")

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """The scalar observables, and the correlation with waiting times where there is a length."""
        return (*names, CORRELATION) if LENGTH in names else tuple(names)

    def mistakes(self, fit: KnownFit) -> Iterable[tuple[str, str]]:
        """A lag of another quantity, or none of the correlation."""
        needs = fit.quantity == CORRELATION
        if needs != (fit.lag is not None):
            yield "lag", f'must {"" if needs else "not "}be given for quantity = "{fit.quantity}"'

    def fit(self, fit: KnownFit, members: Members) -> FittedKnown:
        """The points beside what is known of them, and the largest difference."""
        rows, problem = attempt(lambda: self._rows(fit, members))
        points = [[float(value) for value in row] for row in rows or ()]
        # Theory is free of the errors of a simulation, and of its bias at finite N.
        apart = [abs((value if math.isnan(theory) else theory) - known) for _, value, _, theory, known in points]
        worst = int(np.nanargmax(apart)) if np.isfinite(apart).any() else None
        if worst is None:
            return FittedKnown(**fit.model_dump(), points=points, problem=problem or "no fit: nothing is known of it")
        x, _, error, theory, _ = points[worst]
        return FittedKnown(
            **fit.model_dump(),
            off=apart[worst],
            off_error=error if math.isnan(theory) else math.nan,
            at=x,
            held=None if fit.within is None else apart[worst] <= fit.within,
            points=points,
        )

    def _rows(self, fit: KnownFit, members: Members) -> list[tuple[float, ...]]:
        """**Raises:** ArgumentError where there are not as many known values as points."""
        if fit.lag is not None:
            x, values = _correlations(fit.lag, members)
        else:
            x = members.x(fit)
            values = [quantity_of(members.system, fit.quantity, None, cell) for cell in members.cells]
        expected: KnownExpectation | None = self.expectation(members.system)
        known: list[float | None] = list(fit.expected or ())
        if not known:
            known = [expected.value(fit.quantity, one) if expected else None for one in members.problems]
        if len(known) != len(x):
            raise ArgumentError("expected", f"be of the {len(x)} points", len(known))
        return [(at, *point, number(value)) for at, point, value in zip(x, values, known, strict=True)]

    def headline(self, found: FittedKnown) -> str:
        """The largest difference, and whether it is as small as was asked."""
        asked = "" if found.held is None else f" ({_asked(found)})"
        where = _where(found)
        return f"{found.quantity} is off what is known by {_off(found)} at most, at {where} = {plain(found.at)}{asked}"

    def statement(self, found: FittedKnown, words: Words) -> Statement:
        """The largest difference; every value beside the known one."""
        values = [
            Held(
                f"{_where(found)} = {plain(x)}",
                rounded(value if theory is None else theory, error if theory is None else None),
                plain(known),
            )
            for x, value, error, theory, known in found.points
        ]
        what: tuple[str | Number | Name, ...] = (f"{words(found.quantity)}: off by ", Number(_off(found)))
        return Statement(what, (f"at most, of values that are known; {_asked(found)}",), tuple(values))

    def row(self, name: str, found: FittedKnown, words: Words) -> tuple[str, ...]:
        """The largest difference, where it is, and what was asked."""
        where = _where(found)
        return (
            *(name, words(found.quantity), where, _off(found), plain(found.at)),
            *(_asked(found), str(len(found.points))),
        )

    def notes(self, fits: Mapping[str, FittedKnown]) -> list[str]:
        """What is held against what."""
        return ["Of theory where there is one, of the mean over replicas elsewhere, with its standard error."]


def _correlations(lag: float, members: Members) -> tuple[list[float], list[Point]]:
    """The waiting times of the one cell, and the normalised correlation after the lag.

    **Raises:** ArgumentError where there are several cells, no waiting times, or no save times at t_w and t_w + lag.
    """
    if len(members.cells) != 1:
        raise ArgumentError("where", "leave one cell", len(members.cells))
    cell, problem = members.cells[0], members.problems[0]
    waiting = getattr(problem, "waiting_steps", ())
    if not waiting:
        raise ArgumentError("quantity", "be of a problem with waiting times", CORRELATION)
    steps, later = cell["step"].values.tolist(), round(lag / problem.dt)
    for step in waiting:
        if not {step, step + later} <= set(steps):
            must = f"have save times at t_w and t_w + {lag:g} for t_w = {step * problem.dt:g}"
            raise ArgumentError("times", must, None)
    places = [(steps.index(step), steps.index(step + later)) for step in waiting]
    points = [_correlation(cell, index, *place) for index, place in enumerate(places)]
    return [step * problem.dt for step in waiting], points


def _correlation(cell: xr.Dataset, index: int, early: int, late: int) -> Point:
    """Of one waiting time: of the means over replicas, with the error of the correlation alone, and of theory."""

    def read(part: str, ending: str = "") -> float:
        if f"{LENGTH}{part}" not in cell:
            return math.nan
        length = cell[f"{LENGTH}{part}"].values
        product = float(length[early] * length[late])
        return float(cell[f"{CORRELATION}{part}{ending}"].values[late, index]) / product**0.5

    return read(""), read("", "_sem"), read("_theory")


def _where(found: FittedKnown) -> str:
    return found.against if found.lag is None else "t_w"


def _off(found: FittedKnown) -> str:
    return rounded(found.off, found.off_error)


def _asked(found: FittedKnown) -> str:
    if found.held is None:
        return "nothing was asked"
    return f"asked: {plain(found.within)}, {'held' if found.held else 'not held'}"
