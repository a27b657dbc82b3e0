"""The figures that an experiment may ask for, by name."""

from sgdsim.report.against import AgainstFigure
from sgdsim.report.aging import AgingFigure
from sgdsim.report.bias import BiasFigure
from sgdsim.report.density import DensityFigure
from sgdsim.report.fluctuations import FluctuationsFigure
from sgdsim.report.kinds import FigureKind
from sgdsim.report.law_in_dt import LawInDtFigure
from sgdsim.report.law_in_p import LawInPFigure
from sgdsim.report.lazy import LazyFigure
from sgdsim.report.linear_noise import LinearNoiseFigure
from sgdsim.report.noise import NoiseFigure
from sgdsim.report.phase_diagram import PhaseDiagramFigure
from sgdsim.report.radial import RadialFigure
from sgdsim.report.rates import RatesFigure
from sgdsim.report.regularisation import RegularisationFigure
from sgdsim.report.risk import RiskFigure
from sgdsim.report.scaling import ScalingFigure
from sgdsim.report.small_gamma import SmallGammaFigure
from sgdsim.report.stability import StabilityFigure
from sgdsim.report.threshold import ThresholdFigure
from sgdsim.report.threshold_start import ThresholdStartFigure
from sgdsim.report.trajectories import TrajectoriesFigure
from sgdsim.report.weight_histograms import WeightHistogramsFigure

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

FIGURES: dict[str, FigureKind] = {kind.name: kind for kind in _KINDS}
"""A new figure is a new class and one more entry here; the page and the files follow."""
