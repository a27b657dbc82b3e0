"""Laws with a logarithm beside a power of a sweep, their rival with its square root, and theory seen the same way."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sgdsim.analysis.dataset import DEVIATIONS
from sgdsim.analysis.goodness import in_words, judged
from sgdsim.analysis.log_power import (
    Growth,
    LogPower,
    fit_log_power,
    fit_log_power_to_means,
    in_standard_errors,
    verdict,
    weighted_log_power,
)
from sgdsim.analysis.numbers import rounded
from sgdsim.laws.law import Entry, Law, Members, Missing, attempt, judgement, numbers, stated
from sgdsim.laws.quantities import Fit, each_replica, is_alone, quantity_of

COEFFICIENTS = {"a": "a", "b": "b", "exponent": "s"}
"""The fitted numbers, and what they are called in a line."""


@dataclass(frozen=True)
class LogPowerLaw(Law):
    """quantity = (a + b log(second)) against^exponent, the exponent fitted or given.

    `rival` has the same numbers of the law with sqrt(log(second)); `excluded`: the standard errors at which each of the
    two is excluded (None where the points do not tell them apart). `theory_a`, `theory_b` and `theory_exponent` are
    those of the same fit, with the same weights, to theory's own values at the same points, `theory_points` (None
    without); `theory_chi2` is the sum of squared differences of measured and predicted points in standard errors, over
    `theory_dof` points: nothing is fitted. Where nothing was simulated, the law is fitted to theory itself, with equal
    relative weights and without errors, and the rival is not.
    """

    takes_second = True
    takes_exponent = True

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """Deviations and scalar observables."""
        return (*DEVIATIONS, *names)

    def takes_level(self, quantity: str) -> bool:
        """Never."""
        return False

    def misses(self, fit: Fit, columns: Mapping[str, Sequence[float]]) -> Missing | None:
        """The exponent where `against` does not vary; a `second` with a logarithm that does."""
        against, second = columns.get(fit.against, ()), columns.get(str(fit.second), ())
        if fit.exponent is None and len(set(against)) == 1:
            return "exponent", f'must be given where against = "{fit.against}" takes one value only', "exponent = 0.5"
        if second and (min(second) < 1 or len(set(second)) == 1):
            return "second", "must take two or more values, all >= 1: its logarithm is the law's", 'second = "p"'
        return None

    def fit(self, fit: Fit, members: Members) -> Entry:
        """Both forms; errors from the replicas where these are known, else from those of the means."""
        x, v = members.x(fit), members.column(str(fit.second))
        points = [quantity_of(members.system, fit, cell) for cell in members.cells]
        mean, sem, theory = np.array(points).T
        growth, problem = attempt(lambda: _growth(fit, members, x, v, mean, sem))
        law, rival, excluded = (None,) * 3 if growth is None else (growth.law, growth.rival, growth.excluded)
        values = None
        if growth is not None and not all(map(is_alone, members.cells)):
            values, _ = attempt(lambda: weighted_log_power(x, v, sem, theory, fit.exponent))
        return {
            **numbers(LogPower, law),
            "rival": None if rival is None else dataclasses.asdict(rival),
            "excluded": None if excluded is None else dataclasses.asdict(excluded),
            **{f"theory_{name}": values and values[place] for place, name in enumerate(COEFFICIENTS)},
            **_without_a_fit(mean, sem, theory),
            "theory_points": theory.tolist(),
            "points": [list(point) for point in zip(x, v, mean.tolist(), sem.tolist(), strict=True)],
            **stated(problem),
        }

    def headline(self, entry: Entry) -> str:
        """The coefficients beside those of theory, how sure b > 0 is, chi2 of both forms, and which is excluded."""
        found = [_coefficient(entry, name, sign) for name, sign in COEFFICIENTS.items()]
        law = (
            f"{entry['quantity']} = (a + b log({entry['second']})) {entry['against']}^s with {', '.join(found)}"
            f"{in_standard_errors(entry)}"
        )
        if entry["chi2"] is None:
            return law
        rival = entry["rival"]
        unfitted = (
            ""
            if entry["theory_chi2"] is None
            else f"; predicted points, without a fit: {in_words(entry['theory_chi2'], entry['theory_dof'])}"
        )
        return (
            f"{law}; {judgement(entry)}; with sqrt(log({entry['second']})): chi2/dof = {rival['chi2']:.3g}"
            f"/{rival['dof']}; {verdict(entry['excluded'], entry['second'])}{unfitted}"
        )


def _without_a_fit(mean: np.ndarray, sem: np.ndarray, theory: np.ndarray) -> Entry:
    """chi2 of the points against what theory predicts of them, None where it predicts nothing."""
    scores = (mean - theory) / sem
    known = scores[np.isfinite(scores)]
    return {"theory_chi2": float(known @ known) if len(known) else None, "theory_dof": len(known)}


def _growth(fit: Fit, members: Members, x: list[float], v: list[float], mean: np.ndarray, sem: np.ndarray) -> Growth:
    """The fit to replicas, to means, or to theory alone."""
    if all(map(is_alone, members.cells)):
        a, b, s = weighted_log_power(x, v, mean, mean, fit.exponent)
        none = judged(math.nan, len(x) - 2 - (fit.exponent is None), a=math.nan, b=math.nan, exponent=math.nan)
        return Growth(LogPower(a=a, b=b, exponent=s, **none), None, None)
    replicas = [values for cell in members.cells if (values := each_replica(fit, cell)) is not None]
    if len(replicas) == len(x):
        return fit_log_power(x, v, replicas, fit.exponent)
    return fit_log_power_to_means(x, v, mean, sem, fit.exponent)


def _coefficient(entry: Entry, name: str, sign: str) -> str:
    """`b = 0.067(2) (theory 0.0653)`; an exponent that was given is said to be."""
    theory = entry[f"theory_{name}"]
    beside = "" if theory is None else f" (theory {theory:.4g})"
    given = name == "exponent" and entry["exponent_error"] is None and entry["chi2"] is not None
    return f"{sign} = {rounded(entry[name], entry[f'{name}_error'])}{' (given)' if given else beside}"
