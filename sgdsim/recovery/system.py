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

        Of degree 2. Gradient descent leaves x* where eta times the largest eigenvalue of the Hessian there,
        2 (alpha + 1), exceeds 2: the distance rises against eta at 1/(alpha + 1). The lowest loss rises against alpha
        at 1, where there are as many equations as unknowns.
        """
        if any(problem.degree != 2 for problem in problems):
            return None
        if (quantity, against) == ("ground", "alpha"):
            return 1.0
        alphas = {problem.alpha for problem in problems}
        descent = all(problem.b == 1 for problem in problems)
        if (quantity, against) != ("distance", "eta") or len(alphas) != 1 or not descent:
            return None
        return 1 / (alphas.pop() + 1)


@dataclass(frozen=True)
class Counting:
    """What counting of equations says, see `sgdsim.laws.known.KnownExpectation`."""

    def value(self, quantity: str, problem: Recovery) -> float | None:
        """M equations leave N - M of N directions flat; None for other quantities."""
        return max(0.0, 1 - problem.data / problem.N) if quantity == "zero_modes" else None


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
    figures=("aging", "canyon", "effective_temperature"),
    expectations={"onset": DescentOnset(), "known": Counting()},
)
