"""The laws of a sweep: [fits.NAME] over the cells, as they stand in summary.json."""

import abc
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from sgdsim.analysis.bias import Bias, fit_bias
from sgdsim.analysis.dataset import DEVIATIONS
from sgdsim.analysis.fits import PowerLaw, fit_power_law, fit_power_law_to_means, weighted_law
from sgdsim.analysis.levels import NotReachedError, Onset, find_onset
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.analysis.threshold import Threshold, fit_threshold
from sgdsim.ensemble.contracts import Problem, System
from sgdsim.errors import ArgumentError
from sgdsim.sweep.quantities import COLUMNS, RELAXATION, Fit, Point, final, is_alone, quantity_of

Entry = dict[str, Any]
"""A fit as it stands in summary.json."""


@dataclass(frozen=True)
class Members:
    """The cells that one law runs over: their problems, and their results in the same order."""

    system: System
    problems: Sequence[Problem]
    cells: Sequence[xr.Dataset]

    def x(self, fit: Fit) -> list[float]:
        """The abscissa of every cell."""
        return [float(problem.parameters()[fit.against]) for problem in self.problems]


class Law(abc.ABC):
    """A law that can be fitted: which quantities it takes, and what it puts in the summary."""

    takes_log = False
    compares = False
    """Whether it holds a simulation against theory, and so needs both."""

    @abc.abstractmethod
    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """The quantities it takes, of a system with these scalar observables."""

    @abc.abstractmethod
    def takes_level(self, quantity: str) -> bool:
        """Whether a level belongs to it with this quantity."""

    @abc.abstractmethod
    def fit(self, fit: Fit, members: Members) -> Entry:
        """The fit's own part of the summary; without one, the `problem` says why, and its numbers are None."""

    @abc.abstractmethod
    def headline(self, entry: Entry) -> str:
        """A fit that could be made, in one line."""


@dataclass(frozen=True)
class Power(Law):
    """quantity = constant * against^slope.

    `expected_slope` is the exponent as d -> infinity (None for a law with a logarithm); `theory_slope` and
    `theory_constant` are those of the same fit, with the same weights, to theory's own values at the same points,
    `theory_points`. Of a deviation from theory these are the predicted means (None without predicted fluctuations).
    Where nothing was simulated, the fit is to theory itself, with equal weights and without errors.
    """

    takes_log = True

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """All."""
        return (*DEVIATIONS, *names, *COLUMNS)

    def takes_level(self, quantity: str) -> bool:
        """The quantities that say when one is reached."""
        return quantity in COLUMNS

    def fit(self, fit: Fit, members: Members) -> Entry:
        """A power law over the cells."""
        x = members.x(fit)
        samples, points, failed = _points(fit, members, x)
        mean, sem, theory = np.array(points).T
        alone = all(map(is_alone, members.cells))
        law, problem = (
            (None, f"{failed[0]} ({len(failed)} of {len(x)} cells)")
            if failed
            else _try_power(x, mean, sem, samples, alone)
        )
        slope = members.system.expected_slope
        theory_slope, theory_constant = (None, None) if law is None or alone else _theory_law(x, mean, sem, theory)
        return {
            **_numbers(PowerLaw, law),
            "expected_slope": slope(fit.quantity, fit.against, members.problems) if slope and not fit.log else None,
            "theory_slope": theory_slope,
            "theory_constant": theory_constant,
            "theory_points": theory.tolist(),
            "points": [[abscissa, *point[:2]] for abscissa, point in zip(x, points, strict=True)],
            **_problem(problem),
        }

    def headline(self, entry: Entry) -> str:
        """Slope and constant beside what theory expects."""
        expected = "" if entry["expected_slope"] is None else f", expected {entry['expected_slope']:g}"
        predicted = "" if entry["theory_constant"] is None else f", predicted {entry['theory_constant']:.4g}"
        quality = "" if entry["chi2"] is None else f"; chi2/dof = {entry['chi2']:.3g}/{entry['dof']}"
        return (
            f"{entry['quantity']} = C {entry['against']}^s"
            f" with s = {rounded(entry['slope'], entry['slope_error'])}{expected};"
            f" C = {rounded(entry['constant'], entry['constant_error'])}{predicted}{quality}"
        )


@dataclass(frozen=True)
class ThresholdLaw(Law):
    """relaxation_time = prefactor * (against - threshold)^-exponent, over the cells that reach the level."""

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """The relaxation time."""
        return (RELAXATION,)

    def takes_level(self, quantity: str) -> bool:
        """Always."""
        return True

    def fit(self, fit: Fit, members: Members) -> Entry:
        """A threshold; the cells that do not reach the level are `missed`."""
        points, missed, problem, law = [], [], None, None
        for x, cell in zip(members.x(fit), members.cells, strict=True):
            try:
                points.append([x, quantity_of(members.system, fit, cell)[0]])
            except NotReachedError:
                missed.append(x)
            except ArgumentError as error:
                problem = f"{_reason(error)} (at {fit.against} = {x:g})"
        points.sort()
        if problem is None:
            law, problem = _attempt(lambda: fit_threshold([x for x, _ in points], [tau for _, tau in points]))
        return {**_numbers(Threshold, law), "points": points, "missed": sorted(missed), **_problem(problem)}

    def headline(self, entry: Entry) -> str:
        """Threshold and exponent, with their ranges over the windows."""
        threshold, exponent = (
            f"{entry[name]:.4g} [{entry[f'{name}_low']:.4g}, {entry[f'{name}_high']:.4g}]"
            for name in ("threshold", "exponent")
        )
        return (
            f"{entry['quantity']} = C ({entry['against']} - x*)^-nu with x* = {threshold}, nu = {exponent}"
            f" over {len(entry['windows'])} windows; {len(entry['missed'])} cells do not recover"
        )


@dataclass(frozen=True)
class BiasLaw(Law):
    """simulation - theory = intercept + coefficient / against, of a scalar observable at the last save time."""

    compares = True

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """The scalar observables."""
        return tuple(names)

    def takes_level(self, quantity: str) -> bool:
        """Never."""
        return False

    def fit(self, fit: Fit, members: Members) -> Entry:
        """A straight line in 1/against."""
        rows = [final(cell, fit.quantity) for cell in members.cells]
        points = [[x, mean - theory, sem] for x, (mean, sem, theory) in zip(members.x(fit), rows, strict=True)]
        law, problem = _attempt(lambda: fit_bias(*map(list, zip(*points, strict=True))))
        return {**_numbers(Bias, law), "points": points, **_problem(problem)}

    def headline(self, entry: Entry) -> str:
        """Intercept and coefficient."""
        intercept, coefficient = (rounded(entry[name], entry[f"{name}_error"]) for name in ("intercept", "coefficient"))
        return (
            f"{entry['quantity']} - theory = {intercept} + c/{entry['against']} with c = {coefficient};"
            f" chi2/dof = {entry['chi2']:.3g}/{entry['dof']}"
        )


@dataclass(frozen=True)
class OnsetLaw(Law):
    """Where along `against` a scalar observable at the last save time rises through the level."""

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """The scalar observables."""
        return tuple(names)

    def takes_level(self, quantity: str) -> bool:
        """Always."""
        return True

    def fit(self, fit: Fit, members: Members) -> Entry:
        """An onset between two neighbours, beside the expected one."""
        x, level = members.x(fit), fit.level or math.nan
        values = [quantity_of(members.system, fit, cell)[0] for cell in members.cells]
        law, problem = _attempt(lambda: find_onset(x, values, level))
        expected = members.system.expected_onset
        return {
            **_numbers(Onset, law),
            "expected": expected(fit.quantity, fit.against, members.problems) if expected else None,
            "points": sorted([abscissa, value] for abscissa, value in zip(x, values, strict=True)),
            **_problem(problem),
        }

    def headline(self, entry: Entry) -> str:
        """The neighbours, and what is expected."""
        expected = "" if entry["expected"] is None else f", expected {entry['expected']:.4g}"
        return (
            f"{entry['quantity']} rises through {plain(entry['level'])} at {entry['against']} = {entry['onset']:.4g}"
            f" [{entry['low']:.4g}, {entry['high']:.4g}]{expected}"
        )


LAWS: Mapping[str, Law] = {"power": Power(), "threshold": ThresholdLaw(), "bias": BiasLaw(), "onset": OnsetLaw()}


def fit_law(fit: Fit, members: Members) -> Entry:
    """One law over some of the cells."""
    return {**dataclasses.asdict(fit), **LAWS[fit.law].fit(fit, members)}


def headline(entry: Entry) -> str:
    """A fit in one line, or why there is none."""
    return entry.get("problem") or LAWS[entry["law"]].headline(entry)


def _numbers(kind: type[Any], law: Any) -> Entry:
    """The fields of a fitted law, None without one."""
    if law is None:
        return {field.name: None for field in dataclasses.fields(kind)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(law).items()}


def _problem(problem: str | None) -> Entry:
    return {"problem": problem} if problem else {}


def _reason(error: ArgumentError) -> str:
    return f"no fit: `{error.argument}` must {error.must}"


def _attempt(fit: Any) -> tuple[Any, str | None]:
    """The law, or why there is none."""
    try:
        return fit(), None
    except ArgumentError as error:
        return None, _reason(error)


def _points(fit: Fit, members: Members, x: Sequence[float]) -> tuple[list[np.ndarray], list[Point], list[str]]:
    """What is fitted at every x: the replicas' values (of a deviation only), the points, and why some are missing."""
    samples, points, failed = [], [], []
    for abscissa, cell in zip(x, members.cells, strict=True):
        divisor = abs(math.log(abscissa)) or math.nan if fit.log else 1.0
        if fit.quantity in DEVIATIONS:
            samples.append(cell[fit.quantity].values / divisor)
        try:
            mean, sem, theory = quantity_of(members.system, fit, cell)
        except ArgumentError as error:
            mean, sem, theory = (math.nan,) * 3
            failed.append(_reason(error))
        points.append((mean / divisor, sem / divisor, theory / divisor))
    return samples, points, failed


def _try_power(
    x: list[float], mean: np.ndarray, sem: np.ndarray, samples: list[np.ndarray], alone: bool
) -> tuple[PowerLaw | None, str | None]:
    """The power law, or why there is none."""
    if alone:
        return _attempt(lambda: _unweighted(x, mean))
    return _attempt(lambda: fit_power_law(x, samples) if samples else fit_power_law_to_means(x, mean, sem))


def _unweighted(x: list[float], values: np.ndarray) -> PowerLaw:
    """The power law through numbers without errors."""
    slope, constant = weighted_law(x, np.ones(len(x)), np.ones(len(x)), values)
    return PowerLaw(slope, math.nan, constant, math.nan, math.nan, len(x) - 2)


def _theory_law(
    x: list[float], mean: np.ndarray, sem: np.ndarray, theory: np.ndarray
) -> tuple[float | None, float | None]:
    try:
        return weighted_law(x, mean, sem, theory)
    except ArgumentError:
        return None, None
