"""Points over the fields of a teacher, for averages of targets that are no sums over its units."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages import hermite, integrals
from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.averages.integrals import Index
from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.rules.linear_algebra import batched_root

Values = Callable[[Float[Array, "*points k"]], Float[Array, "*points"]]
"""f* of arrays of fields."""


class TeacherPoints(NamedTuple):
    """E[f(z)] = sum w f(z) over k standard normals, good for the Hermite polynomials h_n, n < terms."""

    z: Float[np.ndarray, "points k"]
    w: Float[np.ndarray, " points"]
    terms: int


@lru_cache(maxsize=16)
def exact(k: int, degree: int) -> TeacherPoints:
    """Exact for squares of polynomials of this degree, and their products with h_n: zero beyond n = degree."""
    z, w, _ = hermite.gauss_rule(degree + 1, degree + 1)
    return _product(k, z, w, degree + 1)


@lru_cache(maxsize=16)
def dense(k: int) -> TeacherPoints:
    """For any function: trapezoidal rules of 160 nodes (k = 1) or 48^2 (k = 2), or 2^12 Sobol points."""
    if k <= 2:
        z, w, _ = hermite.normal_rule(*((160, 0.125, 2) if k == 1 else (48, 0.375, 2)))
        return _product(k, z, w, hermite.TERMS if k == 1 else 32)
    z = sobol_normals(k, 12)
    return TeacherPoints(z, np.full(len(z), 1 / len(z)), 16)


@lru_cache(maxsize=16)
def whole(fields: int, smooth: bool) -> TeacherPoints:
    """For functions of all fields of a network: a product of trapezoidal rules, or 2^13 Sobol points.

    The former for two fields, and for three where no kink cuts across it.
    """
    if fields <= 2 + smooth:
        z, w, _ = hermite.normal_rule(*((128, 0.125, 2) if fields <= 2 else (26, 0.5, 2)))
        return _product(fields, z, w, 1)
    z = sobol_normals(fields, 13)
    return TeacherPoints(z, np.full(len(z), 1 / len(z)), 1)


def _product(k: int, z: Float[np.ndarray, " nodes"], w: Float[np.ndarray, " nodes"], terms: int) -> TeacherPoints:
    grid = np.stack(np.meshgrid(*[z] * k, indexing="ij"), axis=-1).reshape(-1, k)
    weights = np.prod(np.stack(np.meshgrid(*[w] * k, indexing="ij"), axis=-1).reshape(-1, k), axis=1)
    return TeacherPoints(grid, weights, terms)


def projected(
    weighted: Float[Array, "*#nodes points"],
    x: Float[Array, "points *fields"],
    square: Float[Array, "*fields"],
    terms: int,
) -> Float[Array, "..."]:
    """sum over the points of weighted |b|^n h_n(x/|b|), n < terms along the last axis; x = b.y, square = |b|^2.

    By p_(n+1) sqrt(n+1) = x p_n - sqrt(n) |b|^2 p_(n-1), which is regular at b = 0.
    """

    def step(carry: tuple[Array, Array], n: Array) -> tuple[tuple[Array, Array], Array]:
        before, now = carry
        after = (x * now - jnp.sqrt(n) * square[None] * before) / jnp.sqrt(n + 1)
        return (now, after), jnp.tensordot(weighted, now, 1)

    _, sums = jax.lax.scan(step, (jnp.zeros_like(x), jnp.ones_like(x)), jnp.arange(terms, dtype=jnp.float64))
    return jnp.moveaxis(sums, 0, -1)


def errors(
    values: Values, points: TeacherPoints, activation: Activation, C: Float[Array, "n n"], a: Float[Array, " p"]
) -> Float[Array, "p p"]:
    """E[sigma'(l_i) sigma'(l_j) (f* - f)^2] of a polynomial f* and a smooth sigma.

    As in `hermite.make_I4_sum`, on a grid of (l_i, l_j). Given these, the teacher's fields are mean + A y, with
    T = [A, 0; B, ...] the root of the covariance that is left, and E[f* sigma(l_c)] = sum_n E[f* h_n] sigma_cn.
    """
    n, p = len(C), len(a)
    k, rule = n - p, hermite.WIDE
    grid = hermite.pair_grid(rule)
    y, w = jnp.asarray(points.z), jnp.asarray(points.w)
    s = jnp.concatenate([jnp.zeros(k), -a / p])
    own = hermite.make_I4_sum(activation.value, activation.derivative, C, s, rule)

    def pair(i: Index, j: Index) -> Float[Array, ""]:
        mean, T = grid.condition(C, i, j)
        root = batched_root(T[None])[0]
        spread = hermite.root(jnp.diagonal(T)[k:])
        b = root[k:, :k] * hermite.inverse(spread)[:, None]
        weighted = w[None, :] * values(mean[:, None, :k] + (y @ root[:k, :k].T)[None])
        target = projected(weighted, y @ b.T, jnp.sum(b * b, axis=1), points.terms)
        fields = mean[:, k:, None] + spread[None, :, None] * jnp.asarray(rule[0])[None, None, :]
        outputs = activation.value(fields) @ jnp.asarray(rule[2][:, : points.terms])
        square = jnp.sum(weighted**2 / w[None, :], axis=1)
        cross = jnp.sum(target * outputs, axis=2) @ s[k:]
        slopes = grid.weight * activation.derivative(mean[:, i]) * activation.derivative(mean[:, j])
        return slopes @ (square + 2 * cross) + own(i, j)

    return integrals.over_pairs(pair, k, n, at_once=1)
