"""Gaussian averages of sigma = relu and its derivative over two and three fields: arc-cosine kernels.

With theta the angle between two fields, cos theta = C12 / sqrt(C11 C22), and D = sqrt(C11 C22 - C12^2),

    E[H(l_1) H(l_2)] = (pi - theta) / (2 pi)
    E[sigma(l_1) sigma(l_2)] = [D + C12 (pi - theta)] / (2 pi)
    E[H(l_i) l_j sigma(l_a)] = [C_ij D_ia / C_ii + C_ja (pi - theta_ia)] / (2 pi)

(Cho & Saul 2009; the last by Stein's lemma, as E[l_j F] = sum_b C_jb E[dF/dl_b].) pi - theta = pi/2 + asin(cos theta).
For a field that is zero, H is 1/2 by this rule.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.averages.integrals import Index, arcsin

PARALLEL = 1e-15
"""sin^2 of an angle that is zero but for rounding. There D and theta are taken as constant, and so is their slope."""


def _angle(
    c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(D, pi - theta), elementwise, with finite derivatives also where two fields are parallel or zero."""
    product = c11 * c22
    square = product - c12 * c12
    open_ = square > PARALLEL * product
    D = jnp.where(open_, jnp.sqrt(jnp.where(open_, square, 1.0)), 0.0)
    cosine = jnp.where(open_, c12 / jnp.sqrt(jnp.where(open_, product, 1.0)), 0.0)
    closed = jnp.sign(c12) * (0.5 * math.pi)
    return D, 0.5 * math.pi + jnp.where(open_, arcsin(jnp.clip(cosine, -1.0, 1.0)), closed)


def steps(c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
    """E[H(l_1) H(l_2)], elementwise in the broadcast covariances."""
    return _angle(c12, c11, c22)[1] / (2 * math.pi)


def I2(c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
    """E[sigma(l_1) sigma(l_2)], elementwise in the broadcast covariances."""
    D, rest = _angle(c12, c11, c22)
    return (D + c12 * rest) / (2 * math.pi)


def I3(C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
    """E[H(l_i) l_j sigma(l_a)] for all j (first axis) and a (second)."""
    D, rest = _angle(C[i], C[i, i], jnp.diagonal(C))
    variance = C[i, i]
    slope = jnp.where(variance > 0, C[i] / jnp.where(variance > 0, variance, 1.0), 0.0)
    return (slope[:, None] * D[None, :] + C * rest[None, :]) / (2 * math.pi)
