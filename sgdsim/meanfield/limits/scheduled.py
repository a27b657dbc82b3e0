"""The limit of steps that fall with time, beta < 1: that of constant steps, at another time.

    dW = -s(t) h(W, lam_t) dt   is   dW/dtau = -h(W, lam),   tau = int_0^t s,   s(t) = (1 + t/t0)^-x

Noise is multiplied by s too, so that at beta = 1, dW = -h dtau + (s gamma)^(1/2) Sigma^(1/2) dB_tau: the limit is
another one, see `density`.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sgdsim.meanfield.limits.solution import SPACING, Limit, Solution
from sgdsim.rules.schedule import PowerSchedule


def elapsed(schedule: PowerSchedule | None, t: Float[np.ndarray, "*times"]) -> Float[np.ndarray, "*times"]:
    """tau(t) = int_0^t s: t0 ((1 + t/t0)^(1 - x) - 1)/(1 - x), and t0 log(1 + t/t0) for x = 1; t itself without one."""
    if schedule is None:
        return t
    rest, passed = 1 - schedule.exponent, np.log1p(np.asarray(t) / schedule.t0)
    # By the logarithm: near x = 1 the difference of two powers is rounding.
    return np.asarray(schedule.t0 * (passed if rest == 0 else np.expm1(rest * passed) / rest))


class ScheduledSolution(Solution):
    """A solution for constant steps, `constant`, in the time of steps that fall."""

    def __init__(self, constant: Solution, schedule: PowerSchedule, final: float) -> None:
        self.constant, self.schedule = constant, schedule
        count = max(1, math.ceil(final / SPACING))
        at = jnp.asarray(elapsed(schedule, final / count * np.arange(count + 1)))
        before = constant.limit
        self.limit = Limit(final / count, before.m_at(at), before.mean_at(at), before.variance_at(at))

    def histogram(self, times: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """That of constant steps at tau(t)."""
        return self.constant.histogram(elapsed(self.schedule, times), edges)
