"""The ODE of the order parameters of the plain network: its right-hand side, and its curve."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages import network as averages
from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.risk import excess_risk
from sgdsim.committee.specialisation import with_specialisation
from sgdsim.committee.theory.batch_pulls import BatchPulls
from sgdsim.committee.theory.equal_units import EqualCurve, equal_units, expand
from sgdsim.contracts import Curve, Observables
from sgdsim.rules.linear_noise import MAX_ENTRIES
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.solver import MOST_TIMES, integrate


def _signs(k: int, p: int) -> Float[Array, " {k}+{p}"]:
    """s with (f* - f) = sum_a s_a sigma(l_a)."""
    return jnp.concatenate([jnp.full(k, 1.0 / k), jnp.full(p, -1.0 / p)])


def errors_with_fields(
    P: Float[Array, "k k"], M: Float[Array, "p k"], Q: Float[Array, "p p"], activation: Activation
) -> Float[Array, "p k+p"]:
    """E[E_i l_j] = sum_a s_a I3(i, j, a), E_i = sigma'(l_i) (y - f), for the fields l_j of teachers, then students."""
    p, k = M.shape
    return averages.with_fields(averages.covariance(P, M, Q), _signs(k, p), k, activation)


def errors_with_errors(
    P: Float[Array, "k k"],
    M: Float[Array, "p k"],
    Q: Float[Array, "p p"],
    noise: Float[Array, ""] | float,
    activation: Activation,
) -> Float[Array, "p p"]:
    """E[E_i E_j] = sum_ab s_a s_b I4(i, j, a, b) + Delta J2(i, j), with noise = Delta."""
    p, k = M.shape
    return averages.with_errors(averages.covariance(P, M, Q), _signs(k, p), k, noise, activation)


def velocity(
    P: Float[Array, "k k"],
    M: Float[Array, "p k"],
    Q: Float[Array, "p p"],
    A: Float[Array, ""] | float,
    B: Float[Array, ""] | float,
    noise: Float[Array, ""] | float,
    activation: Activation,
) -> tuple[Float[Array, "p k"], Float[Array, "p p"]]:
    """(dM/dt, dQ/dt), the right-hand side of the ODE (Saad & Solla 1995; Veiga et al. 2022).

        dM_ir/dt = A E[E_i l*_r],    dQ_ij/dt = A (E[E_i l_j] + E[E_j l_i]) + B E[E_i E_j]

    A weighs the drift, B the noise that one sample leaves behind; the theories below set them. Where B = 0 the average
    E[E_i E_j], which is nearly all of the cost, is not computed.
    """
    k = P.shape[0]
    with_fields = errors_with_fields(P, M, Q, activation)
    with_students = with_fields[:, k:]
    with_errors = jax.lax.cond(
        B != 0, lambda: errors_with_errors(P, M, Q, noise, activation), lambda: jnp.zeros_like(with_students)
    )
    return A * with_fields[:, :k], A * (with_students + with_students.T) + B * with_errors


class OverlapCurve(Curve):
    """The ODE of one problem. A, B and the noise are traced: one compilation serves all of equal p, k, activation."""

    A: Float[Array, ""]
    B: Float[Array, ""]
    noise: Float[Array, ""]
    activation: Activation
    p: int = eqx.field(static=True)
    k: int = eqx.field(static=True)
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    escape_level: float | None = eqx.field(static=True, default=None)
    pulls: BatchPulls | None = None

    @property
    def least_times(self) -> int:
        """As many as fluctuations need, where order parameters are few; see `check_size` for these."""
        return MOST_TIMES if self.p * (self.k + self.p) <= MAX_ENTRIES else super().least_times

    def __call__(self, initial: Overlaps, times: Float[Array | np.ndarray, " times"]) -> Observables:
        """M (times, p, k), Q (times, p, p) and excess_risk (times,) at increasing times >= 0, from `initial` at 0.

        NaN for a start that is not finite, and from the first time that the solver did not reach.
        """
        times = jnp.asarray(times, jnp.float64)
        P, M0, Q0 = (jnp.asarray(part, jnp.float64) for part in (initial.P, initial.M, initial.Q))
        first_step = 0.01 / (self.A + self.B)
        M, Q = integrate(lambda y: self.mean_velocity(P, *y), (M0, Q0), times, first_step, self.rtol, self.atol)
        risk = jax.vmap(self.risk, in_axes=(None, 0, 0))(P, M, Q)
        return with_specialisation({"M": M, "Q": Q, "excess_risk": risk}, P, self.escape_level, axis=1)

    def solve(self, initial: Overlaps, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """Order parameters and risk at `times`, on the host.

        Where all units start alike they are solved as one; see `equal_units`.
        """
        units = equal_units(initial) if self.escape_level is None else None
        if units is None:
            return super().solve(initial, times)
        solved = self.of_equal_units().solve(units, times)
        return expand(solved, self.p) | {"excess_risk": solved["excess_risk"]}

    def of_equal_units(self) -> EqualCurve:
        """The ODE of this problem for units that are all alike: three numbers instead of two matrices."""
        p = jax.device_put(np.float64(self.p))
        return EqualCurve(
            self.A, self.B, self.noise, p, self.activation, rtol=self.rtol, atol=self.atol, pulls=self.pulls
        )

    def mean_velocity(
        self, P: Float[Array, "k k"], M: Float[Array, "p k"], Q: Float[Array, "p p"]
    ) -> tuple[Float[Array, "p k"], Float[Array, "p p"]]:
        """(dM/dt, dQ/dt) at a point, with what batches add to `velocity`."""
        if self.pulls is None:
            return self.velocity(P, M, Q)
        return self.pulls.stepwise(lambda point: self.step_velocity(P, *point), (M, Q))

    def step_velocity(
        self, P: Float[Array, "k k"], M: Float[Array, "p k"], Q: Float[Array, "p p"]
    ) -> tuple[Float[Array, "p k"], Float[Array, "p p"]]:
        """The mean change of (M, Q) in one step over dt: `velocity`, and what the samples of a batch do together."""
        dM, dQ = self.velocity(P, M, Q)
        together = 0.0 if self.pulls is None else self.pulls.weight * pulls_together(P, M, Q, self.activation)
        return dM, dQ + together

    def velocity(
        self, P: Float[Array, "k k"], M: Float[Array, "p k"], Q: Float[Array, "p p"]
    ) -> tuple[Float[Array, "p k"], Float[Array, "p p"]]:
        """(dM/dt, dQ/dt) at a point."""
        return velocity(P, M, Q, self.A, self.B, self.noise, self.activation)

    def risk(self, P: Float[Array, "k k"], M: Float[Array, "p k"], Q: Float[Array, "p p"]) -> Float[Array, ""]:
        """The excess risk at a point."""
        return excess_risk(P, M, Q, self.activation)


def pulls_together(
    P: Float[Array, "k k"], M: Float[Array, "p k"], Q: Float[Array, "p p"], activation: Activation
) -> Float[Array, "p p"]:
    """v_i.v_j with v_i = E[E_i x], the mean pull on unit i."""
    p, k = M.shape
    C, s = averages.covariance(P, M, Q), _signs(k, p)
    J = averages.slopes(C, s, k, activation, averages.with_fields(C, s, k, activation))
    return J @ C @ J.T
