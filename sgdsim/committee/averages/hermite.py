"""Gaussian averages of any smooth function by Hermite series.

With h_n the normalised Hermite polynomials, z ~ N(0, 1) and rho the correlation of two fields (Mehler's formula):

    E[f(l_1) g(l_2)] = sum_n f_n g_n rho^n,    f_n = E[f(sqrt(C11) z) h_n(z)],  g_n = E[g(sqrt(C22) z) h_n(z)]

where every coefficient is a quadrature in one variable. Three fields reduce to two by Stein's lemma, and
four by conditioning on two of them. The coefficients of tanh fall below 1e-7 at n = 48 for variances of order 1.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages.integrals import Index

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
    return z, w, w[:, None] * _polynomials(z, terms)


def gauss_rule(nodes: int, terms: int) -> Rule:
    """The same by Gauss and Hermite's rule: exact where f h_n is a polynomial of degree < 2 nodes."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    return z, w, w[:, None] * _polynomials(z, terms)


def _polynomials(z: Float[np.ndarray, " nodes"], terms: int) -> Float[np.ndarray, "nodes terms"]:
    h = [np.ones_like(z), z]
    for n in range(1, terms - 1):
        h.append((z * h[n] - math.sqrt(n) * h[n - 1]) / math.sqrt(n + 1))
    return np.stack(h[:terms], axis=1)


TERMS = 48
"""Of a series."""
PAIR = normal_rule(80, 0.25, TERMS)
"""Of averages of two fields."""
FOUR = normal_rule(26, 0.5, 16)
"""Of averages of four: over the two fields under sigma', and over each of the others given these."""
WIDE = normal_rule(40, 0.5, 16)
"""The same where a function is a polynomial, or grows like one: nodes as far as |z| = 9.75."""


def kinked(integrals: int, terms: int = TERMS) -> Float[np.ndarray, " terms"]:
    """E[f(z) h_n(z)] of f = 1 for z > 0, else 0 (integrals = 1), or f = max(z, 0) (integrals = 2), in closed form.

    By parts E[f He_n] = E[delta(z) He_(n-integrals)(z)]; the first of them are E[f] and, of a ramp, E[f z].
    """
    first = [0.5] if integrals == 1 else [1 / math.sqrt(2 * math.pi), 0.5]
    at_zero = [1.0, 0.0]
    for n in range(2, terms):
        at_zero.append(-(n - 1) * at_zero[n - 2])
    later = [at_zero[n] / math.sqrt(2 * math.pi) / math.sqrt(math.factorial(n + integrals)) for n in range(terms)]
    return np.array([*first, *later])[:terms]


def root(square: Float[Array, "..."]) -> Float[Array, "..."]:
    """The square root, with slope 0 at 0."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)


def inverse(number: Float[Array, "..."]) -> Float[Array, "..."]:
    """1/number, and 0 for 0."""
    positive = number > 0
    return jnp.where(positive, 1.0 / jnp.where(positive, number, 1.0), 0.0)


def powers(x: Float[Array, "..."], terms: int) -> Float[Array, "... terms"]:
    """1, x, x^2, ...: products, whose derivatives are finite at 0."""
    steps = jnp.concatenate([jnp.ones_like(x)[..., None], jnp.repeat(x[..., None], terms - 1, axis=-1)], axis=-1)
    return jnp.cumprod(steps, axis=-1)


def coefficients(function: Function, variance: Float[Array, "..."], rule: Rule = PAIR) -> Float[Array, "... terms"]:
    """f_n of a field of each variance."""
    z, _, weights = rule
    field = root(variance)[..., None] * z.reshape((1,) * variance.ndim + (-1,))
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
    return jnp.clip(c12 * inverse(root(c11)) * inverse(root(c22)), -1.0, 1.0)


def I2(
    function: Function,
    c12: Float[Array, "..."],
    c11: Float[Array, "..."],
    c22: Float[Array, "..."],
    rule: Rule = PAIR,
) -> Float[Array, "..."]:
    """E[f(l_1) f(l_2)], elementwise in the broadcast covariances."""
    left, right = (coefficients(function, variance, rule) for variance in (c11, c22))
    return series(left, right, correlation(c12, c11, c22))


def I3(
    value: Function, derivative: Function, C: Float[Array, "n n"], i: Index, rule: Rule = PAIR
) -> Float[Array, "n n"]:
    """E[sigma'(l_i) l_j sigma(l_a)] = C_ij E[sigma''(l_i) sigma(l_a)] + C_ja E[sigma'(l_i) sigma'(l_a)], all j and a.

    The coefficients of sigma'' are sqrt((n+1)/C_ii) times the next of sigma'.
    """
    variances = jnp.diagonal(C)
    own, slopes = (coefficients(function, variances, rule) for function in (value, derivative))
    factor = jnp.asarray(np.sqrt(np.arange(1.0, slopes.shape[-1])))
    curvature = factor * slopes[i, 1:] * inverse(root(C[i, i]))
    rho = correlation(C[i], jnp.broadcast_to(C[i, i], variances.shape), variances)
    second = series(curvature[None, :], own[:, :-1], rho)
    first = series(slopes[i][None, :], slopes, rho)
    return C[i][:, None] * second[None, :] + C * first[None, :]


class PairGrid(NamedTuple):
    """A product rule over two fields."""

    u: Float[Array, " nodes"]
    v: Float[Array, " nodes"]
    weight: Float[Array, " nodes"]

    def condition(
        self, C: Float[Array, "n n"], i: Index, j: Index
    ) -> tuple[Float[Array, "nodes n"], Float[Array, "n n"]]:
        """Means of all fields where (l_i, l_j) = (r_i u, b u + g v), and the covariance that is left everywhere."""
        along = C[i] * inverse(root(C[i, i]))
        rest = C - along[:, None] * along[None, :]
        sound = rest[j, j] > 1e-13 * C[j, j]
        across = jnp.where(sound, rest[j] * inverse(root(jnp.where(sound, rest[j, j], 1.0))), 0.0)
        T = rest - across[:, None] * across[None, :]
        return self.u[:, None] * along[None, :] + self.v[:, None] * across[None, :], T


def pair_grid(rule: Rule) -> PairGrid:
    """The rule of one variable in both."""
    z, w, _ = rule
    u, v = (jnp.asarray(axis.ravel()) for axis in np.meshgrid(z, z, indexing="ij"))
    return PairGrid(u, v, jnp.asarray(np.outer(w, w).ravel()))


def make_I4_sum(
    value: Function, derivative: Function, C: Float[Array, "n n"], s: Float[Array, " n"], rule: Rule = FOUR
) -> Callable[[Index, Index], Float[Array, ""]]:
    """The function (i, j) -> sum_ab s_a s_b E[sigma'(l_i) sigma'(l_j) sigma(l_a) sigma(l_b)].

    On a grid of (l_i, l_j) = (r_i u, b u + g v) the fields have means linear in u and v, and a covariance T that is the
    same everywhere. Given the means, the sum over a and b is that of a series as above, with coefficients
    E[sigma(mean_a + sqrt(T_aa) z) h_n(z)].
    """
    grid = pair_grid(rule)
    inner, polynomials = jnp.asarray(rule[0]), jnp.asarray(rule[2])

    def I4_sum(i: Index, j: Index) -> Float[Array, ""]:
        mean, T = grid.condition(C, i, j)
        spread = root(jnp.diagonal(T))
        outputs = value(mean[:, :, None] + spread[None, :, None] * inner[None, None, :]) @ polynomials
        slopes = grid.weight * derivative(mean[:, i]) * derivative(mean[:, j])
        rho = correlation(T, jnp.diagonal(T)[:, None], jnp.diagonal(T)[None, :])

        def term(total: Array, given: Float[Array, "nodes n"]) -> tuple[Array, None]:
            """Horner's rule in matrices: the n-th coefficients at all nodes, averaged over the nodes."""
            return total * rho + (given * slopes[:, None]).T @ given, None

        total, _ = jax.lax.scan(term, jnp.zeros_like(C), jnp.moveaxis(outputs, 2, 0)[::-1])
        return s @ total @ s

    return I4_sum


def four_field_error(value: Function, derivative: Function, rule: Rule = FOUR) -> float:
    """Relative error of averages of four fields at variance 1, estimated where it is largest: at equal fields.

    There the series in the fields under sigma leaves out 1 - sum_n f_n^2 / E[sigma^2], and the rule for those under
    sigma' is asked for E[sigma'^4]; both are held against the finer rule of two fields.
    """
    (z, w, weighted), (fine, fine_w, _) = rule, PAIR
    square, terms = fine_w @ np.asarray(value(jnp.asarray(fine))) ** 2, np.asarray(value(jnp.asarray(z))) @ weighted
    fourth, coarse = (u @ np.asarray(derivative(jnp.asarray(x))) ** 4 for x, u in ((fine, fine_w), (z, w)))
    return float(max(abs(square - terms @ terms) / square, abs(fourth - coarse) / fourth))
