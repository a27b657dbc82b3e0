"""The part of |x|^2 outside the span of the weights: chi^2 variables with about d degrees of freedom, one per step.

From 32 degrees of freedom on, chi^2 = nu q(n)^3 with n ~ N(0, 1) and q the polynomial of degree 11 that follows the
exact quantile, q(n) = (F_nu^-1(Phi(n)) / nu)^(1/3). Wilson and Hilferty (1931) found q to be nearly a straight line;
the polynomial takes up the rest, to 1e-6 standard deviations for every |n| <= 6.8. One normal, no rejection, no loop.
Below, chi^2 is the sum of nu squares.
"""

from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Real, UInt32
from numpy.polynomial import Polynomial
from scipy import special

from sgdsim.ensemble.random import Key, normal_pair

SMALLEST = 32
"""Degrees of freedom from which the polynomial is exact to float32 rounding."""
DEGREE = 11
REACH = 6.8
"""The largest |n| that a 32-bit Box-Muller transform gives, rounded up."""
_FAR = 1e5
"""Beyond this nu the distance from the straight line only shrinks, like nu^(-3/2)."""


def _straight_line(nu: float) -> Polynomial:
    """Wilson and Hilferty's q(n) = 1 - 2/(9 nu) + sqrt(2/(9 nu)) n, as a polynomial in n/REACH."""
    return Polynomial([1 - 2 / (9 * nu), np.sqrt(2 / (9 * nu)) * REACH])


def _quantile_root(nu: float, n: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    """(F^-1(Phi(n)) / nu)^(1/3), from the nearer tail."""
    lower = special.gammaincinv(nu / 2, special.ndtr(n))
    upper = special.gammainccinv(nu / 2, special.ndtr(-n))
    return np.cbrt(2 * np.where(n < 0, lower, upper) / nu)


@lru_cache(maxsize=4096)
def _correction(nu: float) -> Polynomial:
    """q(n) minus the straight line, fitted at Chebyshev points."""
    points = np.cos(np.pi * (np.arange(200) + 0.5) / 200)
    rest = _quantile_root(nu, REACH * points) - _straight_line(nu)(points)
    fit = np.polynomial.chebyshev.chebfit(points, rest, DEGREE)
    return Polynomial(np.polynomial.chebyshev.cheb2poly(fit))


def quantile_coefficients(nu: Int[np.ndarray, " variables"]) -> Float[np.ndarray, "degree_1 variables"]:
    """Coefficients of q in powers of n/REACH, constant first, for each number of degrees of freedom."""
    columns = []
    for value in np.asarray(nu, np.float64):
        rest = _correction(float(min(value, _FAR))) * (min(value, _FAR) / value) ** 1.5
        coefficients = (_straight_line(float(value)) + rest).coef
        columns.append(np.pad(coefficients, (0, DEGREE + 1 - len(coefficients))))
    return np.stack(columns, axis=1)


def chi_square(
    normal: Float[Array, "*shape"], nu: Float[Array, "*nu"], coefficients: list[Float[Array, "*nu"]]
) -> Float[Array, "*shape"]:
    """chi^2 with nu degrees of freedom as a function of a standard normal: nu q(n)^3 by Horner's rule."""
    n = normal * normal.dtype.type(1 / REACH)
    root = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        root = root * n + coefficient
    return nu * root * root * root


def chi_square_by_squares(
    key: Key,
    nu: Real[Array, "*nu"],
    first: tuple[UInt32[Array, "*shape"], UInt32[Array, "*shape"]],
    dtype: Any,
    most: int = SMALLEST,
) -> Float[Array, "*shape"]:
    """chi^2 with nu < SMALLEST degrees of freedom: the sum of nu squares of normals; nu <= `most`, an even number.

    Counter words are (first[0], first[1] + pair): the caller leaves SMALLEST/2 pairs free from first[1] on.
    """
    total = jnp.zeros(jnp.shape(first[0]), dtype)
    for pair in range(most // 2):
        left, right = normal_pair(key, (first[0], first[1] + np.uint32(pair)), dtype)
        total = total + jnp.where(2 * pair < nu, left * left, 0) + jnp.where(2 * pair + 1 < nu, right * right, 0)
    return total
