"""Figures of every system."""

from sgdsim.figures.common.against import AgainstFigure
from sgdsim.figures.common.bias import BiasFigure
from sgdsim.figures.common.finite_size import FiniteSizeFigure
from sgdsim.figures.common.risk import RiskFigure
from sgdsim.figures.common.scaling import ScalingFigure
from sgdsim.figures.common.stability import StabilityFigure
from sgdsim.figures.common.threshold import ThresholdFigure
from sgdsim.figures.common.threshold_start import ThresholdStartFigure
from sgdsim.figures.common.trajectories import TrajectoriesFigure
from sgdsim.figures.kinds import FigureKind

KINDS: tuple[FigureKind, ...] = (
    ScalingFigure(),
    TrajectoriesFigure(),
    RiskFigure(),
    BiasFigure(),
    ThresholdFigure(),
    ThresholdStartFigure(),
    StabilityFigure(),
    AgainstFigure(),
    FiniteSizeFigure(),
)
