"""chi^2 as a function of a normal: against the exact quantile, and its moments."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sgdsim.ensemble.random import replica_keys
from sgdsim.rules.radius import SMALLEST, chi_square, chi_square_by_squares, quantile_coefficients


def transform(nu, n):
    coefficients = [jnp.asarray(row[0], n.dtype) for row in quantile_coefficients(np.array([nu]))]
    return np.asarray(chi_square(jnp.asarray(n), jnp.asarray(nu, n.dtype), coefficients))


@pytest.mark.parametrize("nu", [SMALLEST, 40, 55, 100, 1000, 50_000, 10**6])
def test_it_is_the_exact_quantile(nu):
    n = np.linspace(-6.7, 6.7, 2001)
    exact = np.where(n < 0, stats.chi2.ppf(stats.norm.cdf(n), nu), stats.chi2.isf(stats.norm.sf(n), nu))
    assert np.max(np.abs(transform(nu, n) - exact)) < 1e-6 * np.sqrt(2 * nu)


@pytest.mark.parametrize("nu", [SMALLEST, 1000, 10**6, 10**9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments(nu, dtype):
    """Mean nu, variance 2 nu, skewness sqrt(8/nu), by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    inside = np.abs(nodes) < 6.8
    standard = (transform(nu, nodes[inside].astype(dtype)).astype(float) - nu) / np.sqrt(2 * nu)
    rounding = np.finfo(dtype).eps * np.sqrt(nu)
    assert abs(np.sum(weights[inside] * standard)) < 1e-7 + rounding
    assert abs(np.sum(weights[inside] * standard**2) - 1) < 1e-6 + 4 * rounding
    if rounding < 1e-3:
        assert abs(np.sum(weights[inside] * standard**3) - np.sqrt(8 / nu)) < 1e-5 + 10 * rounding


@pytest.mark.parametrize("nu", [1, 2, 7, SMALLEST - 1])
def test_small_numbers_of_degrees_are_sums_of_squares(nu):
    keys = replica_keys(seed=1, cell=0, first=0, count=20_000)
    counter = (jnp.zeros(20_000, jnp.uint32), jnp.full(20_000, 5, jnp.uint32))
    values = chi_square_by_squares((keys[0], keys[1]), jnp.asarray(nu), counter, jnp.float64)
    assert stats.kstest(np.asarray(values), stats.chi2(nu).cdf).pvalue > 1e-4
