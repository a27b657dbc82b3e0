"""The edge of stability of gradient descent on the quadratic signal, and how far its theory can be followed beyond.

Where residuals are small the Hessian is C(t,t) times that at x*. Where the signal is not found C grows for long, and a
descent that was stable may cease to be. In theory, N to infinity, nothing sets off what has become unstable: by then it
has died out. Rounding does. As it is the rounding of C, of the square of a motion, it grows twice as fast as the
response R(t,t') to a push: while that goes from 1 to 10 the error of e2 goes from 1e-8 to 1e-6, then to all of it, of
either sign. So a descent is lost from where a response exceeds the push, 1. What is in motion anyway, from a start
beyond the edge or by noise, brings C back to the edge before.
"""

import math

import numpy as np
from jaxtyping import Array, Float, Int


def sharpness(alpha: float, degree: int = 2) -> float:
    """The largest eigenvalue of the Hessian at x*: the edge of its bulk, (1 + sqrt(alpha))^2, or one beyond it.

    For degree 2 and alpha > 1 that is 2 (alpha + 1), along x: a gradient has twice the variance in that direction.
    """
    return 2 * (alpha + 1) if degree == 2 and alpha > 1 else (1 + alpha**0.5) ** 2


def edge_of_stability(alpha: float, eta: float, b: float, temperature: float) -> float:
    """C(t,t) = 2/(eta sharpness), up to which gradient descent of degree 2 is stable; infinite where there is noise."""
    return 2 / (eta * sharpness(alpha)) if b == 1 and temperature == 0 else math.inf


class Excursion:
    """Since when C(t,t) has been over the edge, from step to step, and what has become of pushes since.

    - `norm`: C(0,0). Of a start beyond the edge all is in motion, until C comes below.
    """

    def __init__(self, edge: float, norm: float) -> None:
        self._edge = edge
        self._since = 0 if norm <= edge else None

    def lost(self, t: int, norm: float, times: Int[np.ndarray, " earlier"], R: Float[np.ndarray, " responses"]) -> bool:
        """Whether the descent is lost at step t, the one after the last: `norm`, C(t,t), and R(t,t') at `times` t'."""
        if norm <= self._edge:
            self._since = t + 1
        elif self._since is not None:
            return bool((np.abs(R[np.searchsorted(times, self._since) :]) > 1.0).any())
        return False


def lost_from(norm: Float[np.ndarray, " steps"], R: Float[Array | np.ndarray, "n n"], edge: float) -> int:
    """The step from which on a descent is lost, of C(t,t) and R(t,t') at t = 0, 1, ...; `steps` where it is not."""
    if not (norm > edge).any():
        return len(norm)
    times, excursion = np.arange(len(norm)), Excursion(edge, norm[0])
    rows = np.asarray(R)  # only here it leaves a device
    lost = (t for t in range(1, len(norm)) if excursion.lost(t, norm[t], times[:t], rows[t, :t]))
    return next(lost, len(norm))


def past_the_edge(sharpness: float, edge: float) -> str:
    """What to tell of a descent that has ended so."""
    return (
        f"Gradient descent is unstable where C(t, t) > 2/({sharpness:.4g} eta) = {edge:.4g}, and what follows is for "
        "rounding to decide. A smaller `eta` raises that edge."
    )
