"""The system `recovery`, as the common rooms see it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sgdsim.contracts import System
from sgdsim.recovery.descent import Descent
from sgdsim.recovery.dmft import Dmft
from sgdsim.recovery.observables import VARIABLES
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.sections import ProblemSection, SimulatorSection, StartSection, TheorySection


@dataclass(frozen=True)
class DescentOnset:
    """What theory expects of the onset of an instability, see `sgdsim.laws.onset.OnsetExpectation`."""

    def onset(self, quantity: str, against: str, problems: Sequence[Recovery]) -> float | None:
        """Where a quantity begins to rise; None where theory does not say.

        Gradient descent of degree 2 leaves x* where eta times the largest eigenvalue of the Hessian there,
        2 (alpha + 1), exceeds 2: the distance rises against eta at 1/(alpha + 1).
        """
        alphas = {problem.alpha for problem in problems}
        descent = all(problem.b == 1 and problem.degree == 2 for problem in problems)
        if (quantity, against) != ("distance", "eta") or len(alphas) != 1 or not descent:
            return None
        return 1 / (alphas.pop() + 1)


SYSTEM = System(
    name="recovery",
    variables=VARIABLES,
    risk="distance",
    problem_section=ProblemSection,
    start_section=StartSection,
    theory_section=TheorySection,
    simulator_section=SimulatorSection,
    default_simulator=Descent(),
    default_theory=Dmft(),
    figures=("aging", "effective_temperature"),
    expectations={"onset": DescentOnset()},
)
