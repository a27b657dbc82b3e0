"""The system `meanfield`, as the common rooms see it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sgdsim.analysis.names import LARGEST
from sgdsim.contracts import System
from sgdsim.meanfield.observables import VARIABLES
from sgdsim.meanfield.particles import Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.schedule_section import ScheduleSection
from sgdsim.meanfield.sections import ProblemSection, SimulatorSection, StartSection, TheorySection
from sgdsim.meanfield.theory import MeanFieldLimit


@dataclass(frozen=True)
class MeanFieldSlopes:
    """What theory expects of the power laws of wide networks, see `sgdsim.laws.power.PowerExpectation`."""

    def slope(self, quantity: str, against: str, problems: Sequence[MeanField]) -> float | None:
        """The slope that theory predicts for a log-log fit against N; None where it does not say.

        E |W^N - W^*|^2 ~ N^-(1 - beta) for beta < 1 and N^-1 at beta = 1 (De Bortoli et al., theorems 1 and 2); the
        squared displacement of a lazy network falls as N^(2 (a - 1)).

        Against eps: E |W_sde - W_sgd|^2 ~ eps of runs that do not know of one another; laws differ by eps in their
        means and, to the same order, by the skewness of a sum of T/eps steps, so that W_2^2 ~ eps^2.
        """
        if against == "eps":
            return _in_eps(quantity)
        betas, exponents = ({getattr(problem, name) for problem in problems} for name in ("beta", "a"))
        if against != "N" or len(betas) != 1 or len(exponents) != 1:
            return None
        beta, a = betas.pop(), exponents.pop()
        if quantity in ("coupling", "distance"):
            return -1.0 if beta == 1 else beta - 1
        return 2 * (a - 1) if quantity == "displacement" and a < 1 else None

    def bound(self, quantity: str, against: str, problems: Sequence[MeanField]) -> tuple[float, float] | None:
        """sup_t E |W_sde - W_sgd|^2 <= C eps log(1 + 1/eps)^2 (De Bortoli et al.): of a coupling, so of the best."""
        return (1.0, 2.0) if against == "eps" and _in_eps(quantity) is not None else None

    def assumes(self, quantity: str, against: str, problems: Sequence[MeanField]) -> str | None:
        """Nothing: these are powers of N alone."""
        return None


def _in_eps(quantity: str) -> float | None:
    """The exponent of eps in a distance of SGD from its SDE."""
    name = quantity.removesuffix(LARGEST)
    return {"apart": 1.0, "assigned": 2.0, "laws": 2.0}.get(name)


SYSTEM = System(
    name="meanfield",
    variables=VARIABLES,
    risk="excess_risk",
    problem_section=ProblemSection,
    start_section=StartSection,
    theory_section=TheorySection,
    simulator_section=SimulatorSection,
    default_simulator=Particles(),
    default_theory=MeanFieldLimit(),
    tables={"rule": ScheduleSection},
    figures=(
        *("rates", "linear_noise", "noise", "density", "radial", "lazy", "bridge", "support"),
        *("approximation", "dependence", "clt", "averages", "entropy", "regimes"),
    ),
    expectations={"power": MeanFieldSlopes(), "power_log": MeanFieldSlopes()},
)
