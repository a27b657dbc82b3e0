"""Gaussian averages of the errors of a two-layer network, from those of its activation.

With the k + p fields l = (lambda*, lambda), teachers first, their covariance C, and s such that
f* - f = sum_a s_a sigma(l_a), the back-propagated errors are E_i = a_i sigma'(lambda_i) (y - f); here without a_i.
`Mixed` in place of an activation is that of a teacher of other units.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.averages.mixed import Mixed
from sgdsim.rules.mean_step import covariance as covariance

Averages = Activation | Mixed


def pairs(C: Float[Array, "n n *batch"], activation: Averages) -> Float[Array, "n n *batch"]:
    """I2(a, b) of all fields, with any trailing axes."""
    if isinstance(activation, Mixed):
        return activation.pairs(C)
    variances = jnp.einsum("aa...->a...", C)
    return activation.I2(C, variances[:, None], variances[None, :])


def with_fields(C: Float[Array, "n n"], s: Float[Array, " n"], k: int, activation: Averages) -> Float[Array, "p n"]:
    """E[sigma'(lambda_i) (y - f) l_j] = sum_a s_a I3(i, j, a) of all students i and fields j."""
    return jax.vmap(lambda i: activation.I3(C, i) @ s)(jnp.arange(k, len(s)))


def slopes(
    C: Float[Array, "n n"],
    s: Float[Array, " n"],
    k: int,
    activation: Activation,
    with_fields: Float[Array, "p n"],
) -> Float[Array, "p n"]:
    """J_ij = E[d/dl_j of sigma'(lambda_i) (y - f)] of all students i and fields j, from `with_fields`.

        J_ij = s_j J2(i, j) + delta_ij E[sigma''(lambda_i) (y - f)]

    By Stein's lemma `with_fields` = J C, whose diagonal gives the second term without sigma''.
    """
    students, fields = jnp.arange(k, len(s)), jnp.arange(len(s))
    pulls = jax.vmap(lambda i: jax.vmap(lambda j: activation.J2(C, i, j))(fields))(students) * s[None, :]
    variances = jnp.diagonal(C)[k:]
    rest = jnp.diagonal(with_fields[:, k:]) - jnp.sum(pulls * C[k:], axis=1)
    # A field of no variance has a slope that multiplies nothing.
    own = jnp.where(variances > 0, rest / jnp.where(variances > 0, variances, 1), 0)
    return pulls.at[jnp.arange(len(own)), students].add(own)


def with_errors(
    C: Float[Array, "n n"], s: Float[Array, " n"], k: int, noise: Float[Array, ""] | float, activation: Averages
) -> Float[Array, "p p"]:
    """E[sigma'(lambda_i) sigma'(lambda_j) (y - f)^2] = sum_ab s_a s_b I4(i, j, a, b) + noise J2(i, j) of students."""
    return activation.I4_sums(C, s, k) + noise * with_slopes(C, k, activation)


def with_slopes(C: Float[Array, "n n"], k: int, activation: Averages) -> Float[Array, "p p"]:
    """J2(i, j) of students."""
    students = jnp.arange(k, len(C))
    return jax.vmap(lambda i: jax.vmap(lambda j: activation.J2(C, i, j))(students))(students)


def with_outputs(C: Float[Array, "n n"], s: Float[Array, " n"], k: int, activation: Averages) -> Float[Array, " p"]:
    """E[sigma(lambda_i) (y - f)] = sum_a s_a I2(i, a) of all students i."""
    return pairs(C, activation)[k:] @ s


def half_square(
    C: Float[Array, "n n *batch"], s: Float[Array, "n *batch"], activation: Averages
) -> Float[Array, "*batch"]:
    """The excess risk E[(f* - f)^2]/2 = (1/2) sum_ab s_a s_b I2(a, b), with any trailing axes."""
    return 0.5 * jnp.einsum("a...,ab...,b...->...", s, pairs(C, activation), s)
