"""Shared values, computed once: a hint to XLA's CPU compiler."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sgdsim.ensemble.backend import on_cpu

Pinning = Callable[[Any], Any]
"""What is done to values that several results share: `Pin`, or `no_pin`."""


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
        """The same arrays, of floating-point or unsigned numbers."""
        if not on_cpu():
            return values
        return jax.tree.map(self._divided, values)

    def _divided(self, value: Array) -> Array:
        """By one, as integers where they are integers."""
        return jax.lax.div(value, jnp.broadcast_to(self.one.astype(value.dtype), value.shape))


def no_pin(values: Any) -> Any:
    """The same values, left to the compiler."""
    return values
