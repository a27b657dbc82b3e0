"""The system `committee`, as the common rooms see it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sgdsim.committee.chain import Chain
from sgdsim.committee.data_section import DataSection
from sgdsim.committee.mixture import Mixture
from sgdsim.committee.observables import VARIABLES
from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_section import RuleSection
from sgdsim.committee.scaling import Region
from sgdsim.committee.sections import ProblemSection, SimulatorSection, StartSection, TheorySection
from sgdsim.committee.student_section import StudentSection
from sgdsim.committee.theory.asymptotic_error import SoftCommitteeError
from sgdsim.committee.theory.ode import ExactODE
from sgdsim.committee.theory.plateau import PlateauGrowth
from sgdsim.committee.theory.recovery import MEDIANS, recovery_slope
from sgdsim.committee.theory.rule_slopes import rule_slope
from sgdsim.committee.theory.sign_descent import floor_slope
from sgdsim.committee.theory.wider import WiderStudent
from sgdsim.contracts import System

APART = {"excess_risk_bias": 1.0, "excess_risk_std": 0.5}
"""How far the mean is from theory and a replica from the mean, and the power of small steps by which they fall."""
DEVIATIONS = ("sup_deviation", "max_deviation", "final_deviation")
"""The quantities that theorem 1 bounds by C(T) log(p) sqrt(dt)."""


@dataclass(frozen=True)
class CommitteeSlopes:
    """What theory expects of the power laws of a committee, see `sgdsim.laws.power.PowerExpectation`."""

    def slope(self, quantity: str, against: str, problems: Sequence[Committee]) -> float | None:
        """Slope of log(quantity) against log(against) by theory (Veiga et al. 2022); None where theory has none.

        - a deviation: by theorem 1, E |Omega^nu - Omega_bar|_inf <= C(T) log(p) sqrt(dt). 1/2 against dt; against d,
          -(1 + theta)/2 where theta >= 0 and -(1/2 + theta) in the orange region. Where p differs between the cells,
          as along p = p0 d^kappa, the slope of log log p is added, by least squares over the cells with equal weights;
          None where a cell has p = 1, whose log p is 0, and where mu > 0: the theorem is of a batch that does not grow.
        - `excess_risk`: with label noise, and once it has settled, excess_inf ~ noise gamma/(p batch) ~
          d^-(theta + mu), in the green region and on the blue line; on a mixture something else may be left.
          Against p it is -1 where d, gamma, batch and noise are the same in all cells.
        - `steps_to_level`: there, nu = t / dt at a t that does not change: -1 against dt, 1 + theta against d.
        - `samples_to_level`: these times batch ~ d^mu.
        - `steps_to_overlap`, `samples_to_overlap`: see `recovery_slope`.

        - `excess_risk_bias` and `excess_risk_std`, while the risk is above its floor: 1 and 1/2 against gamma or dt,
          where gamma = gamma0 d^-delta alone differs between problems, in the green region. `ExactODE` and
          `GradientFlow` both are the limit gamma -> 0 at a fixed gamma nu.

        None too where problems differ in mu, or in a batch that is no power of d, of finite data and beside optimisers
        other than signs, of inputs of a law, of classes and of a module. Of other updates see `rule_slope`, of sign
        descent `floor_slope`.
        """
        if any(problem.law is not None or problem.student is not None for problem in problems):
            return None
        if quantity in MEDIANS:
            return recovery_slope(quantity, against, problems, beside_log=False)
        if any(problem.trains for problem in problems):
            return floor_slope(quantity, against, problems)
        if quantity in APART:
            return _slope_of_small_steps(quantity, against, problems)
        if any(problem.update is not None or problem.schedules is not None for problem in problems):
            return rule_slope(quantity, against, problems)
        mus, batches = {problem.scaling.mu for problem in problems}, {problem.batch for problem in problems}
        regions = {problem.region for problem in problems}
        if Region.RED in regions or len(mus) > 1 or (mus == {0.0} and len(batches) > 1):
            return None
        thetas = {problem.scaling.theta for problem in problems}
        theta, mu = thetas.pop() if len(thetas) == 1 else None, mus.pop()
        if quantity in DEVIATIONS:
            return None if mu > 0 else _slope_of_deviation(against, theta, problems)
        if Region.ORANGE in regions:
            return None
        if quantity in ("samples_to_level", "steps_to_level"):
            return _slope_of_steps(against, theta, mu if quantity == "samples_to_level" else 0.0)
        if quantity == "excess_risk" and against == "p":
            return -1.0 if _differ_in_width(problems) else None
        noisy = all(problem.noise > 0 and not isinstance(problem.inputs, Mixture) for problem in problems)
        return -(theta + mu) if quantity == "excess_risk" and against == "d" and noisy and theta is not None else None

    def slope_beside_log(self, quantity: str, against: str, problems: Sequence[Committee]) -> float | None:
        """That of `steps_to_overlap`, `samples_to_overlap` divided by ln(d), see `recovery_slope`; None of others."""
        known = quantity in MEDIANS and all(problem.law is None and problem.student is None for problem in problems)
        return recovery_slope(quantity, against, problems, beside_log=True) if known else None

    def assumes(self, quantity: str, against: str, problems: Sequence[Committee]) -> str | None:
        """What the slope takes for granted beside the power of dt or d, in words; None where nothing."""
        if quantity in APART and self.slope(quantity, against, problems) is not None:
            return "while the risk is above what noise leaves of it"
        if floor_slope(quantity, against, problems) == 1.0:
            return "to leading order in gamma/sqrt(noise)"
        grows = quantity in DEVIATIONS and len({problem.p for problem in problems}) > 1
        known = grows and self.slope(quantity, against, problems) is not None
        return "with the factor log(p) of the bound, which need not be sharp" if known else None


def _differ_in_width(problems: Sequence[Committee]) -> bool:
    """Whether plain students on one problem with label noise differ in p alone, so that excess_inf ~ noise gamma/p."""
    same = {(problem.d, problem.k, problem.gamma, problem.batch, problem.noise) for problem in problems}
    return len(same) == 1 and all(problem.plain and problem.noise > 0 for problem in problems)


def _slope_of_deviation(against: str, theta: float | None, problems: Sequence[Committee]) -> float | None:
    """That of log(p) sqrt(dt), for a batch that does not grow; without a common theta only against dt."""
    against_d = None if theta is None else -(1 + (theta if theta >= 0 else 2 * theta)) / 2
    slope = {"dt": 0.5, "d": against_d}.get(against)
    growth = None if slope is None else _slope_of_log_p(against, problems)
    return None if slope is None or growth is None else slope + growth


def _slope_of_small_steps(quantity: str, against: str, problems: Sequence[Committee]) -> float | None:
    """That of `APART` where problems of the plain network in the green region differ by their gamma alone."""
    alike = (
        len({(problem.d, problem.p, problem.batch, problem.noise, problem.scaling.kappa) for problem in problems}) == 1
    )
    green = all(problem.region is Region.GREEN and problem.plain for problem in problems)
    return APART[quantity] if alike and green and against in ("gamma", "dt") else None


def _slope_of_steps(against: str, theta: float | None, growth: float) -> float | None:
    """That of nu d^growth at a fixed t = nu dt, with dt ~ d^-(1 + theta); without a common theta only against dt."""
    if against == "dt" and growth == 0:
        return -1.0
    if theta is None:
        return None
    return {"d": 1 + theta + growth, "dt": -(1 + theta + growth) / (1 + theta)}.get(against)


def _slope_of_log_p(against: str, problems: Sequence[Committee]) -> float | None:
    """The least-squares slope of log log p against log(against) over the cells; 0 where p is the same in all."""
    if len({problem.p for problem in problems}) == 1:
        return 0.0
    x = np.log([float(problem.parameters()[against]) for problem in problems])
    if min(problem.p for problem in problems) == 1 or np.ptp(x) == 0:
        return None
    centred = x - x.mean()
    return float(centred @ np.log(np.log([problem.p for problem in problems])) / (centred @ centred))


SYSTEM = System(
    name="committee",
    variables=VARIABLES,
    risk="excess_risk",
    problem_section=ProblemSection,
    tables={"rule": RuleSection, "data": DataSection, "student": StudentSection},
    start_section=StartSection,
    theory_section=TheorySection,
    simulator_section=SimulatorSection,
    default_simulator=Chain(),
    default_theory=ExactODE(),
    telling=("p", "region"),
    figures=(
        *("phase_diagram", "law_in_p", "law_in_dt", "fluctuations", "second_layer", "escape"),
        *("generalisation", "universality", "effective_noise"),
    ),
    expectations={"power": CommitteeSlopes(), "two_term": SoftCommitteeError(), "log_power": PlateauGrowth()},
    prediction=WiderStudent(),
)
