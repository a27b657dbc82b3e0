"""The contract of a figure."""

import abc
from typing import ClassVar

from matplotlib.figure import Figure

from sgdsim.figures.setting import setting
from sgdsim.store.stored import Stored


class FigureKind(abc.ABC):
    """One kind of figure: a small frozen object with a name, which draws any run that has what it needs."""

    name: ClassVar[str]

    @abc.abstractmethod
    def lacks(self, run: Stored) -> str:
        """What the run would need for this figure to be drawn; empty where nothing is missing."""

    @abc.abstractmethod
    def caption(self, run: Stored) -> str:
        """What the figure shows, in plain text."""

    def full_caption(self, run: Stored) -> str:
        """The caption as a page has it: with the sizes of the system and the number of replicas behind it."""
        return f"{self.caption(run)} {setting(run)}".strip()

    @abc.abstractmethod
    def draw(self, run: Stored) -> Figure:
        """The figure, to be called inside `style.styled`."""
