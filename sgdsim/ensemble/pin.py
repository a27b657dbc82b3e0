"""Shared values, computed once: a hint to XLA's CPU compiler."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64, Int

from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.vectors import wide_vectors

Pinning = Callable[[Any], Any]
"""What is done to values that several results share: `Pin`, or `no_pin`."""

_AWAY = np.uint32(1 << 27)
"""Added to the bits of the first of two float32, 16 to its exponent: the float64 that they begin is not subnormal."""
_ONE = np.uint64(0x3FF0000000000000)
"""The bits of the float64 1."""


class Pin(eqx.Module):
    """Has a value that several results use computed once on a CPU, by dividing it by one: exact, and nearly free.

    XLA's CPU compiler fuses a cheap value into each of its users, and computes it anew for every one; through a chain
    of such values the work grows like the product of their numbers of users (a step of the chain would draw its random
    numbers once for each order parameter). It never duplicates a division. On other devices this does nothing.
    """

    one: Float[Array, ""]

    @classmethod
    def of(cls, n_steps: Int[Array, ""], dtype: Any) -> "Pin":
        """A one that the compiler cannot know to be one: n_steps >= 0."""
        return cls((n_steps >= 0).astype(dtype))

    def __call__(self, values: Any) -> Any:
        """Gives the arrays back, of floating-point or unsigned numbers, each computed once."""
        if not on_cpu():
            return values
        return jax.tree.map(self._divided, values)

    def packed(self, pair: tuple[Float32[Array, "*shape"], Float32[Array, "*shape"]]) -> tuple[Array, Array]:
        """Gives two arrays of numbers below 1e30 in size back, computed together once: see `pair_pinning`."""
        number = _packed(*pair)
        # The compiler turns a division by the same float64 everywhere into a product with its inverse, which it would
        # duplicate. So it is told that each element is divided by a number of its own.
        nothing = (self.one != 1).astype(jnp.uint64)
        one = _bits((_bits(number, jnp.uint64) & nothing) | _ONE, jnp.float64)
        return _unpacked(jax.lax.div(number, one))

    def _divided(self, value: Array) -> Array:
        """By one, as integers where they are integers."""
        return jax.lax.div(value, jnp.broadcast_to(self.one.astype(value.dtype), value.shape))


def once(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Gives an array back, computed once on a CPU, as by a `Pin`, where there is none at hand; NaN stays NaN."""
    if not on_cpu():
        return values
    # A one that the compiler cannot know to be one: a number equals itself unless it is NaN.
    return jax.lax.div(values, (values == values).astype(values.dtype))


def no_pin(values: Any) -> Any:
    """Gives the values back as they are: the compiler may compute them as often as it likes."""
    return values


def pair_pinning(pin: Pinning, dtype: Any) -> tuple[Pinning, Pinning]:
    """What is done to two arrays that share most of their work (of size 1e30 at most): before they part, and to both.

    A fusion makes one array, so that what the two share would be computed twice. Two float32 numbers pass as one
    float64 number instead. That halves the length of vectors, and is no gain where they have 256 bits only: there, and
    for float64, it is the last shared values that are pinned, and what comes before them is computed twice.
    """
    if not isinstance(pin, Pin) or jnp.dtype(dtype) != jnp.float32 or not wide_vectors():
        return pin, pin
    return no_pin, pin.packed


def _bits(value: Array, dtype: Any) -> Array:
    return jax.lax.bitcast_convert_type(value, dtype)


def _packed(high: Float32[Array, "*shape"], low: Float32[Array, "*shape"]) -> Float64[Array, "*shape"]:
    """The number whose bits are those of both: normal and finite, so that nothing on the way may alter it."""
    words = ((_bits(high, jnp.uint32) + _AWAY).astype(jnp.uint64), _bits(low, jnp.uint32).astype(jnp.uint64))
    return _bits((words[0] << np.uint64(32)) | words[1], jnp.float64)


def _unpacked(packed: Float64[Array, "*shape"]) -> tuple[Float32[Array, "*shape"], Float32[Array, "*shape"]]:
    bits = _bits(packed, jnp.uint64)
    high = (bits >> np.uint64(32)).astype(jnp.uint32) - _AWAY
    return _bits(high, jnp.float32), _bits(bits.astype(jnp.uint32), jnp.float32)
