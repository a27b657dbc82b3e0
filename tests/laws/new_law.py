"""A law of a guest, in one file: the mean of a scalar over all cells, with a key of its own."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from sgdsim.laws.law import Finite, Fit, Fitted, Law
from sgdsim.laws.quantities import final
from sgdsim.laws.text import Number, Statement, headings


class LevelFit(Fit, frozen=True):
    """`scale`: what the mean is divided by."""

    law: Literal["flat"] = "flat"
    scale: float = Field(gt=0)


class FittedLevel(LevelFit, Fitted, frozen=True):
    """`points`: against, quantity."""

    height: Finite = None


@dataclass(frozen=True)
class Flat(Law[LevelFit, FittedLevel]):
    """quantity / scale = height, whatever `against` is."""

    keys = LevelFit
    found = FittedLevel
    number = "height"
    columns = headings("fit, of, height")

    def quantities(self, names):
        """The scalar observables."""
        return tuple(names)

    def fit(self, fit, members):
        """The mean of the means."""
        values = [final(cell, fit.quantity)[0] / fit.scale for cell in members.cells]
        points = [list(point) for point in zip(members.x(fit), values, strict=True)]
        return FittedLevel(**fit.model_dump(), height=float(np.mean(values)), points=points)

    def headline(self, found):
        """The height."""
        return f"{found.quantity} / {found.scale:g} is about {found.height:.3g}"

    def statement(self, found, words):
        """The height."""
        return Statement((f"the {words(found.quantity)} stays near ", Number(f"{found.height:.3g}")), ("a mean",))

    def row(self, name, found, words):
        """The height."""
        return name, words(found.quantity), f"{found.height:.3g}"

    def notes(self, fits):
        """That there are no errors."""
        return ["Heights have no errors."]
