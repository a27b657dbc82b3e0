"""The law "threshold": relaxation_time = prefactor * (against - threshold)^-exponent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sgdsim.analysis.levels import NotReachedError
from sgdsim.analysis.numbers import plain
from sgdsim.analysis.threshold import Window, fit_threshold
from sgdsim.errors import ArgumentError
from sgdsim.laws.law import Finite, Fit, Fitted, Law, Members, attempt, number, numbers, reason
from sgdsim.laws.quantities import RELAXATION, quantity_of
from sgdsim.laws.text import Held, Name, Number, Statement, Words, called, headings


class ThresholdFit(Fit, frozen=True):
    """`level`: of the risk, whose crossing is the relaxation time."""

    law: Literal["threshold"] = "threshold"
    level: float = Field(gt=0)


class FittedThreshold(ThresholdFit, Fitted, frozen=True):
    """See `sgdsim.analysis.threshold.ThresholdLaw`. `points`: against, relaxation time; `missed`: without one."""

    threshold: Finite = None
    threshold_low: Finite = None
    threshold_high: Finite = None
    exponent: Finite = None
    exponent_low: Finite = None
    exponent_high: Finite = None
    prefactor: Finite = None
    longest: Finite = None
    windows: Sequence[Window] = ()
    missed: Sequence[float] = ()

    def beyond(self, distance: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
        """The fitted relaxation time at distances > 0 from the threshold."""
        return number(self.prefactor) * distance ** -number(self.exponent)


@dataclass(frozen=True)
class Threshold(Law[ThresholdFit, FittedThreshold]):
    """relaxation_time = prefactor * (against - threshold)^-exponent, over the cells that reach the level."""

    keys = ThresholdFit
    found = FittedThreshold
    number = "threshold"
    columns = headings(
        "fit, of, against, threshold, range, exponent, range, prefactor, longest time, points, not reached"
    )

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """The relaxation time alone, which is what diverges."""
        return (RELAXATION,)

    def fit(self, fit: ThresholdFit, members: Members) -> FittedThreshold:
        """A threshold; the cells that do not reach the level are `missed`."""
        points, missed, problem, law = [], [], None, None
        for x, cell in zip(members.x(fit), members.cells, strict=True):
            try:
                points.append([x, quantity_of(members.system, fit.quantity, fit.level, cell)[0]])
            # No mistake but a result: beyond the threshold nothing relaxes, and the figure marks these cells.
            except NotReachedError:
                missed.append(x)
            except ArgumentError as error:
                problem = f"{reason(error)} (at {fit.against} = {x:g})"
        # From the threshold on: windows of the fit begin at the first point.
        points.sort()
        if problem is None:
            law, problem = attempt(lambda: fit_threshold([x for x, _ in points], [tau for _, tau in points]))
        return FittedThreshold(
            **fit.model_dump(), **numbers(law), points=points, missed=sorted(missed), problem=problem
        )

    def headline(self, found: FittedThreshold) -> str:
        """Threshold and exponent, with their ranges over the windows."""
        return (
            f"{found.quantity} = C ({found.against} - x*)^-nu with"
            f" x* = {found.threshold:.4g} [{found.threshold_low:.4g}, {found.threshold_high:.4g}],"
            f" nu = {found.exponent:.4g} [{found.exponent_low:.4g}, {found.exponent_high:.4g}]"
            f" over {len(found.windows)} windows; {len(found.missed)} cells do not recover"
        )

    def statement(self, found: FittedThreshold, words: Words) -> Statement:
        """The threshold; its range and the exponent beside it."""
        of = called(found.quantity, found.level, words)
        threshold, exponent = plain(found.threshold, 3), plain(found.exponent, 3)
        return Statement(
            (Name(found.against), "* = ", Number(threshold)),
            (f"threshold of the {of}; ranges are over the fit windows, a systematic error",),
            (
                Held("threshold", f"{threshold} ({_thresholds(found)})"),
                Held("exponent", f"{exponent} ({_exponents(found)})"),
            ),
        )

    def row(self, name: str, found: FittedThreshold, words: Words) -> tuple[str, ...]:
        """Threshold and exponent with their ranges over the fit windows."""
        return (
            name,
            called(found.quantity, found.level, words),
            found.against,
            plain(found.threshold, 3),
            _thresholds(found),
            plain(found.exponent, 3),
            _exponents(found),
            plain(found.prefactor),
            plain(found.longest),
            str(len(found.points)),
            str(len(found.missed)),
        )

    def notes(self, fits: Mapping[str, FittedThreshold]) -> list[str]:
        """What the ranges are."""
        return ["Ranges are over the fit windows: a systematic error, no statistical one."]


def _thresholds(found: FittedThreshold) -> str:
    return f"{plain(found.threshold_low, 3)} to {plain(found.threshold_high, 3)}"


def _exponents(found: FittedThreshold) -> str:
    return f"{plain(found.exponent_low, 3)} to {plain(found.exponent_high, 3)}"
