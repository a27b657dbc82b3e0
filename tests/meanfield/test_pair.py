"""Particles beside their limits: linear-noise constants, rates, and what common noise does to propagation of chaos.

Reference numbers at T = 5, for D = W^N - W^*: E |D|^2 = c eps + 0.2872/N and E D^1 D^2 = c' eps + 0.2235/N, with
c = 1.0003, c' = 0 for independent noise and c = 0.1590, c' = 0.1074 for common noise, which is that of SGD.
"""

from functools import cache

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.random import replica_keys
from sgdsim.ensemble.tiles import Tiles
from sgdsim.meanfield.dynamics import Dynamics, Sde, Sgd
from sgdsim.meanfield.kernels.pair import pair_product
from sgdsim.meanfield.limits.limit import solve_limit
from sgdsim.meanfield.particles import Pair, Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given, LawStart
from tests.helpers import run
from tests.meanfield.by_hand import MODEL, drift_and_variance

INDEPENDENT, COMMON = (1.0003, 0.0), (0.1590, 0.1074)


def test_limits_by_hand():
    """beta < 1: W* moves by -h(W*, m*(n dt)) dt at step n; the peak is the largest squared distance of a particle."""
    problem = MeanField(model=MODEL, N=12, gamma=0.5, beta=0.75, dynamics=Sde(dt=0.25))
    kernel, limit = Pair("float64").bind(problem, 3, 3.0), solve_limit(problem, 3.0)
    state = kernel.init(Given(None), jnp.asarray(replica_keys(2, 0, 0, kernel.lanes)))
    advance = eqx.filter_jit(kernel.advance)
    star = np.asarray(state.system.W[0]).ravel()
    np.testing.assert_array_equal(state.star[0], state.system.W[0])
    largest, falls = np.zeros_like(star), 0
    for number in range(12):
        star = star - 0.25 * drift_and_variance(star, np.asarray(limit.m_at(0.25 * number)))[0]
        state = advance(state, jnp.asarray(1))
        apart = (np.asarray(state.system.W[0]).ravel() - star) ** 2
        largest, falls = np.maximum(largest, apart), falls + int((apart < largest).sum())
        np.testing.assert_allclose(np.asarray(state.star[0]).ravel(), star, rtol=1e-12)
        np.testing.assert_allclose(np.asarray(state.peak).ravel(), largest, rtol=1e-9)
    assert falls > 20
    seen, shape = kernel.observe(state), (12, kernel.lanes)
    np.testing.assert_allclose(seen["distance"], apart.reshape(shape).mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(seen["coupling"], largest.reshape(shape).mean(axis=0), rtol=1e-9)


@cache
def pair(dynamics: Dynamics, N: int, beta: float, replicas: int) -> Tiles:
    problem = MeanField(model=MODEL, N=N, gamma=0.1, beta=beta, dynamics=dynamics)
    # As many at once as in the smallest ensemble: of each kind and width one compiled program.
    return run(problem, LawStart(), Pair(), [2.5, 5.0], replicas, batch=512)


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dynamics", "N", "beta", "replicas", "constants"),
    [
        (Sde(), 256, 0.0, 1024, INDEPENDENT),
        (Sde(), 256, 0.5, 1024, INDEPENDENT),
        (Sde(batch=4), 256, 0.75, 1024, INDEPENDENT),
        (Sde("common"), 256, 0.5, 2048, COMMON),
        (Sgd(), 256, 0.5, 2048, COMMON),
        (Sgd("per_particle"), 256, 0.5, 512, INDEPENDENT),
    ],
)
def test_deviations_have_the_linear_noise_constants(dynamics, N, beta, replicas, constants):
    tiles, eps = pair(dynamics, N, beta, replicas), 0.1 * N ** (beta - 1) / dynamics.batch
    for name, c, b in (("distance", constants[0], 0.2872), ("pair_covariance", constants[1], 0.2235)):
        mean, error = mean_and_error(tiles.kept[name])
        expected = c * eps + b / N
        assert abs(mean - expected) < (0.02 + 2 * eps) * expected + 3 * error, name
        assert error < 0.07 * expected


@pytest.mark.slow
def test_noise_is_felt_in_the_law_as_by_sgd():
    """Variances over runs of m: SGD's are those of common noise, and far above those of independent noise."""
    variance = {
        dynamics: np.var(
            run(
                MeanField(model=MODEL, N=64, gamma=0.1, beta=0.75, dynamics=dynamics),
                LawStart(),
                Particles(),
                [5.0],
                2048,
            ).kept["m"],
            axis=0,
            ddof=1,
        )
        for dynamics in (Sgd(), Sde("common"), Sde())
    }
    scatter = variance[Sgd()] / variance[Sde("common")] - 1
    assert np.abs(scatter).max() < 5 * 2 / 2048**0.5 + 0.036  # two variances, and steps of eps = 0.035
    assert (variance[Sgd()] > 5 * variance[Sde()]).all()


RATES = {0.0: -0.993, 0.25: -0.826, 0.5: -0.529, 0.75: -0.251, 1.0: -1.012}


@pytest.mark.slow
@pytest.mark.parametrize("beta", RATES)
def test_rates_of_the_coupling_to_the_limit(beta):
    """E sup |W^N - W^*|^2 against N, independent noise: raw slopes, as known for N = 64 .. 16384."""
    widths = np.array([64, 4096])  # errors are alike at all N: one in the middle would say nothing about the slope
    points = [mean_and_error(pair(Sde(), int(N), beta, 64).kept["coupling"]) for N in widths]
    y, weights = np.log([mean for mean, _ in points]), np.array([(mean / error) ** 2 for mean, error in points])
    x = np.log(widths) - np.average(np.log(widths), weights=weights)
    slope, error = (weights * x) @ y / ((weights * x) @ x), ((weights * x) @ x) ** -0.5
    assert abs(slope - RATES[beta]) < 0.05 + 3 * error
    assert error < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("dynamics", [Sgd(), Sde("common")])
def test_common_noise_has_a_random_limit_and_a_rate_given_the_noise(dynamics):
    """beta = 1: variance over runs of m(x = 1) does not fall with N, the distance from the conditional limit does."""
    few, many = (pair(dynamics, N, 1.0, 512) for N in (32, 256))
    (near, error), (far, far_error) = (mean_and_error(tiles.kept["coupling"]) for tiles in (many, few))
    slope = np.log(near / far) / np.log(8)
    assert abs(slope + 1) < 0.06 + 3 * np.hypot(error / near, far_error / far) / np.log(8)
    known = {"sgd": 8.2e-3, "sde": 7.2e-3}[dynamics.name]
    variance = float(np.var(many.kept["m"][:, 3], ddof=1))
    assert abs(variance / known - 1) < 0.02 + 4 * (2 / 512) ** 0.5


@pytest.mark.slow
def test_independent_noise_at_beta_one_is_fokker_plancks():
    problem = MeanField(model=MODEL, N=4096, gamma=0.1, beta=1.0, dynamics=Sde(dt=0.01))
    tiles = run(problem, LawStart(), Particles(), [5.0], 64)
    mean, error = mean_and_error(tiles.kept["mean"][:, 0])
    assert abs(mean - 0.47413) < 3 * error + 5e-4
    variance, spread = mean_and_error(tiles.kept["variance"][:, 0])
    assert abs(variance - 0.64783**2) < 3 * spread + 1e-3
    # 3.1e-6 over runs, known to 18 %: the chi^2 of 64 runs.
    assert 1.6e-6 < np.var(tiles.kept["m"][:, 3], ddof=1) < 5.5e-6


def test_pair_product_by_hand():
    D = jnp.array([[1.0], [2.0], [4.0]])
    assert float(pair_product(D)[0]) == pytest.approx((2 + 4 + 8) / 3)
