"""Feature functions F(w, x): what one particle, with its weights w, makes of an input x.

Weights and inputs come by component: w[0], w[1], ... and x[0], ... are arrays that broadcast against one another to the
shape of the result. A function of one's own is written in the same way; its gradient is taken by JAX.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.ensemble.pin import once

Components = Sequence[Array] | Float[Array, "components *#batch"]
"""Arrays by component: a sequence of them, or stacked along a leading axis."""
Feature = Callable[[Components, Components], Float[Array, "*batch"]]


def tanh(w: Components, x: Components) -> Float[Array, "*batch"]:
    """F(w, x) = the hyperbolic tangent of w x."""
    return jnp.tanh(w[0] * x[0])


def output_tanh(w: Components, x: Components) -> Float[Array, "*batch"]:
    """F = a tanh(b x + c), w = (a, b, c)."""
    return w[0] * jnp.tanh(w[1] * x[0] + w[2])


def output_erf(w: Components, x: Components) -> Float[Array, "*batch"]:
    """F = a erf((b x + c)/sqrt(2)), w = (a, b, c)."""
    return w[0] * jax.lax.erf((w[1] * x[0] + w[2]) * 0.5**0.5)


def output_relu(w: Components, x: Components) -> Float[Array, "*batch"]:
    """F = a max(b x + c, 0), w = (a, b, c)."""
    return w[0] * jax.nn.relu(w[1] * x[0] + w[2])


def dot(w: Components, x: Components) -> Float[Array, "*batch"]:
    """w.x, component by component."""
    if isinstance(w, jax.Array) and isinstance(x, jax.Array) and w.ndim == x.ndim:
        return _joined_dot(w, x)
    return sum((a * b for a, b in zip(w[1:], x[1:], strict=True)), w[0] * x[0])


@jax.custom_jvp
def _joined_dot(w: Float[Array, "components *#batch"], x: Float[Array, "components *#batch"]) -> Float[Array, "*batch"]:
    """The same of stacked arrays. Written out: XLA's CPU compiler makes that three times as fast as a sum over an axis.

    Computed once: a compiler would compute it anew for every component of a gradient.
    """
    return once(sum((w[i] * x[i] for i in range(1, len(w))), w[0] * x[0]))


# The rules of a sum over an axis: those of what is written out would pad every component to all of them.
_joined_dot.defjvps(
    lambda dw, _, w, x: jnp.sum(dw * x, axis=0),
    lambda dx, _, w, x: jnp.sum(w * dx, axis=0),
)


def erf_unit(w: Components, x: Components) -> Float[Array, "*batch"]:
    """F = erf(w.x/sqrt(2)), a unit of the committee."""
    return jax.lax.erf(dot(w, x) * 0.5**0.5)


def square_unit(w: Components, x: Components) -> Float[Array, "*batch"]:
    """F = (w.x)^2 - |w|^2, of mean 0 for x ~ N(0, I_d)."""
    return dot(w, x) ** 2 - dot(w, w)


LOW, HIGH = -2.5, 7.5
"""The two levels of `step`, below u = 1/2 and above u = 3/2."""


def radial_step(w: Components, x: Components) -> Float[Array, "*batch"]:
    """F = s(w.x), where s is -2.5 below 0.5, 7.5 above 1.5 and a straight line between (Mei, Montanari & Nguyen)."""
    return jnp.clip(LOW + (HIGH - LOW) * (dot(w, x) - 0.5), LOW, HIGH)


JOINED: frozenset[Feature] = frozenset({erf_unit, square_unit, radial_step})
"""Features that are functions of products by `dot`. Of others, written out by component, the gradient of one array is a
sum of as many arrays, mostly zeros: a step would take up to 13 times as long as with one array for each component."""
