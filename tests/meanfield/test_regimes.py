"""A quadratic target: averages by quadrature, the linear models by least squares, the network by its flow."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.random import fold, replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.meanfield import GaussianQuadratic, Regimes, RegimesLimit, quadratic_model, tanh_model
from sgdsim.meanfield.kernels.particle import DRIVEN
from sgdsim.meanfield.kernels.regimes import features_left, tangent_left
from sgdsim.meanfield.limits.characteristics import follow
from sgdsim.meanfield.limits.quadratic_target import (
    QuadraticFlow,
    QuadraticOrders,
    best_risk,
    features_risk,
    tangent_risk,
)
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import ExplicitStart, Given
from tests.helpers import run

KEYS = jnp.asarray(replica_keys(5, 0, 0, 4))


def problem(**changes) -> MeanField:
    return MeanField(**{"model": quadratic_model(3), "N": 4, "gamma": 0.02, "beta": 0.5} | changes)


def spectrum(d: int) -> np.ndarray:
    b = -np.log((np.arange(d) + 0.5) / d)
    return b / np.linalg.norm(b)


def features(W: np.ndarray, x: np.ndarray) -> np.ndarray:
    """F of units W (N, d) at inputs (points, d)."""
    return (x @ W.T) ** 2 - (W**2).sum(axis=1)


def test_a_step_of_sgd_by_hand():
    """w <- w - eps (f - y) (2 (w.x) x - 2 w), and what is observed before it, over Gauss-Hermite nodes."""
    kernel = Regimes("float64").bind(problem(), 4, 1.0)
    state = eqx.filter_jit(kernel.init)(Given(None), KEYS)
    (x, y), data = _drawn(kernel), problem().model.data
    np.testing.assert_allclose(y, (np.asarray(data.b)[:, None] * (x**2 - 1)).sum(axis=0), rtol=1e-12)
    after = eqx.filter_jit(kernel.advance)(state, jnp.asarray(1)).system.W
    seen, (nodes, weights) = eqx.filter_jit(kernel.observe)(state), _product_rule(3)
    for lane in range(4):
        W = np.stack([np.asarray(w)[:, lane] for w in state.system.W], axis=1)
        f = features(W, x[:, lane][None]).mean()
        step = (f - y[lane]) * (2 * (W @ x[:, lane])[:, None] * x[:, lane][None] - 2 * W)
        moved = np.stack([np.asarray(w)[:, lane] for w in after], axis=1)
        np.testing.assert_allclose(moved, W - problem().eps * step, rtol=1e-11)
        target = ((nodes**2 - 1) * np.asarray(data.b)).sum(axis=1)
        risk = weights @ (features(W, nodes).mean(axis=1) - target) ** 2 / 2
        assert float(seen["excess_risk"][lane]) == pytest.approx(risk, rel=1e-10)


def _drawn(kernel: eqx.Module) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (d, lanes) and labels of the first step."""
    key = fold(fold((KEYS[0], KEYS[1]), DRIVEN), jnp.asarray(0))
    x, y = kernel.system.model.data.draw(key, jnp.uint32(0), np.dtype(np.float64))
    return np.stack(x), np.asarray(y)


def _product_rule(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (points, d) and weights of N(0, I_d), exact for polynomials of degree 9 in each."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    grids = np.meshgrid(*[nodes] * d, indexing="ij")
    product = np.prod(np.meshgrid(*[weights / weights.sum()] * d, indexing="ij"), axis=0)
    return np.stack([grid.ravel() for grid in grids], axis=1), product.ravel()


def least_squares(matrices: np.ndarray, b: np.ndarray) -> float:
    """What is left of diag(b) beside the span of matrices (count, d, d)."""
    columns, target = matrices.reshape(len(matrices), -1).T, np.diag(b).ravel()
    found = np.linalg.lstsq(columns, target, rcond=None)[0]
    return float(((columns @ found - target) ** 2).sum())


def of_tangent(W: np.ndarray) -> np.ndarray:
    """w_k e_i^T + e_i w_k^T for all k and i."""
    N, d = W.shape
    one = W[:, None, :, None] * np.eye(d)[None, :, None, :]
    return (one + np.swapaxes(one, 2, 3)).reshape(N * d, d, d)


@pytest.mark.parametrize("N", [2, 4, 6])
def test_linear_models_are_least_squares(N):
    W, b = np.random.default_rng(N).normal(size=(3, N, 5)), spectrum(5)
    tangent, fitted = jax.jit(tangent_left)(jnp.asarray(W), b), jax.jit(features_left)(jnp.asarray(W), b)
    for lane in range(3):
        assert float(tangent[lane]) == pytest.approx(least_squares(of_tangent(W[lane]), b), abs=1e-12)
        outer = W[lane][:, :, None] * W[lane][:, None, :]
        assert float(fitted[lane]) == pytest.approx(least_squares(outer, b), rel=1e-9)


def test_least_risks_by_theory():
    """Neural tangent exactly in the mean; random features in the limit; the network of an exponential spectrum."""
    W, b = np.random.default_rng(0).normal(size=(4000, 2, 5)), spectrum(5)
    left = np.asarray(jax.jit(tangent_left)(jnp.asarray(W), b))
    assert abs(left.mean() - tangent_risk(b, 2)) < 5 * left.std() / 4000**0.5
    assert left.std() / 4000**0.5 < 0.01 * tangent_risk(b, 2)
    assert tangent_risk(b, 5) == tangent_risk(b, 7) == best_risk(b, 5) == 0
    wide = spectrum(200)
    many = np.random.default_rng(1).normal(size=(2, 100, 200))
    fitted = np.asarray(jax.jit(features_left)(jnp.asarray(many), wide))
    np.testing.assert_allclose(fitted, features_risk(wide, 100), rtol=0.01)
    for rho in (0.1, 0.5):
        tau = wide.sum() ** 2 / 200
        assert tangent_risk(wide, int(200 * rho)) == pytest.approx(
            (1 - tau) * (1 - rho) ** 2 + tau * (1 - rho), rel=0.01
        )
        limit = 1 - rho * (1 - np.log(rho) + np.log(rho) ** 2 / 2)
        assert best_risk(spectrum(20_000), int(20_000 * rho)) == pytest.approx(limit, rel=1e-3)


def test_the_flow_comes_to_the_best_network():
    found = RegimesLimit().bind(problem(N=2)).solve(Given(None), np.array([0.0, 60.0]))
    b = spectrum(3)
    assert found["excess_risk"][1] == pytest.approx(b[2] ** 2, rel=1e-4)
    np.testing.assert_allclose(found["network_risk"], b[2] ** 2, rtol=1e-12)
    np.testing.assert_allclose(found["m"][1], (b[:2] ** 2).sum(), rtol=1e-4)
    # At t = 0 E A = I/(4 d), and E |A|^2 = (1/16 d) (1 + (d + 1)/N).
    np.testing.assert_allclose(found["m"][0], [b.sum() / 12, (1 + 4 / 2) / 48], atol=0.04)


def test_sgd_follows_the_flow_from_a_start():
    """At t = 0.2 and eps = 0.0005; the risk is 0.49 at the start."""
    W = np.array([[0.9, -0.2, 0.2], [0.3, 0.7, 0.1], [-0.3, 0.4, 0.3], [0.2, 0.1, -0.2]])
    small = problem(gamma=0.001)
    kept = run(small, ExplicitStart(tuple(map(tuple, W.tolist()))), Regimes(), [0.2], 256).kept
    b = small.model.data.b
    m = follow(QuadraticFlow(b), (jnp.asarray(W)[None],), jnp.array([0.2]), QuadraticOrders(b), 0.05)
    limit = float(small.model.data.risk(small.model.loss, m[0]))
    mean, error = kept["excess_risk"].mean(), kept["excess_risk"].std(ddof=1) / 16
    assert abs(mean - limit) < 4 * error + 0.02 * limit
    assert error < 0.03 * limit
    assert limit == pytest.approx(0.144, abs=1e-3)


def test_what_is_refused():
    for part in (Regimes(), RegimesLimit()):
        with pytest.raises(ArgumentError, match="quadratic"):
            part.check(problem(model=tanh_model()))
    with pytest.raises(ArgumentError, match="unique fit"):
        Regimes().check(problem(N=6))
    with pytest.raises(ArgumentError, match="be 1"):
        RegimesLimit().check(problem(a=0.75))
    with pytest.raises(ArgumentError, match="start"):
        RegimesLimit().check_start(problem(), ExplicitStart(((0.0,) * 3,) * 4))
    assert RegimesLimit().exists(problem())
    assert not RegimesLimit().exists(problem(decay=0.1))
    data = GaussianQuadratic(3)
    with pytest.raises(ArgumentError, match="square_unit"):
        data.check(tanh_model().feature, tanh_model().loss)
