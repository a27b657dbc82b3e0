"""Power laws of a sweep, beside what theory expects of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sgdsim.analysis.dataset import DEVIATIONS
from sgdsim.analysis.fits import PowerLaw, fit_power_law, fit_power_law_to_means, weighted_law
from sgdsim.analysis.goodness import judged
from sgdsim.analysis.numbers import rounded
from sgdsim.errors import ArgumentError
from sgdsim.laws.law import Entry, Law, Members, attempt, judgement, numbers, reason, stated
from sgdsim.laws.quantities import COLUMNS, Fit, Point, each_replica, is_alone, quantity_of


@dataclass(frozen=True)
class Power(Law):
    """quantity = constant * against^slope.

    `expected_slope` is the exponent by theory (None for a law with a logarithm), and `expected_assumes` what that takes
    for granted, in words (None where nothing). `theory_slope` and `theory_constant` are those of the same fit, with the
    same weights, to theory's own values at the same points, `theory_points`. Of a deviation from theory these are the
    predicted means (None without predicted fluctuations). Where nothing was simulated, the fit is to theory itself,
    with equal weights and without errors.
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
        slope, assumes = members.system.expected_slope, members.system.slope_assumes
        theory_slope, theory_constant = (None, None) if law is None or alone else _theory_law(x, mean, sem, theory)
        return {
            **numbers(PowerLaw, law),
            **{
                key: of(fit.quantity, fit.against, members.problems) if of and not fit.log else None
                for key, of in (("expected_slope", slope), ("expected_assumes", assumes))
            },
            "theory_slope": theory_slope,
            "theory_constant": theory_constant,
            "theory_points": theory.tolist(),
            "points": [[abscissa, *point[:2]] for abscissa, point in zip(x, points, strict=True)],
            **stated(problem),
        }

    def headline(self, entry: Entry) -> str:
        """Slope and constant beside what theory expects."""
        assumes = f" {entry['expected_assumes']}" if entry.get("expected_assumes") else ""
        expected = "" if entry["expected_slope"] is None else f", expected {entry['expected_slope']:.4g}{assumes}"
        if assumes and entry.get("theory_slope") is not None:
            expected += f", predicted {entry['theory_slope']:.4g}"
        predicted = "" if entry["theory_constant"] is None else f", predicted {entry['theory_constant']:.4g}"
        quality = "" if entry["chi2"] is None else f"; {judgement(entry)}"
        return (
            f"{entry['quantity']} = C {entry['against']}^s"
            f" with s = {rounded(entry['slope'], entry['slope_error'])}{expected};"
            f" C = {rounded(entry['constant'], entry['constant_error'])}{predicted}{quality}"
        )


def _points(fit: Fit, members: Members, x: Sequence[float]) -> tuple[list[np.ndarray], list[Point], list[str]]:
    """What is fitted at every x: the replicas' values (where they are known), the points, and why some are missing."""
    samples, points, failed = [], [], []
    for abscissa, cell in zip(x, members.cells, strict=True):
        divisor = abs(math.log(abscissa)) or math.nan if fit.log else 1.0
        if (values := each_replica(fit, cell)) is not None:
            samples.append(values / divisor)
        try:
            mean, sem, theory = quantity_of(members.system, fit, cell)
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
    slope, constant = weighted_law(x, np.ones(len(x)), np.ones(len(x)), values)
    return PowerLaw(slope=slope, constant=constant, **judged(math.nan, len(x) - 2, slope=math.nan, constant=math.nan))


def _theory_law(
    x: list[float], mean: np.ndarray, sem: np.ndarray, theory: np.ndarray
) -> tuple[float | None, float | None]:
    try:
        return weighted_law(x, mean, sem, theory)
    except ArgumentError:
        return None, None
