"""Figures of signal recovery."""

from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.recovery.aging import AgingFigure
from sgdsim.figures.recovery.canyon import CanyonFigure
from sgdsim.figures.recovery.effective_temperature import EffectiveTemperatureFigure

KINDS: tuple[FigureKind, ...] = (AgingFigure(), CanyonFigure(), EffectiveTemperatureFigure())
