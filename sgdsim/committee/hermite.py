"""Gaussian averages of any smooth function by Hermite series.

With h_n the normalised Hermite polynomials, z ~ N(0, 1) and rho the correlation of two fields (Mehler's formula):

    E[f(l_1) g(l_2)] = sum_n f_n g_n rho^n,    f_n = E[f(sqrt(C11) z) h_n(z)],  g_n = E[g(sqrt(C22) z) h_n(z)]

where every coefficient is a quadrature in one variable. Three fields reduce to two by Stein's lemma, and
four by conditioning on two of them. The coefficients of tanh fall below 1e-7 at n = 48 for variances of order 1.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.integrals import Index

Function = Callable[[Array], Array]
"""An elementwise function."""

Rule = tuple[Float[np.ndarray, " nodes"], Float[np.ndarray, " nodes"], Float[np.ndarray, "nodes terms"]]


def normal_rule(nodes: int, spacing: float, terms: int) -> Rule:
    """Nodes z and weights w of E[f(z)] = sum w f(z), and w h_n(z) for n < terms, by the trapezoidal rule.

    For analytic functions with Gaussian tails it converges geometrically, and faster than Gauss-Hermite where poles are
    near, as those of tanh. The nodes are even in number and avoid 0, the usual place of a kink.
    """
    z = (np.arange(nodes) - 0.5 * (nodes - 1)) * spacing
    w = np.exp(-0.5 * z * z)
    w = w / w.sum()
    h = [np.ones_like(z), z]
    for n in range(1, terms - 1):
        h.append((z * h[n] - math.sqrt(n) * h[n - 1]) / math.sqrt(n + 1))
    return z, w, w[:, None] * np.stack(h, axis=1)


_PAIR = normal_rule(80, 0.25, 48)
"""Of averages of two fields."""
_FOUR = normal_rule(26, 0.5, 16)
"""Of averages of four: over the two fields under sigma', and over each of the others given these."""


def _root(square: Float[Array, "..."]) -> Float[Array, "..."]:
    """The square root, with slope 0 at 0."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)


def _inverse(number: Float[Array, "..."]) -> Float[Array, "..."]:
    """1/number, and 0 for 0."""
    positive = number > 0
    return jnp.where(positive, 1.0 / jnp.where(positive, number, 1.0), 0.0)


def coefficients(function: Function, variance: Float[Array, "..."]) -> Float[Array, "... terms"]:
    """f_n of a field of each variance."""
    z, _, weights = _PAIR
    field = _root(variance)[..., None] * z.reshape((1,) * variance.ndim + (-1,))
    return function(field) @ jnp.asarray(weights)


def series(
    left: Float[Array, "... terms"], right: Float[Array, "... terms"], rho: Float[Array, "..."]
) -> Float[Array, "..."]:
    """sum_n left_n right_n rho^n, by Horner's rule."""
    total = jnp.zeros_like(rho)
    for n in reversed(range(left.shape[-1])):
        total = total * rho + left[..., n] * right[..., n]
    return total


def correlation(c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
    """rho of two fields, 0 where one of them is."""
    return jnp.clip(c12 * _inverse(_root(c11)) * _inverse(_root(c22)), -1.0, 1.0)


def I2(
    function: Function, c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]
) -> Float[Array, "..."]:
    """E[f(l_1) f(l_2)], elementwise in the broadcast covariances."""
    return series(coefficients(function, c11), coefficients(function, c22), correlation(c12, c11, c22))


def I3(value: Function, derivative: Function, C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
    """E[sigma'(l_i) l_j sigma(l_a)] = C_ij E[sigma''(l_i) sigma(l_a)] + C_ja E[sigma'(l_i) sigma'(l_a)], all j and a.

    The coefficients of sigma'' are sqrt((n+1)/C_ii) times the next of sigma'.
    """
    variances = jnp.diagonal(C)
    own, slopes = coefficients(value, variances), coefficients(derivative, variances)
    factor = jnp.asarray(np.sqrt(np.arange(1.0, slopes.shape[-1])))
    curvature = factor * slopes[i, 1:] * _inverse(_root(C[i, i]))
    rho = correlation(C[i], jnp.broadcast_to(C[i, i], variances.shape), variances)
    second = series(curvature[None, :], own[:, :-1], rho)
    first = series(slopes[i][None, :], slopes, rho)
    return C[i][:, None] * second[None, :] + C * first[None, :]


def make_I4_sum(
    value: Function, derivative: Function, C: Float[Array, "n n"], s: Float[Array, " n"]
) -> Callable[[Index, Index], Float[Array, ""]]:
    """The function (i, j) -> sum_ab s_a s_b E[sigma'(l_i) sigma'(l_j) sigma(l_a) sigma(l_b)].

    On a grid of (l_i, l_j) = (r_i u, b u + g v) the fields have means linear in u and v, and a covariance T that is the
    same everywhere. Given the means, the sum over a and b is that of a series as above, with coefficients
    E[sigma(mean_a + sqrt(T_aa) z) h_n(z)].
    """
    z, w, weighted = _FOUR
    u, v = (jnp.asarray(axis.ravel()) for axis in np.meshgrid(z, z, indexing="ij"))
    weight = jnp.asarray(np.outer(w, w).ravel())
    inner, polynomials = jnp.asarray(z), jnp.asarray(weighted)

    def I4_sum(i: Index, j: Index) -> Float[Array, ""]:
        along = C[i] * _inverse(_root(C[i, i]))
        rest = C - along[:, None] * along[None, :]
        sound = rest[j, j] > 1e-13 * C[j, j]
        across = jnp.where(sound, rest[j] * _inverse(_root(jnp.where(sound, rest[j, j], 1.0))), 0.0)
        T = rest - across[:, None] * across[None, :]
        mean = u[:, None] * along[None, :] + v[:, None] * across[None, :]
        spread = _root(jnp.diagonal(T))
        outputs = value(mean[:, :, None] + spread[None, :, None] * inner[None, None, :]) @ polynomials
        slopes = weight * derivative(mean[:, i]) * derivative(mean[:, j])
        rho = correlation(T, jnp.diagonal(T)[:, None], jnp.diagonal(T)[None, :])

        def term(total: Array, given: Float[Array, "nodes n"]) -> tuple[Array, None]:
            """Horner's rule in matrices: the n-th coefficients at all nodes, averaged over the nodes."""
            return total * rho + (given * slopes[:, None]).T @ given, None

        total, _ = jax.lax.scan(term, jnp.zeros_like(C), jnp.moveaxis(outputs, 2, 0)[::-1])
        return s @ total @ s

    return I4_sum


def four_field_error(value: Function, derivative: Function) -> float:
    """Relative error of averages of four fields at variance 1, estimated where it is largest: at equal fields.

    There the series in the fields under sigma leaves out 1 - sum_n f_n^2 / E[sigma^2], and the rule for those under
    sigma' is asked for E[sigma'^4]; both are held against the finer rule of two fields.
    """
    (z, w, weighted), (fine, fine_w, _) = _FOUR, _PAIR
    square, terms = fine_w @ np.asarray(value(jnp.asarray(fine))) ** 2, np.asarray(value(jnp.asarray(z))) @ weighted
    fourth, coarse = (u @ np.asarray(derivative(jnp.asarray(x))) ** 4 for x, u in ((fine, fine_w), (z, w)))
    return float(max(abs(square - terms @ terms) / square, abs(fourth - coarse) / fourth))
