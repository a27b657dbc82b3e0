"""One-pass SGD of a two-layer network in a teacher-student problem, with its ODE."""

from sgdsim.committee.activations import Activation as Activation
from sgdsim.committee.activations import Custom as Custom
from sgdsim.committee.activations import Erf as Erf
from sgdsim.committee.activations import Linear as Linear
from sgdsim.committee.activations import Quadratic as Quadratic
from sgdsim.committee.activations import Relu as Relu
from sgdsim.committee.chain import Chain as Chain
from sgdsim.committee.equal_start import EqualStart as EqualStart
from sgdsim.committee.ode import ExactODE as ExactODE
from sgdsim.committee.ode import GradientFlow as GradientFlow
from sgdsim.committee.ode import LimitODE as LimitODE
from sgdsim.committee.problem import Committee as Committee
from sgdsim.committee.scaling import Region as Region
from sgdsim.committee.scaling import Scaling as Scaling
from sgdsim.committee.second_layer import SecondLayer as SecondLayer
from sgdsim.committee.spectrum import Blocks as Blocks
from sgdsim.committee.spectrum import PowerLaw as PowerLaw
from sgdsim.committee.starts import CombinationStart as CombinationStart
from sgdsim.committee.starts import ExplicitStart as ExplicitStart
from sgdsim.committee.starts import GaussianStart as GaussianStart
from sgdsim.committee.starts import OverlapStart as OverlapStart
from sgdsim.committee.starts import SphereStart as SphereStart
from sgdsim.committee.starts import overlap_start as overlap_start
from sgdsim.committee.weights import Weights as Weights
from sgdsim.rules.overlaps import Overlaps as Overlaps
