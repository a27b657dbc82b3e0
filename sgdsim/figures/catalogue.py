"""The figures that an experiment may ask for, by name."""

from sgdsim.figures.classification.regularisation import RegularisationFigure
from sgdsim.figures.classification.small_gamma import SmallGammaFigure
from sgdsim.figures.classification.weight_histograms import WeightHistogramsFigure
from sgdsim.figures.committee.fluctuations import FluctuationsFigure
from sgdsim.figures.committee.law_in_dt import LawInDtFigure
from sgdsim.figures.committee.law_in_p import LawInPFigure
from sgdsim.figures.committee.phase_diagram import PhaseDiagramFigure
from sgdsim.figures.committee.risk import RiskFigure
from sgdsim.figures.common.against import AgainstFigure
from sgdsim.figures.common.scaling import ScalingFigure
from sgdsim.figures.common.trajectories import TrajectoriesFigure
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.density import DensityFigure
from sgdsim.figures.meanfield.lazy import LazyFigure
from sgdsim.figures.meanfield.linear_noise import LinearNoiseFigure
from sgdsim.figures.meanfield.noise import NoiseFigure
from sgdsim.figures.meanfield.radial import RadialFigure
from sgdsim.figures.meanfield.rates import RatesFigure
from sgdsim.figures.recovery.aging import AgingFigure
from sgdsim.figures.recovery.bias import BiasFigure
from sgdsim.figures.recovery.stability import StabilityFigure
from sgdsim.figures.recovery.threshold import ThresholdFigure
from sgdsim.figures.recovery.threshold_start import ThresholdStartFigure
from sgdsim.plugins import Catalogue

_KINDS = (
    ScalingFigure(),
    TrajectoriesFigure(),
    RiskFigure(),
    PhaseDiagramFigure(),
    LawInPFigure(),
    LawInDtFigure(),
    FluctuationsFigure(),
    BiasFigure(),
    ThresholdFigure(),
    ThresholdStartFigure(),
    AgingFigure(),
    StabilityFigure(),
    RatesFigure(),
    LinearNoiseFigure(),
    NoiseFigure(),
    DensityFigure(),
    RadialFigure(),
    LazyFigure(),
    WeightHistogramsFigure(),
    SmallGammaFigure(),
    RegularisationFigure(),
    AgainstFigure(),
)

FIGURES = Catalogue({kind.name: kind for kind in _KINDS}, "sgdsim.figures", FigureKind)
"""A new figure is a new class and one more entry here, or an entry point of a package; page and files follow."""
