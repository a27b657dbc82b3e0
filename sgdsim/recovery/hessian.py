"""The Hessian of the loss in R^N, and how many of its modes are flat."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.recovery.features import Features

FLAT = 1e-4
"""An eigenvalue below counts as zero.

Where the data are fitted the Hessian is sum_mu grad h_mu grad h_mu^T, of rank min(M, N), and its other eigenvalues
begin at |x|^2/N (1 - sqrt(alpha))^2: 1e-2 at alpha = 0.8. A loss l that is left moves the zeros by about 2 sqrt(2 l).
"""


def hessian(
    features: Features, J: Float[Array, "data features"], x: Float[Array, " N"], signal: Float[Array, " N"]
) -> Float[Array, "N N"]:
    """d^2 H/dx dx = sum_mu [grad h_mu grad h_mu^T + r_mu d^2 h_mu/dx dx] over these data, in the precision of J.

    x is free in R^N: nothing holds its length.
    """
    N, scale = features.N, features.scale
    r = scale * (J @ features.difference(x[:, None], signal[:, None])[:, 0])
    gradients = scale * features.pull(J.T, jnp.broadcast_to(x[:, None], (N, len(J))))
    squares = gradients @ gradients.T
    if features.degree == 1:  # h is linear
        return squares
    # The derivative of degree 2 is linear in x: along unit vectors it is the second one.
    weights = jnp.broadcast_to((J.T @ r)[:, None], (features.count, N))
    return squares + scale * features.pull(weights, jnp.eye(N, dtype=J.dtype))


def flat_modes(matrix: Float[Array, "N N"]) -> Float[Array, ""]:
    """The part of the eigenvalues of a symmetric matrix that are below `FLAT` in size."""
    return jnp.mean((jnp.abs(jnp.linalg.eigvalsh(matrix)) < FLAT).astype(jnp.float64))
