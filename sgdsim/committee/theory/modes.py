"""Deviations of equal units, taken apart by the symmetry under exchange of units.

With sum_i u_ir = sum_i u_iq = sum_i u_ic = 0, and w symmetric with zero diagonal and zero row sums,

    dM_ir = a_r + u_ir,    dQ_ii = a_q + u_iq,    dQ_ij = a_c + u_ic + u_jc + w_ij    (i != j)

every permutation of the units maps a to a, u to u and w to w. A linear law that all permutations leave alone therefore
acts within each of the three, and alike on all units: on a by a matrix of k + 2, on every u_i by another, and on every
w_ij by a number. For p independent copies v_i of covariance Gamma,

    u_i = v_i - mean v:    Cov[u_i, u_j] = Gamma (delta_ij - 1/p)

and so for w and its variance. `a`, Gamma and the variance of w are what is solved for: 2 (k + 2) + 1 "modes" in all,
kept as one matrix with three blocks.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.theory.equal_units import EqualCurve, alike, pair_fields, pair_velocity


def jacobian(curve: EqualCurve, P: Float[Array, "k k"], state: Float[Array, " modes"]) -> Float[Array, "all all"]:
    """The derivative of the ODE's right-hand side in modes, at equal units (m, q, c).

    For u the unit 1 is displaced, and the p - 1 others alike the other way; for w the pair 1, 2 is: so that the others
    stay equal. See `pair_velocity`.
    """
    k, p = len(P), curve.p

    def velocity(fields: Float[Array, "fields fields"]) -> Float[Array, " modes"]:
        return pair_velocity(fields, p, curve.A, curve.B, curve.noise, curve.activation)

    def response(direction: Float[Array, "fields fields"]) -> Float[Array, " modes"]:
        return jax.jvp(velocity, (alike(P, state),), (direction,))[1]

    singles = jax.vmap(response, out_axes=1)(_single_directions(k, p))
    singles = singles.at[k + 1].multiply((p - 1) / (p - 2))
    pair = response(_pair_direction(k, p))[k + 1]
    together = jax.jacfwd(lambda x: curve.velocity(P, x))(state)
    return jax.scipy.linalg.block_diag(together, singles, pair[None, None])


def _single_directions(k: int, p: Float[Array, ""]) -> Float[Array, "modes fields fields"]:
    """The change of the fields' covariance with u_1 = 1 and u_i = -1/(p - 1), for each component of u.

    Fields are the teachers, two others and units 1 and 2, as in `pair_velocity`.
    """
    rest = 1 / (p - 1)
    first = jnp.array([0.0, 0.0, 1.0, 0.0])
    u = first - (1 - first) * rest
    none, square = jnp.zeros((k, k)), jnp.zeros((4, 4))
    directions = [pair_fields(none, u[:, None] * jnp.eye(k)[r][None, :], square) for r in range(k)]
    flat = jnp.zeros((4, k))
    directions.append(pair_fields(none, flat, jnp.diag(u)))
    directions.append(pair_fields(none, flat, (u[:, None] + u[None, :]) * (1 - jnp.eye(4))))
    return jnp.stack(directions)


def _pair_direction(k: int, p: Float[Array, ""]) -> Float[Array, "fields fields"]:
    """The change of Q between units with w_12 = 1, the same for units 1 and 2 with all others, and row sums of zero."""
    pair = jnp.array([0.0, 0.0, 1.0, 1.0])
    both, one, neither = jnp.outer(pair, pair), pair[:, None] != pair[None, :], jnp.outer(1 - pair, 1 - pair)
    w = both - one / (p - 2) + 2 * neither / ((p - 2) * (p - 3))
    return pair_fields(jnp.zeros((k, k)), jnp.zeros((4, k)), w * (1 - jnp.eye(4)))
