"""The laws of a sweep: [fits.NAME] over the cells, as they stand in summary.json."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sgdsim.analysis.bias import Bias, fit_bias
from sgdsim.analysis.levels import NotReachedError, Onset, find_onset
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.analysis.threshold import Threshold, fit_threshold
from sgdsim.errors import ArgumentError
from sgdsim.laws.law import Entry, Law, Members, attempt, judgement, numbers, reason, stated
from sgdsim.laws.log_power import LogPowerLaw
from sgdsim.laws.power import Power
from sgdsim.laws.quantities import RELAXATION, Fit, final, quantity_of
from sgdsim.laws.two_term import TwoTermLaw


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
                problem = f"{reason(error)} (at {fit.against} = {x:g})"
        points.sort()
        if problem is None:
            law, problem = attempt(lambda: fit_threshold([x for x, _ in points], [tau for _, tau in points]))
        return {**numbers(Threshold, law), "points": points, "missed": sorted(missed), **stated(problem)}

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
        law, problem = attempt(lambda: fit_bias(*map(list, zip(*points, strict=True))))
        return {**numbers(Bias, law), "points": points, **stated(problem)}

    def headline(self, entry: Entry) -> str:
        """Intercept and coefficient."""
        intercept, coefficient = (rounded(entry[name], entry[f"{name}_error"]) for name in ("intercept", "coefficient"))
        return (
            f"{entry['quantity']} - theory = {intercept} + c/{entry['against']} with c = {coefficient};"
            f" {judgement(entry)}"
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
        law, problem = attempt(lambda: find_onset(x, values, level))
        expected = members.system.expected_onset
        return {
            **numbers(Onset, law),
            "expected": expected(fit.quantity, fit.against, members.problems) if expected else None,
            "points": sorted([abscissa, value] for abscissa, value in zip(x, values, strict=True)),
            **stated(problem),
        }

    def headline(self, entry: Entry) -> str:
        """The neighbours, and what is expected."""
        expected = "" if entry["expected"] is None else f", expected {entry['expected']:.4g}"
        return (
            f"{entry['quantity']} rises through {plain(entry['level'])} at {entry['against']} = {entry['onset']:.4g}"
            f" [{entry['low']:.4g}, {entry['high']:.4g}]{expected}"
        )


LAWS: Mapping[str, Law] = {
    "power": Power(),
    "threshold": ThresholdLaw(),
    "bias": BiasLaw(),
    "onset": OnsetLaw(),
    "two_term": TwoTermLaw(),
    "log_power": LogPowerLaw(),
}


def fit_law(fit: Fit, members: Members) -> Entry:
    """One law over some of the cells."""
    law = LAWS[fit.law]
    keys = dataclasses.asdict(fit)
    if not law.takes_second:
        del keys["second"], keys["together"]
    if fit.along is None:
        del keys["along"]
    if not law.takes_exponent:
        del keys["exponent"], keys["predict_to"]
    return {**keys, **law.fit(fit, members)}


def headline(entry: Entry) -> str:
    """A fit in one line, or why there is none."""
    return entry.get("problem") or LAWS[entry["law"]].headline(entry)
