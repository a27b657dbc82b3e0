"""Figures of signal recovery."""

from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.recovery.aging import AgingFigure

KINDS: tuple[FigureKind, ...] = (AgingFigure(),)
