"""How long spherical SGD takes from a random start to a teacher's direction, by the information exponent of the target.

Of one unit on He_l the drift of the overlap m is proportional to gamma m^(l-1), from m ~ 1/sqrt(d), and its noise to
gamma sqrt(steps)/d. The rate that lets the drift win in as few steps as may be is gamma ~ d^-(l/2 - 1) for l >= 2, with

    steps ~ d (l = 1),    d ln d (l = 2),    d^(l-1) (l >= 3)                 (Ben Arous, Gheissari & Jagannath 2021)

where a batch d^mu at gamma/batch fixed divides the steps, not the samples. A batch that is used twice acts as a
function of the label too: y^3 of He_3 has information exponent 1, and steps ~ d at a rate that does not fall with d
(Dandi et al. 2024).
"""

from collections.abc import Sequence

from sgdsim.committee.hermite_units import Hermite
from sgdsim.committee.problem import Committee

MEDIANS = ("steps_to_overlap", "samples_to_overlap")
TOLERANCE = 1e-9
"""Of exponents that are sums."""


def information_exponent(problem: Committee) -> int | None:
    """l of a teacher of one unit with He_l; None of any other problem."""
    teacher = problem.teacher_activation or problem.activation
    if problem.k > 1 or problem.target is not None or not isinstance(teacher, Hermite):
        return None
    return teacher.degree


def recovery_slope(quantity: str, against: str, problems: Sequence[Committee]) -> float | None:
    """The slope of log(steps or samples to overlap 1/2) against log(d) at the rates above; None where there is none."""
    slopes = {_slope(problem) for problem in problems}
    mus = {problem.scaling.mu for problem in problems}
    if against != "d" or len(slopes) > 1 or len(mus) > 1 or None in slopes:
        return None
    (slope,), (mu,) = slopes, mus
    assert slope is not None
    return slope - mu if quantity == "steps_to_overlap" else slope


def _slope(problem: Committee) -> float | None:
    """That of samples; None for l = 2, where a logarithm stands beside the power."""
    exponent, update, scaling = information_exponent(problem), problem.update, problem.scaling
    if exponent is None or update is None or not update.spherical or scaling.kappa:
        return None
    if scaling.mu and scaling.rho != 1:
        return None
    if update.reuse > 1:
        return 1.0 if exponent == 3 and scaling.delta == 0 else None
    best = max(exponent / 2 - 1, 0)
    matched = problem.activation == Hermite(exponent)
    if exponent == 2 or not matched or abs(scaling.delta - best) > TOLERANCE:
        return None
    return float(max(exponent - 1, 1))
