"""Figures of wide networks."""

from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.approximation import ApproximationFigure
from sgdsim.figures.meanfield.averages import AveragesFigure
from sgdsim.figures.meanfield.bridge import BridgeFigure
from sgdsim.figures.meanfield.clt import CltFigure
from sgdsim.figures.meanfield.density import DensityFigure
from sgdsim.figures.meanfield.dependence import DependenceFigure
from sgdsim.figures.meanfield.entropy import EntropyFigure
from sgdsim.figures.meanfield.lazy import LazyFigure
from sgdsim.figures.meanfield.linear_noise import LinearNoiseFigure
from sgdsim.figures.meanfield.noise import NoiseFigure
from sgdsim.figures.meanfield.radial import RadialFigure
from sgdsim.figures.meanfield.rates import RatesFigure
from sgdsim.figures.meanfield.regimes import RegimesFigure
from sgdsim.figures.meanfield.support import SupportFigure

KINDS: tuple[FigureKind, ...] = (
    RatesFigure(),
    LinearNoiseFigure(),
    NoiseFigure(),
    DensityFigure(),
    RadialFigure(),
    LazyFigure(),
    BridgeFigure(),
    SupportFigure(),
    ApproximationFigure(),
    DependenceFigure(),
    CltFigure(),
    AveragesFigure(),
    EntropyFigure(),
    RegimesFigure(),
)
