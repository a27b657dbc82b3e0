"""Figures of networks on images."""

from sgdsim.figures.classification.accuracy import AccuracyFigure
from sgdsim.figures.classification.bad_minima import BadMinimaFigure
from sgdsim.figures.classification.regularisation import RegularisationFigure
from sgdsim.figures.classification.small_gamma import SmallGammaFigure
from sgdsim.figures.classification.weight_histograms import WeightHistogramsFigure
from sgdsim.figures.kinds import FigureKind

KINDS: tuple[FigureKind, ...] = (
    WeightHistogramsFigure(),
    SmallGammaFigure(),
    RegularisationFigure(),
    BadMinimaFigure(),
    AccuracyFigure(),
)
