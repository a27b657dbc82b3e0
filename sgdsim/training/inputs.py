"""Laws of the data: of the inputs x in R^d, and of the noise of the labels."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import Key, normal_pair
from sgdsim.native.normals import native_rows

NORMAL = 30.0
"""Elementwise operations that a normal takes, for a plan; see `StepCost`."""


class InputLaw(eqx.Module):
    """The law of one input x, with mean 0 and E|x|^2 = d."""

    name: ClassVar[str]
    """As in experiment files and tables of results."""

    @abc.abstractmethod
    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """One input for every lane and row, which depends on the lane's key and the number of the row alone.

        - `key`: two words, of one value for each lane.
        - `rows`: numbers of data, in any order.
        """

    @abc.abstractmethod
    def check(self, problem: Any) -> None:
        """Raises ArgumentError where the law does not fit a problem."""

    def at(self, d: int) -> "InputLaw":
        """The law in d dimensions, with all arrays that it draws with: what a kernel holds."""
        return self

    def cost(self, d: int) -> tuple[float, float]:
        """Elementwise operations of one input, and those inside of matrix products; see `StepCost`."""
        return NORMAL * d, 0.0

    def digests(self) -> dict[str, str]:
        """As `Problem.digests`: a checksum of data from outside by name."""
        return {}


class LabelLaw(eqx.Module):
    """The law of the noise zeta of one label, with mean 0 and variance 1: a function of `normals` standard normals."""

    name: ClassVar[str]
    normals: ClassVar[int] = 1

    @abc.abstractmethod
    def of_normals(self, *normals: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """zeta of independent N(0, 1), by elementwise functions of JAX."""

    @abc.abstractmethod
    def mean_sign(self, shift: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """E sign(shift + zeta)."""

    def draw(self, key: Key, rows: UInt32[Array, " rows"], dtype: Any) -> Float[Array, "lanes rows"]:
        """One number for every lane and row; arguments as in `InputLaw.draw`. Counter words are (row, 0)."""
        pair = row_normal_pairs(key, rows, 1, dtype)
        return self.of_normals(*(one[:, :, 0] for one in pair[: self.normals]))


class NormalInputs(InputLaw):
    """x ~ N(0, I_d).

    - `native`: whether they are drawn in C++ on CPUs, where a compiler is found: the same to rounding, twice as fast.
    """

    native: bool = eqx.field(static=True, default=False)

    name: ClassVar[str] = "gaussian"

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """Counter words are (row, pair); the second of each pair stands after all the first ones."""
        if self.native and on_cpu() and (drawn := native_rows(key, rows, d, jnp.dtype(dtype))) is not None:
            return drawn
        pairs = (d + 1) // 2
        left, right = row_normal_pairs(key, rows, pairs, dtype)
        return jnp.concatenate([left, right[:, :, : d - pairs]], axis=2)

    def check(self, problem: Any) -> None:
        """Any problem will do."""


class NormalNoise(LabelLaw):
    """N(0, 1)."""

    name: ClassVar[str] = "gaussian"

    def of_normals(self, *normals: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The normal itself."""
        return normals[0]

    def mean_sign(self, shift: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """erf(shift/sqrt(2))."""
        return jax.lax.erf(shift * 0.5**0.5)


def row_counters(key: Key, rows: UInt32[Array, " rows"], count: int) -> tuple[Key, Key]:
    """Key and counter words (row, number) of `count` numbers for every lane and row, each (lanes, rows, count)."""
    shape = (key[0].shape[0], rows.shape[0], count)
    wide = (jnp.broadcast_to(key[0][:, None, None], shape), jnp.broadcast_to(key[1][:, None, None], shape))
    row = jnp.broadcast_to(rows.astype(jnp.uint32)[None, :, None], shape)
    return wide, (row, jnp.broadcast_to(jnp.arange(count, dtype=np.uint32), shape))


def row_normal_pairs(
    key: Key, rows: UInt32[Array, " rows"], pairs: int, dtype: Any
) -> tuple[Float[Array, "lanes rows pairs"], Float[Array, "lanes rows pairs"]]:
    """Two arrays of N(0, 1) for every lane and row: counter words (row, pair)."""
    # All that the compiler must not know of a word is that it is >= 0.
    pin = Pin.of(key[0][0].astype(jnp.int64), dtype)
    return normal_pair(*row_counters(key, rows, pairs), dtype, pin)
