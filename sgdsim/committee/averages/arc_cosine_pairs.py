"""Gaussian averages of relu over four fields, E[H(l_i) H(l_j) sigma(l_a) sigma(l_b)], by one integral in one variable.

Let the fields under H be a copy of (l_i, l_j) whose covariance with all the fields l is t C, 0 <= t <= 1, while the
copy and the fields keep their laws. At t = 0 the average is J2(i, j) I2(a, b). With E_t the mean at t, and x one of
(i, j), z the other, it grows by (Price's theorem: d/dC_uv E[F] = E[d^2 F/du dv])

    d/dt E_t = sum_x [C_xa E_t[H_z H_a sigma_b | l_x = 0] + (a <-> b)] / sqrt(2 pi C_xx)

where a vertical bar conditions. The means of three fields are elementary, by Stein's lemma E[l_b F] = sum_c Cov(b, c)
E[dF/dl_c]: with v, h, G the variance of z, its covariance with the fields, and that of the fields, all given l_x = 0,

    E_t[H_z H_a sigma_b | 0] = [sqrt(G_bb) P(z, a | b) + (h_b / sqrt(v)) P(a, b | z) + (G_ab / sqrt(G_aa)) P(z, b | a)]
                               / sqrt(2 pi),        P(u, w | c) = E[H_u H_w | l_x = 0, l_c = 0] = 1/4 + asin(rho)/(2 pi)

Nothing is singular at t < 1, whatever fields are equal, opposite, zero or linearly dependent: where rho has no meaning
one of its fields is zero, and there H = 1/2, so rho = 0. Where a field under sigma is nearly one of those under H, the
integrand has square roots of cos^2 phi + theta^2, with t = sin phi and theta the angle between them. The nodes crowd
towards phi = pi/2 like a cube, which resolves every theta.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages import arc_cosine
from sgdsim.committee.averages.arc_cosine import PARALLEL
from sgdsim.committee.averages.integrals import Index, arcsin_series
from sgdsim.ensemble.pin import Pin, Pinning

_NODES = 16
"""Error of a sum: 1e-8 at most, and 2e-6 of the sum itself for a student at any small distance from the teacher."""

_ROUNDING = 1e-15
"""Of a number that is zero, relative to the terms that cancelled."""


def _rule(nodes: int) -> tuple[Float[np.ndarray, " nodes"], ...]:
    """t, 1 - t^2 and the weights of dt: Gauss-Legendre in x, t = cos(pi x^3/2)."""
    x, weight = np.polynomial.legendre.leggauss(nodes)
    x = 0.5 * (x + 1.0)
    angle = 0.5 * math.pi * x**3
    return np.cos(angle), np.sin(angle) ** 2, 0.75 * math.pi * weight * x**2 * np.sin(angle)


_T, _COMPLEMENT, _WEIGHT = _rule(_NODES)


@jax.custom_jvp
def _elevation(y: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """atan2(y, x) for x >= 0, and 0 at the origin; by the series of asin, as in `integrals.arcsin`."""
    square = x * x + y * y
    r = jnp.sqrt(jnp.where(square > 0, square, 1.0))
    height = jnp.abs(y)
    far = height > 0.5 * r
    sine = jnp.where(far, 0.5 * x * x / (r * (r + height)), (y / r) ** 2)
    sine = jnp.minimum(sine, 0.25)  # bounded also where a compiler rounds x and y differently in r
    part = jnp.sqrt(sine) * arcsin_series(sine)
    return jnp.sign(y) * jnp.where(far, 0.5 * math.pi - 2.0 * part, part)


@_elevation.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (y, x), (dy, dx) = primals, tangents
    return _elevation(y, x), (x * dy - y * dx) * _inverse(x * x + y * y)


def _root(square: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The square root, with slope 0 where it is 0."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)


def _inverse(number: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1/number, and 0 for 0."""
    positive = number > 0
    return jnp.where(positive, 1.0 / jnp.where(positive, number, 1.0), 0.0)


def _quadrant(y: Float[Array, "n n nodes"], x: Float[Array, "n n nodes"], pin: Pinning) -> Float[Array, "n n nodes"]:
    """P = 1/4 + asin(rho)/(2 pi) with rho = y / sqrt(x^2 + y^2)."""
    return pin(0.25 + _elevation(y.ravel(), x.ravel()) / (2.0 * math.pi)).reshape(y.shape)


def _outer(left: Float[Array, " n"], right: Float[Array, " n"]) -> Float[Array, "n n"]:
    return left[:, None] * right[None, :]


def _given(
    C: Float[Array, "n n"], x: Index, z: Index
) -> tuple[Float[Array, "n n"], Float[Array, ""], Float[Array, " n"]]:
    """What C loses given l_x = 0, and variance of l_z and its covariance with the fields then; zero where x is z."""
    lost = _outer(C[x], C[x]) * _inverse(C[x, x])
    v = C[z, z] - lost[z, z]
    apart = v > PARALLEL * C[z, z]
    return lost, jnp.where(apart, v, 0.0), jnp.where(apart, C[z] - lost[z], 0.0)


def _along(C: Float[Array, "n n"], lost: Float[Array, "n n"], pin: Pinning) -> Float[Array, "n n nodes"]:
    """C - t^2 lost at the nodes, as what is left at t = 1 and 1 - t^2 of what is lost: it vanishes without rounding."""
    return pin((C - lost)[:, :, None] + lost[:, :, None] * jnp.asarray(_COMPLEMENT)[None, None, :])


def _diagonal(matrix: Float[Array, "n n nodes"]) -> Float[Array, "n nodes"]:
    index = np.arange(matrix.shape[0])
    return matrix[index, index]


def _product(left: Float[Array, "n #nodes"], right: Float[Array, "n #nodes"]) -> Float[Array, "n n nodes"]:
    return left[:, None, :] * right[None, :, :]


def make_I4_sum(C: Float[Array, "n n"], s: Float[Array, " n"]) -> Callable[[Index, Index], Float[Array, ""]]:
    """The function (i, j) -> sum_ab s_a s_b E[H(l_i) H(l_j) sigma(l_a) sigma(l_b)]."""
    variances = jnp.diagonal(C)
    outputs = s @ arc_cosine.I2(C, variances[:, None], variances[None, :]) @ s
    pin = Pin((C[0, 0] >= 0).astype(C.dtype))

    def I4_sum(i: Index, j: Index) -> Float[Array, ""]:
        lost, v, h = _given(C, i, j)
        K = _along(C, lost + _outer(h, h) * _inverse(v), pin)
        diagonal = pin(_diagonal(K))
        rounding = _product(diagonal, variances[:, None]) + _product(variances[:, None], diagonal)
        area = _product(diagonal, diagonal) - K * K
        area = pin(_root(jnp.where(area > _ROUNDING * rounding, area, 0.0)))
        joint = _quadrant(K, area, pin)
        growth = _growth(C, s, i, j, joint, area, pin) + _growth(C, s, j, i, joint, area, pin)
        return arc_cosine.steps(C[i, j], C[i, i], C[j, j]) * outputs + growth

    return I4_sum


def _growth(
    C: Float[Array, "n n"],
    s: Float[Array, " n"],
    x: Index,
    z: Index,
    joint: Float[Array, "n n nodes"],
    area: Float[Array, "n n nodes"],
    pin: Pinning,
) -> Float[Array, ""]:
    """The integral over t of the part of x: `joint` is P(a, b | z), `area` sqrt(K_aa K_bb - K_ab^2) given both zero.

    For P(z, a | b), y = h_a G_bb - h_b G_ab, and x = sqrt(v G_bb) `area`: a determinant, in which nothing cancels
    again. The sum over a and b is symmetric: its two terms are equal, and P(z, b | a) is P(z, a | b) by another name.
    """
    lost, v, at_one = _given(C, x, z)
    G = _along(C, lost, pin)
    h = at_one[:, None] * jnp.asarray(_T)[None, :]
    whole, variance = jnp.diagonal(C)[:, None], pin(jnp.maximum(_diagonal(G), 0.0))
    length, spread, across = pin(_root(variance)), _root(v), C[x][:, None]
    y = _product(h, variance) - h[None, :, :] * G
    rounding = _product(variance, whole**2) + _product(whole, whole * variance)
    y = pin(jnp.where(y * y > _ROUNDING**2 * v * rounding, y, 0.0))
    first = _quadrant(y, pin((spread * length)[None, :, :] * area), pin)
    ends = _product(across, length) + pin(across * _inverse(length))[None, :, :] * G
    middle = _product(across, h * _inverse(spread))
    weight = _outer(s, s)[:, :, None] * jnp.asarray(_WEIGHT)[None, None, :]
    return jnp.vdot(weight, first * ends + joint * middle) * _root(_inverse(C[x, x])) / math.pi
