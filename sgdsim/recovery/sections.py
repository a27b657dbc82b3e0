"""The tables [problem], [start], [theory] and [simulator] of an experiment file about recovery."""

from collections.abc import Mapping
from typing import ClassVar

from sgdsim.ensemble.section import section_of, section_of_kinds
from sgdsim.recovery.coarse import CoarseDmft
from sgdsim.recovery.descent import Descent
from sgdsim.recovery.dmft import Dmft
from sgdsim.recovery.linear_regression import LinearRegression
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.starts import ExactStart
from sgdsim.recovery.words import PROBLEM_WORDS


class ProblemSection(section_of(Recovery)):
    """[problem]: the parameters of `Recovery`."""

    words: ClassVar[Mapping[str, str]] = PROBLEM_WORDS


class StartSection(section_of_kinds({"exact": ExactStart})):
    """[start]: exactly the problem's m0 and C00, the only kind."""


class TheorySection(
    section_of_kinds({"dmft": Dmft, "coarse_dmft": CoarseDmft, "linear": LinearRegression, "none": None})
):
    """[theory]: dynamical mean-field theory (degree 2), the closed form of linear regression (degree 1), or none.

    `coarse_dmft` is the mean-field theory with a memory of few old times, for T from some thousand steps on. The
    mean-field equations are followed until the distance from the signal is below `tolerance`.
    """


class SimulatorSection(section_of_kinds({"descent": Descent, "none": None})):
    """[simulator]: gradient descent at finite N, or none where the theory alone is asked for."""
