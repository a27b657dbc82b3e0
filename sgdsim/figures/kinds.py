"""The contract of a figure."""

import abc
from typing import ClassVar

from matplotlib.figure import Figure

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

    @abc.abstractmethod
    def draw(self, run: Stored) -> Figure:
        """The figure, to be called inside `style.styled`."""
