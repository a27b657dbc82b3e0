"""The plateau before specialisation: where equal units come to rest, and how fast differences between them grow."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.problem import Committee
from sgdsim.committee.scaling import Region
from sgdsim.committee.theory.ode import LimitODE
from sgdsim.committee.theory.overlap_curve import velocity
from sgdsim.rules.solver import integrate

SETTLED = 200.0
"""Time, over A, after which equal units are near their fixed point; Newton's method does the rest."""
NEWTON = 20
"""Steps of it at most."""


def escape_rate(problem: Committee) -> float | None:
    """lambda, the rate at which differences between units grow as exp(lambda t) on the plateau of the limit ODE.

    With orthonormal teachers all units equal, M = m, Q = c + (q - c) I, is a manifold of the ODE, on which it has a
    fixed point. lambda is the largest eigenvalue of the linearised ODE there. None where none is > 0, or p or k is 1:
    there is no plateau that is left.
    """
    A, B = LimitODE().coefficients(problem)
    if min(problem.p, problem.k) < 2 or A == 0:
        return None
    return _escape_rate(problem.p, problem.k, A, B, problem.noise, problem.activation)


@lru_cache(maxsize=256)
def _escape_rate(p: int, k: int, A: float, B: float, noise: float, activation: object) -> float | None:
    P, one = jnp.eye(k), jnp.eye(p)

    def matrices(x: Float[Array, "3"]) -> tuple[Float[Array, "p k"], Float[Array, "p p"]]:
        return jnp.full((p, k), x[0]), x[2] + (x[1] - x[2]) * one

    def full(y: tuple[Array, Array]) -> tuple[Array, Array]:
        return velocity(P, *y, A, B, noise, activation)  # type: ignore[arg-type]

    def equal(x: Float[Array, "3"]) -> Float[Array, "3"]:
        dM, dQ = full(matrices(x))
        return jnp.stack([dM[0, 0], dQ[0, 0], dQ[0, 1]])

    def solved() -> tuple[Array, Array]:
        begin = jnp.array([0.1, 0.5, 0.1])
        x = integrate(equal, begin, jnp.array([SETTLED / A]), jnp.array(0.01 / (A + B)), 1e-8, 1e-10)[0]
        x = jax.lax.fori_loop(0, NEWTON, lambda _, x: x - jnp.linalg.solve(jax.jacfwd(equal)(x), equal(x)), x)
        M, Q = matrices(x)

        def flat(y: Float[Array, " entries"]) -> Float[Array, " entries"]:
            dM, dQ = full((y[: p * k].reshape(p, k), y[p * k :].reshape(p, p)))
            return jnp.concatenate([dM.ravel(), dQ.ravel()])

        return equal(x), jax.jacfwd(flat)(jnp.concatenate([M.ravel(), Q.ravel()]))

    rest, jacobian = jax.jit(solved)()
    if not np.isfinite(jacobian).all() or np.abs(rest).max() > 1e-10:
        return None
    largest = float(np.linalg.eigvals(np.asarray(jacobian)).real.max())
    return largest if largest > 1e-8 else None


@dataclass(frozen=True)
class PlateauGrowth:
    """What theory expects of a law with a logarithm, see `sgdsim.laws.log_power.LogPowerExpectation`."""

    def growth(self, quantity: str, against: str, second: str, problems: Sequence[Committee]) -> float | None:
        """b of escape_time = a + b log(d) from random weights; None where unknown.

        Differences between units begin at d^-1/2 and grow as exp(lambda t): b = 1/(2 lambda).
        """
        first = problems[0]
        alike = {(problem.p, problem.k, problem.noise, problem.region, problem.activation.name) for problem in problems}
        known = all(problem.plain and problem.region in (Region.BLUE, Region.GREEN) for problem in problems)
        if (quantity, second) != ("escape_time", "d") or len(alike) > 1 or not known:
            return None
        coefficients = np.array([LimitODE().coefficients(problem) for problem in problems])
        rate = escape_rate(first) if np.ptp(coefficients, axis=0).max() < 1e-12 else None
        return None if rate is None else 1 / (2 * rate)
