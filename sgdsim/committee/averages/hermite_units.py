"""Units whose activation is a Hermite polynomial: the students and teachers of information exponents."""

import math
from typing import Annotated, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.checks import check_fields
from sgdsim.committee.averages import hermite, integrals
from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.averages.integrals import Index
from sgdsim.parameters import Parameter

DEGREE = Parameter("l", "degree of the Hermite polynomial", least=1, most=6)


class Hermite(Activation):
    """sigma(x) = h_l(x) = He_l(x)/sqrt(l!), normalised: E[h_l(z)^2] = 1 for z ~ N(0, 1).

    He_1 = x, He_2 = x^2 - 1, He_3 = x^3 - 3 x, He_4 = x^4 - 6 x^2 + 3. All averages are those of polynomials, by rules
    that are exact for them, at any variance.

    **Raises:** ArgumentError unless `degree` is an integer from 1 to 6.
    """

    grows: ClassVar[bool] = True

    degree: Annotated[int, DEGREE] = eqx.field(static=True)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def name(self) -> str:
        """With the degree."""
        return f"hermite_{self.degree}"

    def value(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """h_l(lambda)."""
        return _polynomial(field, self.degree)

    def derivative(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sqrt(l) h_(l-1)(lambda)."""
        return _polynomial(field, self.degree - 1) * math.sqrt(self.degree)

    def I2(self, c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
        """See `Activation`."""
        return hermite.I2(self.value, c12, c11, c22, self._rule)

    def I3(self, C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
        """See `Activation`."""
        return hermite.I3(self.value, self.derivative, C, i, self._rule)

    def J2(self, C: Float[Array, "n n"], i: Index, j: Index) -> Float[Array, ""]:
        """See `Activation`."""
        return hermite.I2(self.derivative, C[i, j], C[i, i], C[j, j], self._rule)

    def I4_sums(self, C: Float[Array, "n n"], s: Float[Array, " n"], first: int) -> Float[Array, "p p"]:
        """p (p+1)/2 sums over few nodes."""
        pair = hermite.make_I4_sum(self.value, self.derivative, C, s, self._rule)
        return integrals.over_pairs(pair, first, len(s), at_once=1)

    def series(self, variance: Float[Array, "..."]) -> Float[Array, "... terms"]:
        """See `Activation`: l + 1 terms."""
        return hermite.coefficients(self.value, variance, self._rule)

    @property
    def _rule(self) -> hermite.Rule:
        """Exact up to degree 4 l - 2, that of four units' averages; no coefficient beyond the l-th is other than 0."""
        return hermite.gauss_rule(2 * self.degree, self.degree + 1)


def _polynomial(field: Float[Array, "*shape"], degree: int) -> Float[Array, "*shape"]:
    """h_n by (n+1)^(1/2) h_(n+1) = x h_n - n^(1/2) h_(n-1)."""
    before, now = jnp.zeros_like(field), jnp.ones_like(field)
    for n in range(degree):
        before, now = now, (field * now - math.sqrt(n) * before) * (1 / math.sqrt(n + 1))
    return now
