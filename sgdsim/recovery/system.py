"""The system `recovery`, as the common rooms see it."""

from sgdsim.ensemble.contracts import System
from sgdsim.recovery.descent import Descent
from sgdsim.recovery.dmft import Dmft
from sgdsim.recovery.observables import VARIABLES
from sgdsim.recovery.sections import ProblemSection, SimulatorSection, StartSection, TheorySection

SYSTEM = System(
    name="recovery",
    variables=VARIABLES,
    problem_section=ProblemSection,
    start_section=StartSection,
    theory_section=TheorySection,
    simulator_section=SimulatorSection,
    default_simulator=Descent(),
    default_theory=Dmft(),
)
