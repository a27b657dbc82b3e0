"""Gaussian averages of a two-layer network on any target, from those that the target gives.

With B_i = E[f* sigma(lambda_i)], a function of P, the overlaps m = M_i and q = Q_ii, by Price's theorem

    E[f* sigma'(lambda_i) lambda_b] = sum_r C_rb dB_i/dm_r + 2 C_ib dB_i/dq

and B_i = sum_n sigma_n E[f* h_n(lambda_i/sqrt(q))], with the Hermite coefficients sigma_n of the student's activation.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.averages import network as averages
from sgdsim.committee.averages import teacher_points
from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.target import Target, target_values
from sgdsim.rules.linear_algebra import batched_root

SHORT = 1e-12
"""Squared length of a unit below which it counts as so long: it has no overlaps that would show."""


def with_outputs(
    target: Target, activation: Activation, P: Float[Array, "k k"], M: Float[Array, "p k"], q: Float[Array, " p"]
) -> Float[Array, " p"]:
    """B_i of all students."""
    rho = M / jnp.sqrt(jnp.maximum(q, SHORT))[:, None]
    left, right = jax.vmap(lambda row: target.projections(P, row))(rho), activation.series(q)
    terms = min(left.shape[1], right.shape[1])
    return jnp.sum(left[:, :terms] * right[:, :terms], axis=1)


def with_fields(
    target: Target, activation: Activation, P: Float[Array, "k k"], M: Float[Array, "p k"], Q: Float[Array, "p p"]
) -> tuple[Float[Array, " p"], Float[Array, "p k+p"], Float[Array, "p k+p"]]:
    """B_i, E[f* sigma'(lambda_i) l_b], and E[d/dl_b of f* sigma'(lambda_i)], of all students i and fields b."""
    found, back = jax.vjp(lambda M, q: with_outputs(target, activation, P, M, q), M, jnp.diagonal(Q))
    by_m, by_q = back(jnp.ones_like(found))
    slopes = jnp.concatenate([by_m, 2 * jnp.diag(by_q)], axis=1)
    return found, slopes @ averages.covariance(P, M, Q), slopes


def with_errors(
    target: Target, activation: Activation, C: Float[Array, "n n"], a: Float[Array, " p"]
) -> Float[Array, "p p"]:
    """E[sigma'(l_i) sigma'(l_j) (f* - f)^2], in closed form or over points."""
    closed = target.errors(activation, C, a)
    if closed is not None:
        return closed
    k, smooth = len(C) - len(a), target.smooth and activation.smooth
    points = teacher_points.whole(len(C), smooth)
    fields = jnp.asarray(points.z) @ batched_root(C[None])[0].T
    f = activation.value(fields[:, k:]) @ a / len(a)
    slopes = activation.derivative(fields[:, k:])
    error = target_values(target, fields[:, :k]) - f
    return (slopes * (jnp.asarray(points.w) * error**2)[:, None]).T @ slopes


def half_square(
    target: Target,
    activation: Activation,
    P: Float[Array, "k k"],
    M: Float[Array, "p k"],
    Q: Float[Array, "p p"],
    a: Float[Array, " p"],
) -> Float[Array, ""]:
    """The excess risk E[(f* - f)^2]/2."""
    cross = jnp.mean(a * with_outputs(target, activation, P, M, jnp.diagonal(Q)))
    return 0.5 * target.square(P) - cross + averages.half_square(Q, a / len(a), activation)
