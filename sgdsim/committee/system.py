"""The system `committee`, as the common rooms see it."""

from collections.abc import Sequence

from sgdsim.committee.chain import Chain
from sgdsim.committee.observables import VARIABLES
from sgdsim.committee.ode import ExactODE
from sgdsim.committee.problem import Committee
from sgdsim.committee.scaling import Region
from sgdsim.committee.sections import ProblemSection, SimulatorSection, StartSection, TheorySection
from sgdsim.ensemble.contracts import System


def expected_slope(quantity: str, against: str, problems: Sequence[Committee]) -> float | None:
    """Slope of log(quantity) against log(against) by E max_t |Omega^nu - Omega_bar|_inf <= C(T) log(p) sqrt(dt).

    1/2 against dt, and -(1 + theta)/2 (theta >= 0) or -(1 + 2 theta)/2 against d; None where the theorem says nothing.
    (Veiga et al. 2022, theorem 1.)
    """
    if quantity not in ("sup_deviation", "final_deviation"):
        return None
    if any(problem.region is Region.RED for problem in problems):
        return None
    if against == "dt":
        return 0.5
    thetas = {problem.scaling.theta for problem in problems}
    if against != "d" or len(thetas) != 1:
        return None
    theta = thetas.pop()
    return -(1 + (theta if theta >= 0 else 2 * theta)) / 2


SYSTEM = System(
    name="committee",
    variables=VARIABLES,
    problem_section=ProblemSection,
    start_section=StartSection,
    theory_section=TheorySection,
    simulator_section=SimulatorSection,
    default_simulator=Chain(),
    default_theory=ExactODE(),
    expected_slope=expected_slope,
)
