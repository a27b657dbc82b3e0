"""Recovery of a hidden signal by GD and SGD, with dynamical mean-field theory."""

from sgdsim.recovery.coarse import CoarseDmft as CoarseDmft
from sgdsim.recovery.descent import Descent as Descent
from sgdsim.recovery.dmft import Dmft as Dmft
from sgdsim.recovery.dmft import integrate as integrate
from sgdsim.recovery.linear_regression import LinearRegression as LinearRegression
from sgdsim.recovery.problem import Recovery as Recovery
from sgdsim.recovery.selection import Fresh as Fresh
from sgdsim.recovery.selection import Persistent as Persistent
from sgdsim.recovery.selection import Shuffled as Shuffled
from sgdsim.recovery.starts import ExactStart as ExactStart
from sgdsim.recovery.starts import SignalOverlaps as SignalOverlaps
