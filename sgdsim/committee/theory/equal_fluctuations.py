"""Linear-noise theory of equal units: the spread of a replica about the ODE, for any width.

The equation is that of `fluctuations`. The covariance of all M and Q follows from that of 2 (k + 2) + 1 `modes`,
whatever p is.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.problem import Committee
from sgdsim.committee.theory.equal_step import EqualStep
from sgdsim.committee.theory.equal_units import EqualCurve, EqualUnits
from sgdsim.committee.theory.modes import jacobian
from sgdsim.errors import ArgumentError
from sgdsim.rules.linear_noise import Deviations, law, path


@dataclass(frozen=True)
class ModeLaw:
    """The Gaussian law of the deviations of p equal units at the save times, in modes, about a shifted path.

    - `shift`: of (m, q, c), how far the path that noise strays about is from the theory's.
    """

    modes: Deviations
    shift: Float[np.ndarray, "times modes"]
    p: int

    @property
    def k(self) -> int:
        """Width of the teacher."""
        return self.shift.shape[1] - 2

    def blocks(
        self, matrices: Float[np.ndarray, "times all all"]
    ) -> tuple[
        Float[np.ndarray, "times modes modes"], Float[np.ndarray, "times modes modes"], Float[np.ndarray, " times"]
    ]:
        """The parts of matrices in modes that belong to a, u and w."""
        n = self.k + 2
        return matrices[:, :n, :n], matrices[:, n : 2 * n, n : 2 * n], matrices[:, -1, -1]

    def std(self) -> tuple[Float[np.ndarray, "times k"], Float[np.ndarray, " times"], Float[np.ndarray, " times"]]:
        """Standard deviations of M_ir, Q_ii and Q_ij."""
        together, singles, pairs = self.blocks(self.modes.covariances)
        p, k = self.p, self.k
        same, own = (np.diagonal(part, axis1=1, axis2=2) for part in (together, singles))
        variance = same[:, : k + 1] + (1 - 1 / p) * own[:, : k + 1]
        between = same[:, k + 1] + 2 * (1 - 2 / p) * own[:, k + 1] + (p - 3) / (p - 1) * pairs
        root = np.sqrt(np.maximum(variance, 0.0))
        return root[:, :k], root[:, k], np.sqrt(np.maximum(between, 0.0))

    def std_along(self, gradient: Float[np.ndarray, "times modes"]) -> Float[np.ndarray, " times"]:
        """The standard deviation of a function of all units alike, with that gradient in (m, q, c)."""
        together = self.blocks(self.modes.covariances)[0]
        return np.sqrt(np.maximum(np.einsum("ta,tab,tb->t", gradient, together, gradient), 0.0))


def mode_law(
    problem: Committee, flow: EqualCurve, theory: EqualCurve, units: EqualUnits, times: Float[np.ndarray, " times"]
) -> ModeLaw:
    """The law of the deviations at `times` (>= 0, not decreasing) from the path of `theory`, about that of `flow`.

    **Raises:** ArgumentError where the path does not reach the last time.
    """
    shift = states_of(flow, units, times)[0]
    shift = shift - (shift if theory is flow else states_of(theory, units, times)[0])
    if not np.isfinite(shift).all():
        raise ArgumentError("times", "end where the ODE still has a solution", float(times[-1]))
    nodes, states = path(lambda probes: states_of(flow, units, probes), float(times[-1]))
    noise, P = EqualStep.of(problem), jax.device_put(units.P)
    rates = [_rates(flow, noise, P, jax.device_put(state)) for state in states]
    jacobians, noises = (np.stack(rate) for rate in zip(*rates, strict=True))
    return ModeLaw(law(times, nodes, jacobians, noises), shift, problem.p)


def states_of(
    curve: EqualCurve, units: EqualUnits, times: Float[np.ndarray, " times"]
) -> tuple[Float[np.ndarray, "times modes"], Float[np.ndarray, " times"]]:
    """(m, q, c) and the excess risk at `times`."""
    solved = curve.solve(units, times)
    return np.column_stack([solved["m"], solved["q"], solved["c"]]), solved["excess_risk"]


def risk_gradients(
    flow: EqualCurve, units: EqualUnits, times: Float[np.ndarray, " times"]
) -> Float[np.ndarray, "times modes"]:
    """The derivative of the excess risk in (m, q, c) along the path."""
    return np.asarray(_gradients(flow, *jax.device_put((units.P, states_of(flow, units, times)[0]))))


@eqx.filter_jit
def _rates(
    flow: EqualCurve, noise: EqualStep, P: Float[Array, "k k"], state: Float[Array, " modes"]
) -> tuple[Float[Array, "all all"], Float[Array, "all all"]]:
    """J and dt D at one point."""
    return jacobian(flow, P, state), noise(P, state)


@eqx.filter_jit
def _gradients(
    flow: EqualCurve, P: Float[Array, "k k"], states: Float[Array, "times modes"]
) -> Float[Array, "times modes"]:
    return jax.vmap(jax.grad(lambda state: flow.risk(P, state)))(states)
