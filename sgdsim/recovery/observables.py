"""What is observed of a recovery: overlaps with the signal and in time, the loss, and the response."""

from typing import Any

from sgdsim.contracts import Variable

VARIABLES = {
    "distance": Variable("distance from the signal", r"\Delta"),
    "loss": Variable("loss per dimension", "H/N"),
    "m": Variable("overlap with the signal", "m"),
    "C": Variable("squared length", "C(t,t)"),
    "C_start": Variable("correlation with the start", "C(t,0)"),
    "R_start": Variable("response to a push at the start", "R(t,0)"),
    "recovered": Variable("rate of success", r"P_{\rm rec}"),
    "perfect": Variable("share of perfect fits that are not the signal", r"P_{\rm fit}"),
    "ground": Variable("lowest loss per dimension of all restarts", "E_0/N"),
    "zero_modes": Variable("zero modes of the Hessian per dimension", "n_0"),
    "C_waiting": Variable("correlation with an earlier time", "C(t,t_w)", ("waiting",)),
    "R_waiting": Variable("response to a push at an earlier time", "R(t,t_w)", ("waiting",)),
    "chi_waiting": Variable("integrated response to a field since an earlier time", r"\chi(t,t_w)", ("waiting",)),
}
"""m = x.x*/N, C(t,t') = x(t).x(t')/N, R(t,0) = (1/N) sum_i dx_i(t)/dH_i(0) for a field H added to the first step.

`recovered` is 1 where the distance is below the level that the simulator was given, else 0. `perfect`, `ground` and
`zero_modes` are those of restarts, see `restarts_kernel`.

For each waiting time t_w of the problem, C_waiting is C(t, min(t, t_w)), R_waiting is R(t,t_w), and

    chi(t,t_w) = (1/N) sum_i dx_i(t)/dh_i = eta sum_{t_w<=s<t} R(t,s),

of a force h that is added to the descent from t_w on, x <- x - eta (grad H - h): of Langevin dynamics at temperature T
in equilibrium chi(t,t_w) = [C(t,t) - C(t,t_w)]/T. Both are 0 up to t_w.
"""


def distance(m: Any, C: Any, degree: int = 2) -> Any:
    """Delta = |x - x*|^2/N = 1 - 2m + C; for degree 2, where -x* explains the data as well, from the nearer of both."""
    return 1 - 2 * (abs(m) if degree == 2 else m) + C
