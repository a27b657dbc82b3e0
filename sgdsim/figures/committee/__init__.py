"""Figures of the committee."""

from sgdsim.figures.committee.effective_noise import EffectiveNoiseFigure
from sgdsim.figures.committee.escape import EscapeFigure
from sgdsim.figures.committee.fluctuations import FluctuationsFigure
from sgdsim.figures.committee.generalisation import GeneralisationFigure
from sgdsim.figures.committee.law_in_dt import LawInDtFigure
from sgdsim.figures.committee.law_in_p import LawInPFigure
from sgdsim.figures.committee.phase_diagram import PhaseDiagramFigure
from sgdsim.figures.committee.second_layer import SecondLayerFigure
from sgdsim.figures.committee.universality import UniversalityFigure
from sgdsim.figures.kinds import FigureKind

KINDS: tuple[FigureKind, ...] = (
    PhaseDiagramFigure(),
    LawInPFigure(),
    LawInDtFigure(),
    FluctuationsFigure(),
    SecondLayerFigure(),
    EscapeFigure(),
    GeneralisationFigure(),
    UniversalityFigure(),
    EffectiveNoiseFigure(),
)
