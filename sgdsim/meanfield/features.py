"""Feature functions F(w, x): what one particle, with its weights w, makes of an input x.

Axes: w is (dim, *batch) and x is (inputs, *batch), broadcastable and of the same rank; the result is (*batch). A
function of one's own is written in the same way, with w[0], w[1], x[0], ...; its gradient is taken by JAX.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Feature = Callable[[Float[Array, "dim *batch"], Float[Array, "inputs *batch"]], Float[Array, "*batch"]]


def tanh(w: Float[Array, "1 *#batch"], x: Float[Array, "1 *#batch"]) -> Float[Array, "*batch"]:
    """F = tanh(w x)."""
    return jnp.tanh(w[0] * x[0])


def output_tanh(w: Float[Array, "3 *#batch"], x: Float[Array, "1 *#batch"]) -> Float[Array, "*batch"]:
    """F = a tanh(b x + c), w = (a, b, c)."""
    return w[0] * jnp.tanh(w[1] * x[0] + w[2])


def output_erf(w: Float[Array, "3 *#batch"], x: Float[Array, "1 *#batch"]) -> Float[Array, "*batch"]:
    """F = a erf((b x + c)/sqrt(2)), w = (a, b, c)."""
    return w[0] * jax.lax.erf((w[1] * x[0] + w[2]) * 0.5**0.5)


def output_relu(w: Float[Array, "3 *#batch"], x: Float[Array, "1 *#batch"]) -> Float[Array, "*batch"]:
    """F = a max(b x + c, 0), w = (a, b, c)."""
    return w[0] * jax.nn.relu(w[1] * x[0] + w[2])


LOW, HIGH = -2.5, 7.5
"""The two levels of `step`, below u = 1/2 and above u = 3/2."""


def radial_step(w: Float[Array, "d *#batch"], x: Float[Array, "d *#batch"]) -> Float[Array, "*batch"]:
    """F = s(w.x), where s is -2.5 below 0.5, 7.5 above 1.5 and a straight line between (Mei, Montanari & Nguyen)."""
    u = jnp.sum(w * x, axis=0)
    return jnp.clip(LOW + (HIGH - LOW) * (u - 0.5), LOW, HIGH)
