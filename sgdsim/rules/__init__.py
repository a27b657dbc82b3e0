"""Rules: every update of SGD that is linear in weights and fresh Gaussian inputs, and the chain that it is in law.

A `Rule` says what a step does; from it follow the exact low-dimensional chain (`lanes`, `blocks`), SGD on the full
weights (`weights`) and the ODE of the means (`mean_step`). A system is a rule with a start and observables.
"""

from sgdsim.rules.rule import Move as Move
from sgdsim.rules.rule import Rule as Rule
from sgdsim.rules.rule import Sample as Sample
from sgdsim.rules.rule import Sizes as Sizes
from sgdsim.rules.units import Units as Units
