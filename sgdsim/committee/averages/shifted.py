"""Gaussian averages of activations whose fields have means, as those of a cluster have.

With u = b/sqrt(1 + C) for erf, and b/sqrt(C) for relu, the averages of two fields are integrals over one angle, by
Price's theorem: of their derivatives in C_12, which the density of two fields gives in closed form,

    erf     E[s s] = E[s] E[s] + (2/pi) int_0^phi g,    sin phi = C_12/sqrt((1 + C_11) (1 + C_22))
    relu    E[s s] = E[s] E[s] + C_12 Phi(u_1) Phi(u_2) + (r/2 pi) int_0^phi (sin phi - sin t) g,
            sin phi = C_12/r,    r = sqrt(C_11 C_22)
    g(t) = exp(-(u_1^2 - 2 u_1 u_2 sin t + u_2^2)/(2 cos^2 t))

(the first is Owen's integral). Of other functions they are Hermite series, see `hermite`.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages import hermite
from sgdsim.committee.averages.activations import Activation, Erf, Linear, Relu
from sgdsim.committee.averages.integrals import Index

NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)
"""Of the angle: right to 1e-12 up to |u| = 3 and C = 10 for erf, see the tests."""
NARROW = 1e-12
"""Of an angle below pi/2: fields that coincide."""


class Shifted(eqx.Module):
    """Averages of one activation; b are the fields' means, c their covariances, all elementwise."""

    @abc.abstractmethod
    def mean(self, c: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
        """E[sigma(l)]."""

    @abc.abstractmethod
    def pair(
        self,
        c12: Float[Array, "..."],
        c11: Float[Array, "..."],
        c22: Float[Array, "..."],
        b1: Float[Array, "..."],
        b2: Float[Array, "..."],
    ) -> Float[Array, "..."]:
        """E[sigma(l_1) sigma(l_2)]."""


class Tilted(Shifted):
    """Averages of an activation whose derivative makes another Gaussian of a Gaussian: those of three and four too."""

    @abc.abstractmethod
    def slope(self, c: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
        """E[sigma'(l)]."""

    @abc.abstractmethod
    def tilt(
        self, C: Float[Array, "n n"], b: Float[Array, " n"], i: Index
    ) -> tuple[Float[Array, ""], Float[Array, "n n"], Float[Array, " n"]]:
        """(Z, C', b') with E[sigma'(l_i) F(l)] = Z E'[F(l)]."""


class ShiftedLinear(Tilted):
    """sigma(l) = l."""

    def mean(self, c: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
        """The mean b itself."""
        return b

    def pair(
        self,
        c12: Float[Array, "..."],
        c11: Float[Array, "..."],
        c22: Float[Array, "..."],
        b1: Float[Array, "..."],
        b2: Float[Array, "..."],
    ) -> Float[Array, "..."]:
        """C_12 + b_1 b_2."""
        return c12 + b1 * b2

    def slope(self, c: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
        """E[sigma'(l)] = 1."""
        return jnp.ones_like(b)

    def tilt(
        self, C: Float[Array, "n n"], b: Float[Array, " n"], i: Index
    ) -> tuple[Float[Array, ""], Float[Array, "n n"], Float[Array, " n"]]:
        """Nothing is tilted, as sigma' is 1."""
        return jnp.ones(()), C, b


class ShiftedErf(Tilted):
    """sigma(l) = erf(l/sqrt(2)), sigma'(l) = sqrt(2/pi) exp(-l^2/2)."""

    def mean(self, c: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
        """erf(u/sqrt(2))."""
        return jax.lax.erf(b / jnp.sqrt(2 * (1 + c)))

    def pair(
        self,
        c12: Float[Array, "..."],
        c11: Float[Array, "..."],
        c22: Float[Array, "..."],
        b1: Float[Array, "..."],
        b2: Float[Array, "..."],
    ) -> Float[Array, "..."]:
        """By the integral over one angle that the module has."""
        one, two = jnp.sqrt(1 + c11), jnp.sqrt(1 + c22)
        integral = _angle(c12 / (one * two), b1 / one, b2 / two)[0]
        return self.mean(c11, b1) * self.mean(c22, b2) + 2 / jnp.pi * integral

    def slope(self, c: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
        """sqrt(2/(pi (1 + C))) exp(-u^2/2)."""
        return jnp.sqrt(2 / (jnp.pi * (1 + c))) * jnp.exp(-b * b / (2 * (1 + c)))

    def tilt(
        self, C: Float[Array, "n n"], b: Float[Array, " n"], i: Index
    ) -> tuple[Float[Array, ""], Float[Array, "n n"], Float[Array, " n"]]:
        """As if 0 = l_i + N(0, 1) had been seen."""
        gain = C[i] / (1 + C[i, i])
        return self.slope(C[i, i], b[i]), C - gain[:, None] * C[i][None, :], b - gain * b[i]


class ShiftedRelu(Shifted):
    """sigma(l) = max(l, 0)."""

    def mean(self, c: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
        """b Phi(u) + sqrt(C) phi(u)."""
        root = jnp.sqrt(c)
        u = b / root
        return b * jax.scipy.stats.norm.cdf(u) + root * jax.scipy.stats.norm.pdf(u)

    def pair(
        self,
        c12: Float[Array, "..."],
        c11: Float[Array, "..."],
        c22: Float[Array, "..."],
        b1: Float[Array, "..."],
        b2: Float[Array, "..."],
    ) -> Float[Array, "..."]:
        """By the integral over one angle that the module has."""
        r, u1, u2 = jnp.sqrt(c11 * c22), b1 / jnp.sqrt(c11), b2 / jnp.sqrt(c22)
        both = jax.scipy.stats.norm.cdf(u1) * jax.scipy.stats.norm.cdf(u2)
        integral = r / (2 * jnp.pi) * _angle(c12 / r, u1, u2)[1]
        return self.mean(c11, b1) * self.mean(c22, b2) + c12 * both + integral


class ShiftedSeries(Shifted):
    """Any smooth function, by the Hermite series of its fields."""

    activation: Activation

    def mean(self, c: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
        """The first coefficient."""
        return self._series(c, b)[..., 0]

    def pair(
        self,
        c12: Float[Array, "..."],
        c11: Float[Array, "..."],
        c22: Float[Array, "..."],
        b1: Float[Array, "..."],
        b2: Float[Array, "..."],
    ) -> Float[Array, "..."]:
        """sum_n f_n g_n rho^n."""
        rho = c12 * hermite.inverse(hermite.root(c11 * c22))
        return hermite.series(self._series(c11, b1), self._series(c22, b2), rho)

    def _series(self, c: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "... terms"]:
        z, _, weights = hermite.PAIR
        fields = b[..., None] + hermite.root(c)[..., None] * z.reshape((1,) * b.ndim + (-1,))
        return self.activation.value(fields) @ jnp.asarray(weights)


def shifted(activation: Activation) -> Shifted:
    """The averages of an activation."""
    ready = {Erf: ShiftedErf, Linear: ShiftedLinear, Relu: ShiftedRelu}
    kind = ready.get(type(activation))
    return ShiftedSeries(activation) if kind is None else kind()


def _angle(
    sine: Float[Array, "..."], u1: Float[Array, "..."], u2: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """int_0^phi g(t) dt and int_0^phi (sin phi - sin t) g(t) dt up to the angle of this sine."""
    sine = jnp.clip(sine, -1 + NARROW, 1 - NARROW)
    phi = jnp.arcsin(sine)
    one, moment = jnp.zeros_like(phi), jnp.zeros_like(phi)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        t = phi * (0.5 + 0.5 * node)
        s, square = jnp.sin(t), jnp.cos(t) ** 2
        g = 0.5 * weight * phi * jnp.exp(-0.5 * (u1 * u1 - 2 * u1 * u2 * s + u2 * u2) / square)
        one, moment = one + g, moment + (sine - s) * g
    return one, moment
