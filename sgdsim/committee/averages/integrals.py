"""Gaussian averages of sigma = erf(x / sqrt 2) and its derivative over two to four fields, in closed form.

A factor sigma'(l_i) = sqrt(2/pi) exp(-l_i^2/2) tilts a centred Gaussian into another centred Gaussian. With C the
covariance of the fields and c = C[i],

    E_C[sigma'(l_i) F(l)] = w E_T[F(l)],    T = C - c c^T / (1 + c_i),    w = sqrt(2/pi) / sqrt(1 + c_i)

so that every average here is one or two tilts and an elementary one. 1 + c_i >= 1: nothing is singular, whatever fields
are equal, zero or linearly dependent. Saad & Solla (1995) write the same results as

    I2 = (2/pi) asin(C12 / sqrt((1+C11) (1+C22)))
    I3 = (2/pi) [C23 (1+C11) - C12 C13] / ((1+C11) sqrt(L3)),    L3 = (1+C11) (1+C33) - C13^2
    I4 = (4/pi^2) asin(L0 / sqrt(L1 L2)) / sqrt(L4),             L4 = (1+C11) (1+C22) - C12^2
    J2 = (2/pi) / sqrt(L4)

where L0/L4, L1/L4 and L2/L4 are C34, 1 + C33 and 1 + C44 of the covariance tilted twice.
"""

import math
from collections.abc import Callable
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Index = Int[Array, ""] | int
"""Of a field."""

_TAYLOR = 26
"""Terms of the Taylor series of asin(x)/x in x^2: the rest is below 1e-18 for |x| <= 1/2."""
_TERMS = 13
"""Terms of the polynomial that takes its place there, right to 3e-17 of itself; 12 would be right to 3e-16."""
_STRIPE = 8
"""Rows of a symmetric matrix that are made at once, from the diagonal on: a vector of 512 bits has 8 float64."""
_STRIPES = 8
"""Stripes of a large one at most: so much is compiled, and 9/16 of the elements are made."""


def _shortened(taylor: list[Fraction], terms: int) -> tuple[float, ...]:
    """The polynomial of so many terms that on [0, 1/4] is nearly the best substitute for a longer one (Lanczos 1938).

    From the highest on, a power is replaced by its best approximation by lower ones: a Chebyshev polynomial of 8 z - 1
    is taken away. In exact fractions.
    """
    chebyshev = [[Fraction(1)], [Fraction(-1), Fraction(8)]]
    for degree in range(2, len(taylor)):
        last, before = chebyshev[-1], [*chebyshev[-2], *[Fraction(0)] * 2]
        chebyshev.append(
            [16 * (last[n - 1] if n else 0) - 2 * (last[n] if n < degree else 0) - before[n] for n in range(degree + 1)]
        )
    left = list(taylor)
    while len(left) > terms:
        polynomial = chebyshev[len(left) - 1]
        factor = left[-1] / polynomial[-1]
        left = [a - factor * b for a, b in zip(left[:-1], polynomial[:-1], strict=True)]
    return tuple(map(float, left))


_ARCSIN = _shortened([Fraction(math.comb(2 * n, n), 4**n * (2 * n + 1)) for n in range(_TAYLOR)], _TERMS)
"""Coefficients of asin(x)/x in x^2 for |x| <= 1/2."""


def arcsin_series(square: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """asin(x)/x for x^2 = `square` <= 1/4, by Horner's rule."""
    series = jnp.full_like(square, _ARCSIN[-1])
    for coefficient in _ARCSIN[-2::-1]:
        series = series * square + coefficient
    return series


def arcsin(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """asin(x) for |x| <= 1 to 4e-16: a polynomial for |x| <= 1/2, else pi/2 - 2 asin(sqrt((1 - |x|)/2)).

    XLA goes through an atan2 that it does not vectorise: 15 ns an element on a CPU, where this takes 2 ns, and the ODE
    spends all its time here.
    """
    magnitude = jnp.abs(x)
    far = magnitude > 0.5
    half = 0.5 * (1.0 - magnitude)
    series = arcsin_series(jnp.where(far, half, x * x))
    return jnp.where(far, jnp.sign(x) * (0.5 * math.pi - 2.0 * jnp.sqrt(half) * series), x * series)


def I2(c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
    """E[sigma(l_1) sigma(l_2)], elementwise in the broadcast covariances."""
    cosine = c12 * (jax.lax.rsqrt(1.0 + c11) * jax.lax.rsqrt(1.0 + c22))
    return (2.0 / math.pi) * arcsin(jnp.clip(cosine, -1.0, 1.0))


def tilt(C: Float[Array, "n n"], i: Index) -> tuple[Float[Array, ""], Float[Array, "n n"]]:
    """(w, T) with E_C[sigma'(l_i) F(l)] = w E_T[F(l)] for every function F of the n fields."""
    scale = 1.0 + C[i, i]
    return jnp.sqrt((2.0 / math.pi) / scale), C - C[i][:, None] * C[i][None, :] / scale


def _tilt_twice(C: Float[Array, "n n"], i: Index, j: Index) -> tuple[Float[Array, ""], Float[Array, "n n"]]:
    first, tilted = tilt(C, i)
    second, tilted = tilt(tilted, j)
    return first * second, tilted


def I3(C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
    """E[sigma'(l_i) l_j sigma(l_a)] for all j (first axis) and a (second)."""
    weight, tilted = tilt(C, i)
    return weight * math.sqrt(2.0 / math.pi) * tilted * jax.lax.rsqrt(1.0 + jnp.diagonal(tilted))[None, :]


def I4(C: Float[Array, "n n"], i: Index, j: Index) -> Float[Array, "n n"]:
    """E[sigma'(l_i) sigma'(l_j) sigma(l_a) sigma(l_b)] for all a (first axis) and b (second)."""
    weight, tilted = _tilt_twice(C, i, j)
    variances = jnp.diagonal(tilted)
    return weight * I2(tilted, variances[:, None], variances[None, :])


def I4_sum(C: Float[Array, "n n"], s: Float[Array, " n"], i: Index, j: Index) -> Float[Array, ""]:
    """sum_ab s_a s_b I4(i, j, a, b), of which the terms b >= a are made, stripe by stripe."""
    weight, tilted = _tilt_twice(C, i, j)
    n, variances, total = len(s), jnp.diagonal(tilted), jnp.zeros(())
    height = max(_STRIPE, -(-n // _STRIPES))
    for begin in range(0, n, height):
        rows = slice(begin, min(begin + height, n))
        twice = np.where(np.arange(begin, n) < begin + height, 1.0, 2.0)
        averages = I2(tilted[rows, begin:], variances[rows, None], variances[None, begin:])
        total = total + jnp.sum(s[rows, None] * (twice * s[begin:])[None, :] * averages)
    return weight * total


def J2(C: Float[Array, "n n"], i: Index, j: Index) -> Float[Array, ""]:
    """E[sigma'(l_i) sigma'(l_j)]."""
    return _tilt_twice(C, i, j)[0]


def over_pairs(
    function: Callable[[Index, Index], Float[Array, ""]], first: int, n: int, at_once: int | None = None
) -> Float[Array, "p p"]:
    """The symmetric matrix of function(i, j) for first <= i, j < n.

    Its p (p+1)/2 values are made ceil(p/2) at a time, which divides their number, or `at_once`, which must too.
    """
    p = n - first
    row, column = np.triu_indices(p)
    chunks = [jnp.asarray(first + index.reshape(-1, at_once or (p + 1) // 2)) for index in (row, column)]
    values = jax.lax.map(lambda chunk: jax.vmap(function)(*chunk), chunks).ravel()
    place = np.zeros((p, p), np.int64)
    place[row, column] = place[column, row] = np.arange(row.size)
    return values[place]
