"""The closed forms against quadrature that shares no code with them, on a root of the covariance.

The trapezoidal rule converges geometrically for analytic functions with Gaussian tails.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from sgdsim.committee.averages.integrals import I2, I3, I4, J2, I4_sum, arcsin, arcsin_series

NODES = np.linspace(-6.6, 6.6, 60)
WEIGHTS = np.exp(-(NODES**2) / 2) * (NODES[1] - NODES[0]) / math.sqrt(2 * math.pi)


def sigma(x):
    return erf(x / math.sqrt(2))


def derivative(x):
    return math.sqrt(2 / math.pi) * np.exp(-x * x / 2)


def root(covariance):
    """Lower-triangular root with a column of zeros for a vanishing pivot: singular covariances are allowed."""
    n, factor = len(covariance), np.zeros_like(covariance)
    for j in range(n):
        rest = covariance[j:, j] - factor[j:, :j] @ factor[j, :j]
        if rest[0] > 1e-12:
            factor[j:, j] = rest / math.sqrt(rest[0])
    return factor


def quadrature(covariance, functions):
    """E[product of functions[i](l_i)] for l ~ N(0, covariance), one normal at a time."""
    factor, n = root(covariance), len(covariance)
    total = np.ones(())
    for i in reversed(range(n)):  # integrate the last normal first
        grids = np.meshgrid(*[NODES] * (i + 1), indexing="ij", sparse=True)
        field = sum(factor[i, j] * grids[j] for j in range(i + 1))
        total = np.einsum("...a,a->...", functions[i](field) * total, WEIGHTS)
    return float(total)


def random_covariance(seed, n=4):
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(n, n + rng.integers(0, 3))) / 2
    return loadings @ loadings.T


DEGENERATE = {
    "equal fields": np.ones((4, 4)),
    "two pairs": np.kron(np.array([[1.0, 0.3], [0.3, 0.8]]), np.ones((2, 2))),
    "opposite fields": np.outer([1, -1, 1, -1], [1, -1, 1, -1]) * 0.7,
    "all zero": np.zeros((4, 4)),
    "one zero": np.diag([1.0, 0.5, 0.0, 1.5]),
    "rank two": random_covariance(3, 2).take([0, 1, 0, 1], 0).take([0, 1, 0, 1], 1)
    * np.outer([1, 1, 0.5, -1], [1, 1, 0.5, -1]),
}
COVARIANCES = {f"random {seed}": random_covariance(seed) for seed in range(6)} | DEGENERATE


@pytest.fixture(params=COVARIANCES.values(), ids=COVARIANCES.keys())
def covariance(request):
    return request.param


def test_I2(covariance):
    for a, b in ((0, 1), (2, 3), (1, 1)):
        pair = covariance[np.ix_([a, b], [a, b])]
        assert float(I2(*jnp.asarray([pair[0, 1], pair[0, 0], pair[1, 1]]))) == pytest.approx(
            quadrature(pair, [sigma, sigma]), abs=1e-8
        )


def test_I3(covariance):
    closed = np.asarray(I3(jnp.asarray(covariance), 1))
    for j, a in ((0, 3), (3, 0), (1, 2), (2, 1), (2, 2)):
        fields = [1, j, a]
        expected = quadrature(covariance[np.ix_(fields, fields)], [derivative, lambda x: x, sigma])
        assert closed[j, a] == pytest.approx(expected, abs=1e-8)


def test_I4(covariance):
    closed = np.asarray(I4(jnp.asarray(covariance), 0, 1))
    expected = quadrature(covariance, [derivative, derivative, sigma, sigma])
    assert closed[2, 3] == pytest.approx(expected, abs=1e-8)
    assert closed[3, 2] == pytest.approx(expected, abs=1e-8)


def test_I4_of_repeated_fields():
    covariance = random_covariance(11)
    for i, j, a, b in ((0, 0, 1, 2), (0, 1, 0, 1), (2, 2, 2, 2), (3, 1, 1, 1)):
        fields = [i, j, a, b]
        expected = quadrature(covariance[np.ix_(fields, fields)], [derivative, derivative, sigma, sigma])
        assert float(I4(jnp.asarray(covariance), i, j)[a, b]) == pytest.approx(expected, abs=1e-8)


def test_J2(covariance):
    for i, j in ((0, 1), (2, 3), (1, 1)):
        fields = [i, j]
        expected = quadrature(covariance[np.ix_(fields, fields)], [derivative, derivative])
        assert float(J2(jnp.asarray(covariance), i, j)) == pytest.approx(expected, abs=1e-8)


def saad_solla(C):
    """I3 of fields (0, 1, 2) and I4 of fields (0, 1, 2, 3) as Saad & Solla (1995) write them."""
    L3 = (1 + C[0, 0]) * (1 + C[2, 2]) - C[0, 2] ** 2
    third = (2 / math.pi) * (C[1, 2] * (1 + C[0, 0]) - C[0, 1] * C[0, 2]) / ((1 + C[0, 0]) * math.sqrt(L3))
    first, second = 1 + C[0, 0], 1 + C[1, 1]
    L4 = first * second - C[0, 1] ** 2
    L0 = L4 * C[2, 3] - C[1, 2] * C[1, 3] * first - C[0, 2] * C[0, 3] * second
    L0 += C[0, 1] * (C[0, 2] * C[1, 3] + C[0, 3] * C[1, 2])
    L1, L2 = (
        L4 * (1 + C[a, a]) - C[1, a] ** 2 * first - C[0, a] ** 2 * second + 2 * C[0, 1] * C[0, a] * C[1, a]
        for a in (2, 3)
    )
    fourth = 4 / math.pi**2 / math.sqrt(L4) * math.asin(L0 / math.sqrt(L1 * L2))
    return third, fourth


def test_closed_forms_are_those_of_saad_and_solla(covariance):
    third, fourth = saad_solla(covariance)
    assert float(I3(jnp.asarray(covariance), 0)[1, 2]) == pytest.approx(third, abs=2e-16, rel=1e-14)
    assert float(I4(jnp.asarray(covariance), 0, 1)[2, 3]) == pytest.approx(fourth, abs=2e-16, rel=1e-14)


def test_large_fields_stay_finite():
    covariance = jnp.asarray(1e12 * np.ones((4, 4)))
    assert np.isfinite(np.asarray(I4(covariance, 0, 1))).all()
    assert float(I2(*jnp.asarray([1e300, 1e300, 1e300]))) == pytest.approx(1.0)


def test_arcsin_to_rounding():
    x = np.concatenate([np.linspace(-1, 1, 20_001), [0.5, -0.5, np.nextafter(0.5, 1), 1 - 1e-16]])
    np.testing.assert_allclose(np.asarray(arcsin(jnp.asarray(x))), np.arcsin(x), rtol=0, atol=4e-16)
    small = np.concatenate([np.geomspace(1e-300, 0.5, 1000), [0.0]])
    np.testing.assert_allclose(np.asarray(arcsin(jnp.asarray(small))), np.arcsin(small), rtol=4e-16, atol=0)


@pytest.mark.parametrize("x", [0.0, 1e-9, -0.3, 0.5, 0.7, -0.99])
def test_derivatives_of_arcsin(x):
    assert float(jax.jacfwd(arcsin)(x)) == pytest.approx((1 - x * x) ** -0.5, rel=1e-13)
    assert float(jax.grad(arcsin)(x)) == pytest.approx((1 - x * x) ** -0.5, rel=1e-13)


@pytest.mark.parametrize("n", [3, 8, 11, pytest.param(66, marks=pytest.mark.slow)])
def test_sums_of_I4_have_every_pair(n):
    """In stripes of 8 rows, and of 9 where there are more than 64: against all n^2 terms."""
    rng = np.random.default_rng(n)
    loadings = rng.normal(size=(n, 2 * n)) / (2 * n) ** 0.5
    C, s = jnp.asarray(loadings @ loadings.T), rng.normal(size=n)
    for i, j in ((0, n - 1), (1, 1)):
        expected = s @ np.asarray(I4(C, i, j)) @ s
        assert float(I4_sum(C, jnp.asarray(s), i, j)) == pytest.approx(expected, rel=1e-13)


def test_arcsin_series_on_a_dense_grid():
    """asin(sin(y))/sin(y) is y/sin(y), which has no series in common with it: right to two units in the last place."""
    y = np.linspace(1e-6, np.arcsin(0.5), 200_001)
    series = np.asarray(jax.jit(arcsin_series)(np.minimum(np.sin(y) ** 2, 0.25)))
    np.testing.assert_allclose(series, y / np.sin(y), rtol=4.5e-16, atol=0)
