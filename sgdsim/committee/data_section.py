"""The table [data] of an experiment file about the committee: data that are finite."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from sgdsim.committee.problem import Committee
from sgdsim.committee.words import DATA_WORDS
from sgdsim.ensemble.section import section_of
from sgdsim.training.data import FiniteData


class DataSection(section_of(FiniteData, optional=("n",))):
    """[data]: n data for every replica, and how batches are drawn of them. Without the table every datum is fresh."""

    words: ClassVar[Mapping[str, str]] = DATA_WORDS

    def apply(self, problem: Committee) -> Committee:
        """The problem with these data. **Raises:** ArgumentError where they do not fit it."""
        return replace(problem, data=self.build())
