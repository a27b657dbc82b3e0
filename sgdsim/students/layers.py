"""Networks of two and more layers with biases, in a scale in which one learning rate serves every layer at any d."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class Layers(eqx.Module):
    """z_l = (V_l g_(l-1) + c_l)/sqrt(d), g_0 = x, g_l = erf(z_l/sqrt(2))/sqrt(n_l), f(x) = z_L.

    V_1 has entries N(0, 1) and the others sqrt(d) N(0, 1), so that all z are of order 1, and biases are 0. A step of
    gamma then moves f by the order of gamma/d in every layer: all of them learn in the same time t = nu/d, with a gamma
    of order 1 at any d. With `normalises`, z_1 has its mean over units taken away and is divided by its standard
    deviation, as by `eqx.nn.LayerNorm` without gains.

    - `widths`: d, then n_1 ... n_L, of which the last is 1. - `key`: of this replica.
    """

    weights: tuple[Float[Array, "n m"], ...]
    biases: tuple[Float[Array, " n"], ...]
    normalises: bool = eqx.field(static=True)

    def __init__(self, widths: tuple[int, ...], key: PRNGKeyArray, normalises: bool = False) -> None:
        keys = jax.random.split(key, len(widths) - 1)
        scales = [1.0, *[widths[0] ** 0.5] * (len(widths) - 2)]
        shapes = [(rows, columns) for columns, rows in pairwise(widths)]
        self.weights = tuple(
            scale * jax.random.normal(own, shape) for own, scale, shape in zip(keys, scales, shapes, strict=True)
        )
        self.biases = tuple(jnp.zeros(rows) for rows in widths[1:])
        self.normalises = normalises

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        """f(x)."""
        unit = x.shape[0] ** -0.5
        z = (self.weights[0] @ x + self.biases[0]) * unit
        if self.normalises:
            z = eqx.nn.LayerNorm(z.shape, use_weight=False, use_bias=False)(z)
        for V, c in zip(self.weights[1:], self.biases[1:], strict=True):
            g = jax.lax.erf(z * 0.5**0.5) * len(z) ** -0.5
            z = (V @ g + c) * unit
        return z[0]

    def first_layer(self) -> Float[Array, "p d"]:
        """V_1, whose fields are V_1 x/sqrt(d)."""
        return self.weights[0]


def two_layers(d: int, *, key: PRNGKeyArray, p: int) -> Layers:
    """p units, with biases and a second layer, all trained; see `Layers`."""
    return Layers((d, p, 1), key)


def three_layers(d: int, *, key: PRNGKeyArray, p: int, p2: int | None = None) -> Layers:
    """p units, then p2 units (p where left out), with biases, all trained; see `Layers`."""
    return Layers((d, p, p if p2 is None else p2, 1), key)


def normalised(d: int, *, key: PRNGKeyArray, p: int) -> Layers:
    """`two_layers` whose fields have mean 0 and variance 1 over the p units at every x; see `Layers`."""
    return Layers((d, p, 1), key, normalises=True)
