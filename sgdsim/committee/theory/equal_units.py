"""The ODE of equal units: k + 2 numbers for any width, at a cost that does not depend on it.

Where all units of the student have the same overlaps m_r with the teachers, the same squared length q and the same
overlap c with one another, the ODE keeps them equal. Its averages need two of them, and two that stand for the others.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.theory.batch_pulls import BatchPulls
from sgdsim.contracts import Curve, Observables
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.solver import MOST_TIMES, integrate

LEAST_WIDTH = 4
"""The least p at which units are taken together: four of them stand for all, and below there may be no such four."""


class EqualUnits(eqx.Module):
    """P (k, k) of the teacher, and of every unit m (k,), its squared length q and its overlap c with every other."""

    P: Float[Array | np.ndarray, "k k"]
    m: Float[Array | np.ndarray, " k"]
    q: Float[Array | np.ndarray, ""]
    c: Float[Array | np.ndarray, ""]

    @property
    def state(self) -> Float[Array, " modes"]:
        """The three numbers (m, q, c) that equal units leave of M and Q."""
        return jnp.concatenate([jnp.asarray(self.m), jnp.stack([jnp.asarray(self.q), jnp.asarray(self.c)])])


def equal_units(initial: Overlaps) -> EqualUnits | None:
    """The units of a start where they are equal to the last bit, and at least `LEAST_WIDTH`; else None."""
    P, M, Q = (np.asarray(part, np.float64) for part in (initial.P, initial.M, initial.Q))
    p = len(Q)
    if p < LEAST_WIDTH:
        return None
    expected = np.full((p, p), Q[0, 1])
    np.fill_diagonal(expected, Q[0, 0])
    if (M[:1] != M).any() or (expected != Q).any():
        return None
    return EqualUnits(P=P, m=M[0], q=Q[0, 0, ...], c=Q[0, 1, ...])


def pair_velocity(
    C: Float[Array, "fields fields"],
    p: Float[Array, ""],
    A: Float[Array, ""],
    B: Float[Array, ""],
    noise: Float[Array, ""],
    activation: Activation,
) -> Float[Array, " modes"]:
    """d/dt of (M_1r, Q_11, Q_12) of two units 1 and 2 whose n_o = p - 2 others are alike.

    `C` is the covariance of the k teachers, of two of the others, a and b, and of units 1 and 2. With X the teacher's
    output less the share of units 1 and 2, and n = n_o,

        (X - sum_o sigma_o/p)^2 = (X - n (sigma_a + sigma_b)/(2p))^2 + (2n - n^2)/(4 p^2) (sigma_a - sigma_b)^2

    on average, also when weighed by sigma'(l_1) sigma'(l_2): two sums of I4. For the equation
    see `overlap_curve.velocity`.
    """
    n = len(C)
    k, others = n - 4, p - 2.0
    share = jnp.stack([-others / (2 * p)] * 2 + [-1 / p] * 2)
    s = jnp.concatenate([jnp.full(k, 1.0 / k), share])
    contrast = jnp.asarray(np.concatenate([np.zeros(k), [1.0, -1.0, 0.0, 0.0]]))
    first, second = activation.I3(C, k + 2) @ s, activation.I3(C, k + 3) @ s

    def with_errors() -> Float[Array, "2"]:
        J2 = jnp.stack([activation.J2(C, k + 2, k + 2), activation.J2(C, k + 2, k + 3)])
        weight = (2 * others - others**2) / (4 * p**2)
        sums = activation.I4_sums(C, s, k + 2) + weight * activation.I4_sums(C, contrast, k + 2)
        return sums[0] + noise * J2

    squares = jax.lax.cond(B != 0, with_errors, lambda: jnp.zeros(2))
    drift = jnp.stack([2 * first[k + 2], first[k + 3] + second[k + 2]])
    return jnp.concatenate([A * first[:k], A * drift + B * squares])


def pair_pulls(C: Float[Array, "fields fields"], p: Float[Array, ""], activation: Activation) -> Float[Array, "2"]:
    """v_1.v_1 and v_1.v_2, v_i = E[E_i x], of units 1 and 2 of those of `pair_velocity`.

    With the J of `averages.slopes`, v_i.v_j = J_i C J_j^T; the sums over pairs of others are those over a and b and,
    with the same weight as there, over their contrast.
    """
    n = len(C)
    k, others = n - 4, p - 2.0
    share = jnp.stack([-others / (2 * p)] * 2 + [-1 / p] * 2)
    s = jnp.concatenate([jnp.full(k, 1.0 / k), share])
    J2 = jax.vmap(lambda i: jax.vmap(lambda j: activation.J2(C, i, j))(jnp.arange(n)))(jnp.array([k + 2, k + 3]))
    slopes = J2 * s[None, :]
    with_own = jnp.stack([activation.I3(C, k + 2)[k + 2] @ s, activation.I3(C, k + 3)[k + 3] @ s])
    variances = jnp.diagonal(C)[k + 2 :]
    own = (with_own - jnp.sum(slopes * C[k + 2 :], axis=1)) / jnp.where(variances > 0, variances, 1)
    slopes = slopes + jnp.pad(own[:, None] * jnp.eye(2), ((0, 0), (k + 2, 0)))
    contrast = J2 * jnp.asarray(np.concatenate([np.zeros(k), [1.0, -1.0, 0.0, 0.0]]))[None, :]
    weight = (2 * others - others**2) / (4 * p**2)
    sums = slopes @ C @ slopes.T + weight * contrast @ C @ contrast.T
    return sums[0]


def pair_fields(
    P: Float[Array, "k k"], M: Float[Array, "4 k"], Q: Float[Array, "4 4"]
) -> Float[Array, "fields fields"]:
    """The covariance of the teachers and four units."""
    return jnp.block([[P, M.T], [M, Q]])


def alike(P: Float[Array, "k k"], state: Float[Array, " modes"]) -> Float[Array, "fields fields"]:
    """Covariance of the teacher's fields and those of four equal units."""
    k = len(P)
    Q = state[k + 1] + (state[k] - state[k + 1]) * jnp.eye(4)
    return pair_fields(P, jnp.broadcast_to(state[:k], (4, k)), Q)


class EqualCurve(Curve):
    """The ODE of equal units of one problem. All numbers are traced: one compilation serves every p."""

    A: Float[Array, ""]
    B: Float[Array, ""]
    noise: Float[Array, ""]
    p: Float[Array, ""]
    activation: Activation
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    pulls: BatchPulls | None = None

    @property
    def least_times(self) -> int:
        """As many as fluctuations need."""
        return MOST_TIMES

    def __call__(self, initial: EqualUnits, times: Float[Array | np.ndarray, " times"]) -> Observables:
        """m (times, k), q, c and excess_risk (times,) at increasing times >= 0, from `initial` at 0."""
        times, P = jnp.asarray(times, jnp.float64), jnp.asarray(initial.P, jnp.float64)
        first_step = 0.01 / (self.A + self.B)
        path = integrate(lambda x: self.mean_velocity(P, x), initial.state, times, first_step, self.rtol, self.atol)
        risk = jax.vmap(self.risk, in_axes=(None, 0))(P, path)
        k = len(P)
        return {"m": path[:, :k], "q": path[:, k], "c": path[:, k + 1], "excess_risk": risk}

    def velocity(self, P: Float[Array, "k k"], state: Float[Array, " modes"]) -> Float[Array, " modes"]:
        """d/dt of (m, q, c)."""
        return pair_velocity(alike(P, state), self.p, self.A, self.B, self.noise, self.activation)

    def mean_velocity(self, P: Float[Array, "k k"], state: Float[Array, " modes"]) -> Float[Array, " modes"]:
        """d/dt of (m, q, c), with what batches add to `velocity`."""
        if self.pulls is None:
            return self.velocity(P, state)
        weight, k = self.pulls.weight, len(P)

        def mean(state: Float[Array, " modes"]) -> Float[Array, " modes"]:
            more = weight * pair_pulls(alike(P, state), self.p, self.activation)
            return self.velocity(P, state) + jnp.pad(more, (k, 0))

        return self.pulls.stepwise(mean, state)

    def risk(self, P: Float[Array, "k k"], state: Float[Array, " modes"]) -> Float[Array, ""]:
        """The excess risk at (m, q, c); see `excess_risk`."""
        k, I2 = len(P), self.activation.I2
        m, q, c = state[:k], state[k], state[k + 1]
        teacher = jnp.diagonal(P)
        own = jnp.mean(I2(P, teacher[:, None], teacher[None, :]))
        student = (I2(q, q, q) + (self.p - 1) * I2(c, q, q)) / self.p
        return 0.5 * (own + student) - jnp.mean(I2(m, jnp.full(k, q), teacher))


def expand(path: dict[str, np.ndarray], p: int) -> dict[str, np.ndarray]:
    """M (times, p, k) and Q (times, p, p) of p units, from m (times, k) and q and c (times,)."""
    m, q, c = (path[name] for name in ("m", "q", "c"))
    Q = np.repeat(c, p * p).reshape(-1, p, p)
    Q[:, np.arange(p), np.arange(p)] = q[:, None]
    return {"M": np.repeat(m[:, None, :], p, axis=1), "Q": Q}
