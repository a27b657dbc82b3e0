"""Gaussian averages of sigma = erf(./sqrt(2)), closed (Saad & Solla 1995): of units w.x and v.x with x ~ N(0, I).

    E sigma(w.x) sigma(v.x) = (2/pi) asin(c/sqrt(A B)),    A = 1 + w.w,  B = 1 + v.v,  c = w.v
    E sigma'(w.x) sigma(v.x) x = s (v - (c/A) w),          s = (2/pi)/sqrt(A B - c^2)

The second is the gradient of the first in w.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

TWO_OVER_PI = 2 / jnp.pi


def product(
    cross: Float[Array, "*#batch"], square: Float[Array, "*#batch"], other: Float[Array, "*#batch"]
) -> Float[Array, "*batch"]:
    """E sigma(w.x) sigma(v.x), from c = w.v, w.w and v.v."""
    return TWO_OVER_PI * jnp.arcsin(cross / jnp.sqrt((1 + square) * (1 + other)))


def strength(
    cross: Float[Array, "*#batch"], square: Float[Array, "*#batch"], other: Float[Array, "*#batch"]
) -> Float[Array, "*batch"]:
    """The factor s of E sigma'(w.x) sigma(v.x) x, from c = w.v, w.w and v.v."""
    return TWO_OVER_PI / jnp.sqrt((1 + square) * (1 + other) - cross**2)
