"""The tables [problem], [start], [theory] and [simulator] of an experiment file about classification."""

from collections.abc import Mapping
from typing import ClassVar

from sgdsim.classification.problem import Classification
from sgdsim.classification.simulator import Network
from sgdsim.classification.starts import RandomStart
from sgdsim.classification.words import PROBLEM_WORDS
from sgdsim.ensemble.section import section_of, section_of_kinds


class ProblemSection(section_of(Classification)):
    """[problem]: the parameters of `Classification`."""

    words: ClassVar[Mapping[str, str]] = PROBLEM_WORDS


class StartSection(section_of_kinds({"random": RandomStart})):
    """[start]: independent random weights, the only kind."""


class TheorySection(section_of_kinds({"none": None})):
    """[theory]: there is none of a classification."""


class SimulatorSection(section_of_kinds({"network": Network})):
    """[simulator]: SGD of all weights of the network."""
