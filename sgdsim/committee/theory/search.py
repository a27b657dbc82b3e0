"""What one step of spherical SGD does to the overlap of a unit with the teacher's direction, and how long that takes.

Of a unit on the teacher h_l with overlap m, weights of length 1 and error y sigma'(lambda), to second order in gamma

    E[dm] = (gamma/d) l m^(l-1) (1 - m^2) - m gamma^2/(2 d) E[(y sigma')^2] + O(gamma^2/d^2)
    Var[dm] = (gamma/d)^2 E[(y sigma')^2 (lambda* - m lambda)^2]

E[(y sigma')^2] is l at m = 0, and 15 and 60 at m = 1/2 for l = 3 and 4; the variance is l (2 l + 1) (gamma/d)^2 at
m = 0, since y and lambda* are large together. With gamma = gamma0 d^-(l/2 - 1) and steps in units of d^(l-1), m sqrt(d)
follows from these an equation free of d for l >= 3. The kick -m gamma^2/(2 d) E[(y sigma')^2] stops the drift short of
m = 1/2 where gamma is above 0.15 (l = 3) or 0.025 (l = 4): that scaling begins far below.
"""

import math
from typing import TYPE_CHECKING

from sgdsim.committee.averages.hermite_units import Hermite
from sgdsim.committee.observables import RECOVERED_AT

if TYPE_CHECKING:  # which has the rate among its parameters
    from sgdsim.committee.problem import Committee


def information_exponent(problem: "Committee") -> int | None:
    """l of a teacher of one unit with He_l; None of any other problem."""
    teacher = problem.teacher_activation or problem.activation
    if problem.k > 1 or problem.target is not None or not isinstance(teacher, Hermite):
        return None
    return teacher.degree


def drift(exponent: int, overlap: float) -> float:
    """E[dm] d/gamma to first order in gamma: l m^(l-1) (1 - m^2)."""
    return exponent * overlap ** (exponent - 1) * (1 - overlap**2)


def drift_time(exponent: int, begin: float, end: float) -> float:
    """Steps times gamma/d that the drift alone takes from overlap `begin` to `end`: F_l(end) - F_l(begin).

    The integral of 1/(l m^(l-1) (1 - m^2)), with l F_l = G_l,

        G_1 = artanh(m),    G_2 = ln(m/sqrt(1 - m^2)),    G_l = G_(l-2) - 1/((l-2) m^(l-2))
    """
    return (_integral(exponent, end) - _integral(exponent, begin)) / exponent


def _integral(exponent: int, m: float) -> float:
    if exponent == 1:
        return math.atanh(m)
    if exponent == 2:
        return math.log(m / math.sqrt(1 - m * m))
    return _integral(exponent - 2, m) - m ** (2 - exponent) / (exponent - 2)


def recovery_rate(problem: "Committee") -> float | None:
    """1/t, where t is the time that the drift alone takes from overlap 1/sqrt(d) to 1/2.

    None unless one unit with h_l follows one with h_l on the sphere, by plain steps in more than four dimensions.
    """
    exponent, update = information_exponent(problem), problem.update
    if exponent is None or problem.activation != Hermite(exponent) or problem.p > 1 or update is None:
        return None
    alone = problem.second is None and problem.inputs is None and problem.schedules is None and update.reuse == 1
    if not update.spherical or not alone or update.limits or update.gap(problem.d) < 1:
        return None
    begin = problem.d**-0.5
    if begin >= RECOVERED_AT:
        return None
    steps = drift_time(exponent, begin, RECOVERED_AT) * problem.d / problem.gamma
    return 1 / (steps * problem.dt)
