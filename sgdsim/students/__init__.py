"""Students that come with sgdsim, as equinox modules: functions of d and a key, see `sgdsim.training.ModuleStudent`."""

from sgdsim.students.attention import Attention as Attention
from sgdsim.students.attention import attention as attention
from sgdsim.students.layers import Layers as Layers
from sgdsim.students.layers import normalised as normalised
from sgdsim.students.layers import three_layers as three_layers
from sgdsim.students.layers import two_layers as two_layers
