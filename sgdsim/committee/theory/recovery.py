"""How long spherical SGD takes from a random start to a teacher's direction, by the information exponent of the target.

Of one unit on He_l the drift of the overlap m is proportional to gamma m^(l-1), from m ~ 1/sqrt(d), and its noise to
gamma sqrt(steps)/d. The rate that lets the drift win in as few steps as may be is gamma ~ d^-(l/2 - 1) for l >= 2, with

    steps ~ d (l = 1),    d ln d (l = 2),    d^(l-1) (l >= 3)                 (Ben Arous, Gheissari & Jagannath 2021)

where a batch d^mu at gamma/batch fixed divides the steps, not the samples. A batch that is used twice acts as a
function of the label too: y^3 of He_3 has information exponent 1, and steps ~ d at a rate that does not fall with d
(Dandi et al. 2024).
"""

from collections.abc import Sequence

from sgdsim.committee.averages.hermite_units import Hermite
from sgdsim.committee.problem import Committee
from sgdsim.committee.theory.search import information_exponent

MEDIANS = ("steps_to_overlap", "samples_to_overlap")
TOLERANCE = 1e-9
"""Of exponents that are sums."""


def recovery_slope(quantity: str, against: str, problems: Sequence[Committee], *, beside_log: bool) -> float | None:
    """The slope of log(steps or samples to overlap 1/2) against log(d) at the rates above; None where there is none.

    `beside_log`: of these divided by ln(d), which the law of l = 2 has as a factor and no other.
    """
    slopes = {_slope(problem, beside_log) for problem in problems}
    mus = {problem.scaling.mu for problem in problems}
    if against != "d" or len(slopes) > 1 or len(mus) > 1 or None in slopes:
        return None
    (slope,), (mu,) = slopes, mus
    assert slope is not None
    return slope - mu if quantity == "steps_to_overlap" else slope


def _slope(problem: Committee, beside_log: bool) -> float | None:
    """That of samples."""
    exponent, update, scaling = information_exponent(problem), problem.update, problem.scaling
    if exponent is None or update is None or not update.spherical or scaling.kappa:
        return None
    if scaling.mu and scaling.rho != 1:
        return None
    if update.reuse > 1:
        return 1.0 if exponent == 3 and scaling.delta == 0 and not beside_log else None
    best = max(exponent / 2 - 1, 0)
    matched = problem.activation == Hermite(exponent)
    if (exponent == 2) != beside_log or not matched or abs(scaling.delta - best) > TOLERANCE:
        return None
    return float(max(exponent - 1, 1))
