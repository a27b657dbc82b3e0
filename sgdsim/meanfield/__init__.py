"""Wide two-layer networks: SGD with gamma_N = gamma N^beta, propagation of chaos and McKean-Vlasov limits."""

from sgdsim.analysis.pairs import pair_covariance as pair_covariance
from sgdsim.meanfield.data import Atoms as Atoms
from sgdsim.meanfield.data import TwoGaussians as TwoGaussians
from sgdsim.meanfield.dynamics import Sde as Sde
from sgdsim.meanfield.dynamics import Sgd as Sgd
from sgdsim.meanfield.limits.limit import solution as solution
from sgdsim.meanfield.limits.linear_noise import linear_noise as linear_noise
from sgdsim.meanfield.losses import CallableLoss as CallableLoss
from sgdsim.meanfield.losses import CrossEntropy as CrossEntropy
from sgdsim.meanfield.losses import Logistic as Logistic
from sgdsim.meanfield.losses import Squared as Squared
from sgdsim.meanfield.model import GaussianLaw as GaussianLaw
from sgdsim.meanfield.model import Model as Model
from sgdsim.meanfield.model import ParticleLaw as ParticleLaw
from sgdsim.meanfield.models import output_model as output_model
from sgdsim.meanfield.models import radial_model as radial_model
from sgdsim.meanfield.models import tanh_model as tanh_model
from sgdsim.meanfield.particles import Linearised as Linearised
from sgdsim.meanfield.particles import Pair as Pair
from sgdsim.meanfield.particles import Particles as Particles
from sgdsim.meanfield.problem import MeanField as MeanField
from sgdsim.meanfield.starts import ExplicitStart as ExplicitStart
from sgdsim.meanfield.starts import LawStart as LawStart
from sgdsim.meanfield.theory import MeanFieldLimit as MeanFieldLimit
from sgdsim.meanfield.theory import NtkLimit as NtkLimit
