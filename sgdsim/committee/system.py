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
    """Slope of log(quantity) against log(against) as d -> infinity (Veiga et al. 2022); None where theory has none.

    - `sup_deviation`, `final_deviation`: by theorem 1, E max_t |Omega^nu - Omega_bar|_inf <= C(T) log(p) sqrt(dt).
      1/2 against dt; against d, -(1 + theta)/2 where theta >= 0 and -(1/2 + theta) in the orange region.
    - `excess_risk`: with label noise, and once it has settled, excess_inf ~ noise d^-theta where theta >= 0.
    - `samples_to_level`: where theta >= 0, nu = t / dt at a t that does not change: -1 against dt, 1 + theta against d.
    """
    if any(problem.region is Region.RED for problem in problems):
        return None
    thetas = {problem.scaling.theta for problem in problems}
    theta = thetas.pop() if len(thetas) == 1 else None
    if quantity in ("sup_deviation", "final_deviation"):
        against_d = None if theta is None else -(1 + (theta if theta >= 0 else 2 * theta)) / 2
        return {"dt": 0.5, "d": against_d}.get(against)
    if any(problem.region is Region.ORANGE for problem in problems):
        return None
    if quantity == "samples_to_level":
        return {"dt": -1.0, "d": None if theta is None else 1 + theta}.get(against)
    noisy = all(problem.noise > 0 for problem in problems)
    return -theta if quantity == "excess_risk" and against == "d" and noisy and theta is not None else None


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
