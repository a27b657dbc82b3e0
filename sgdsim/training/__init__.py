"""Training on data: gradient descent with any optimiser, on data that are drawn once or fresh at every step."""

from sgdsim.training.data import FiniteData as FiniteData
from sgdsim.training.inputs import InputLaw as InputLaw
from sgdsim.training.inputs import LabelLaw as LabelLaw
from sgdsim.training.inputs import NormalInputs as NormalInputs
from sgdsim.training.inputs import NormalNoise as NormalNoise
from sgdsim.training.kernel import TrainingKernel as TrainingKernel
from sgdsim.training.model import Begun as Begun
from sgdsim.training.model import TrainedModel as TrainedModel
from sgdsim.training.module import ModuleStudent as ModuleStudent
from sgdsim.training.optimiser import SGD as SGD
from sgdsim.training.optimiser import Adam as Adam
from sgdsim.training.optimiser import HeavyBall as HeavyBall
from sgdsim.training.optimiser import Nesterov as Nesterov
from sgdsim.training.optimiser import OptaxUpdate as OptaxUpdate
from sgdsim.training.optimiser import Optimiser as Optimiser
from sgdsim.training.optimiser import RMSProp as RMSProp
from sgdsim.training.optimiser import SignDescent as SignDescent
