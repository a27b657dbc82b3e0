"""Rules: every update of SGD that is linear in weights and fresh Gaussian inputs, and the chain that it is in law.

A `Rule` says what a step does; from it follow the exact low-dimensional chain (`lanes`, `blocks`), SGD on the full
weights (`weights`), the ODE of the means (`mean_step`) and the fluctuations about it. A `RuleProblem` is a rule with
its constants, and `rule_system` its system. Schedules multiply rates.
"""

from sgdsim.rules.chain import RuleChain as RuleChain
from sgdsim.rules.full_weights import RuleFullWeights as RuleFullWeights
from sgdsim.rules.ode import RuleODE as RuleODE
from sgdsim.rules.problem import RuleProblem as RuleProblem
from sgdsim.rules.rule import KickMoments as KickMoments
from sgdsim.rules.rule import Move as Move
from sgdsim.rules.rule import Rule as Rule
from sgdsim.rules.rule import Sample as Sample
from sgdsim.rules.rule import Sizes as Sizes
from sgdsim.rules.schedule import Cosine as Cosine
from sgdsim.rules.schedule import FunctionSchedule as FunctionSchedule
from sgdsim.rules.schedule import Piecewise as Piecewise
from sgdsim.rules.schedule import PowerSchedule as PowerSchedule
from sgdsim.rules.schedule import WarmUp as WarmUp
from sgdsim.rules.starts import AlignedRuleStart as AlignedRuleStart
from sgdsim.rules.starts import ExplicitRuleStart as ExplicitRuleStart
from sgdsim.rules.system import rule_system as rule_system
from sgdsim.rules.units import Units as Units
