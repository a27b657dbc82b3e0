"""Inputs of independent components of one law, of mean 0 and variance 1."""

import math
from typing import Annotated, Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from sgdsim.checks import check_fields, lenient
from sgdsim.ensemble.random import Key
from sgdsim.parameters import Parameter
from sgdsim.training.inputs import InputLaw
from sgdsim.training.uniforms import GRID, about_zero, above_zero, bits, row_words, side_by_side

_EXACT = 1000
"""Cells next to a pole of which a sum takes every one; beyond, it is an integral to 1e-10."""


class IndependentInputs(InputLaw):
    """Independent components: their fields on vectors without a marked direction become Gaussian as d grows."""

    def check(self, problem: Any) -> None:
        """Any problem will do."""


class Rademacher(IndependentInputs):
    """x_j = 1 or -1, each with probability 1/2: |x|^2 is d exactly."""

    name: ClassVar[str] = "rademacher"

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """1 - 2 b of the bits b, 32 components to a word."""
        a, b = row_words(key, rows, -(-d // 64))
        every = bits(jnp.concatenate([a, b], axis=2))[:, :, :d]
        return 1 - 2 * every.astype(dtype)

    def cost(self, d: int) -> tuple[float, float]:
        """A few operations for each bit."""
        return 5.0 * d, 0.0


class Uniform(IndependentInputs):
    """x_j uniform on (-sqrt(3), sqrt(3)), as sqrt(12) v."""

    name: ClassVar[str] = "uniform"

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """sqrt(12) v of both words of every counter."""
        words = row_words(key, rows, -(-d // 2))
        left, right = (jnp.asarray(12**0.5, dtype) * about_zero(word, dtype) for word in words)
        return side_by_side(left, right, d)


class Laplace(IndependentInputs):
    """x_j of density exp(-sqrt(2)|x|)/sqrt(2): |x_j| = -ln(u)/sqrt(2) and a sign; E x^4 = 6."""

    name: ClassVar[str] = "laplace"

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """Of both words of every counter: the lowest bit is the sign, and the 31 others are u."""
        words = row_words(key, rows, -(-d // 2))
        left, right = (self._of(word, dtype) for word in words)
        return side_by_side(left, right, d)

    def _of(self, word: UInt32[Array, "*shape"], dtype: Any) -> Float[Array, "*shape"]:
        u = (word | np.uint32(1)).astype(dtype) * jnp.asarray(GRID, dtype)  # the middle of a cell of the 31 bits
        size = -jnp.log(u) * jnp.asarray(0.5**0.5, dtype)
        return jnp.where((word & np.uint32(1)) == 1, -size, size)


@lenient
class StudentT(IndependentInputs):
    """x_j of Student's t with nu degrees of freedom, divided by its standard deviation sqrt(nu/(nu - 2)).

    By Bailey's polar method (Mathematics of Computation 62, 779 (1994)), for any real nu > 2:

        t = sqrt(nu (u^(-2/nu) - 1)) cos(2 pi v)

    E x^4 = 3 (nu - 2)/(nu - 4) for nu > 4, infinite below. As u >= 2^-33 the tails end at some t_max, without which the
    variance of the numbers is smaller where nu is near 2: it is theirs that x is divided by.

    **Raises:** ArgumentError unless nu is finite and > 2.
    """

    name: ClassVar[str] = "student_t"
    degrees_of_freedom: Annotated[
        float, Parameter(r"\nu", "degrees of freedom of the inputs' law student_t", above=2, limit=1e6)
    ] = eqx.field(static=True, default=5.0)

    def __post_init__(self) -> None:
        check_fields(self)

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """u is the first word of a counter, v the second: cosine and sine of one v would not be independent."""
        a, b = row_words(key, rows, d)
        nu, std = self.degrees_of_freedom, drawn_variance(self.degrees_of_freedom) ** 0.5
        square = jnp.expm1(jnp.log(above_zero(a, dtype)) * jnp.asarray(-2 / nu, dtype))
        cosine = jnp.cos(jnp.asarray(2 * math.pi, dtype) * about_zero(b, dtype))
        return jnp.sqrt(square) * cosine * jnp.asarray(nu**0.5 / std, dtype)

    def cost(self, d: int) -> tuple[float, float]:
        """A counter, a power and a cosine for each component."""
        return 80.0 * d, 0.0


def drawn_variance(nu: float) -> float:
    """Half the mean of nu (u^(-2/nu) - 1) over the middles u of all cells: nu/(nu - 2) but for the cut tail."""
    s = 2 / nu
    near, beyond = (np.arange(_EXACT) + 0.5) * GRID, _EXACT * GRID
    power = (near**-s).sum() * GRID + (1 - beyond ** (1 - s)) / (1 - s)
    return nu * (float(power) - 1) / 2
