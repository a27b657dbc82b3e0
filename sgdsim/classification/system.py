"""The system `classification`, as the common rooms see it."""

from sgdsim.classification.observables import VARIABLES
from sgdsim.classification.sections import ProblemSection, SimulatorSection, StartSection, TheorySection
from sgdsim.classification.simulator import Network
from sgdsim.contracts import System

SYSTEM = System(
    name="classification",
    variables=VARIABLES,
    risk="test_loss",
    problem_section=ProblemSection,
    start_section=StartSection,
    theory_section=TheorySection,
    simulator_section=SimulatorSection,
    default_simulator=Network(),
    default_theory=None,
    figures=("weight_histograms", "small_gamma", "regularisation", "bad_minima", "accuracy"),
)
