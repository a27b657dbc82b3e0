"""Other activations in the simulators: one step against the ODE, and the simulators against one another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee import Chain, Committee, Custom, Linear, OverlapStart, Quadratic, Relu, Weights
from sgdsim.committee.chain_blocks import chain_blocks
from sgdsim.committee.risk import excess_risk
from sgdsim.committee.theory.ode import ExactODE
from tests.committee.test_one_step import one_step_scores
from tests.helpers import run, worst, z_between, z_from_theory, z_of_variances

TANH = Custom(jnp.tanh)
BATCH = 512
"""Replicas at once in all tests of k = 2, p = 3 and two save times, so that they share compiled programs."""


class BlockedChain(Chain):
    """The chain by matrix products also where the unrolled form would be chosen; short blocks compile fast."""

    def bind(self, problem, replicas, final):
        return chain_blocks(problem, jnp.dtype(self.precision), 32, 4)


@pytest.mark.slow
@pytest.mark.parametrize("activation", [Relu(), Linear(), Quadratic(), TANH], ids=lambda sigma: sigma.name)
def test_mean_of_one_step_is_the_velocity_of_the_ode(activation):
    problem = Committee.from_scaling(d=10**6, k=2, p0=2, gamma0=4, noise=0.1, activation=activation)
    scores, wrong = one_step_scores(problem, Chain(), 2**17, wrong=1.2)
    assert np.abs(scores).max() < 5
    assert np.abs(wrong).max() > 5


@pytest.mark.slow
@pytest.mark.parametrize("activation", [Relu()], ids=lambda sigma: sigma.name)
def test_chain_and_full_weights_have_the_same_law(activation):
    problem = Committee.from_scaling(d=60, k=2, p0=3, noise=0.1, activation=activation)
    start, times = OverlapStart(0.5, 1), [0.25, 1.0]
    lanes = run(problem, start, Chain(), times, 2**13, seed=1, batch=BATCH)
    weights = run(problem, start, Weights(block=4), times, 2**13, seed=2, batch=BATCH)
    blocks = run(problem, start, BlockedChain(), times, 2**12, seed=3, batch=BATCH)
    for other in (lanes, blocks):
        assert worst(z_between(other, weights)) < 5
        assert worst(z_of_variances(other, weights)) < 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("simulator", "activation"),
    [
        (Chain(), Relu()),
        (BlockedChain(), Relu()),
        (Weights(block=4), Relu()),
        (Chain(), Quadratic()),
        (Weights(block=4), TANH),
    ],
    ids=["lanes-relu", "blocks-relu", "weights-relu", "lanes-quadratic", "weights-tanh"],
)
def test_the_observed_risk_is_that_of_the_activation(simulator, activation):
    """Before anything moves: all replicas have the risk of the start, which is not that of erf."""
    problem = Committee(d=100, p=3, k=2, gamma=1e-12, noise=0.0, activation=activation)
    start = OverlapStart(0.5, 1)
    tiles = run(problem, start, simulator, [problem.dt, 2 * problem.dt], BATCH)
    initial = start.draw(problem, np.random.default_rng(0), 1)
    P, M, Q = (jnp.asarray(part[0]) for part in (initial.P, initial.M, initial.Q))
    expected = float(jax.jit(excess_risk)(P, M, Q, activation))
    np.testing.assert_allclose(tiles.mean["excess_risk"], expected, rtol=1e-5)
    samples = np.random.default_rng(1).normal(size=(200_000, 5)) @ np.linalg.cholesky(np.block([[P, M.T], [M, Q]])).T
    outputs = np.asarray(activation.value(jnp.asarray(samples)))
    losses = (outputs[:, :2].mean(axis=1) - outputs[:, 2:].mean(axis=1)) ** 2 / 2
    assert abs(losses.mean() - expected) < 5 * losses.std() / len(losses) ** 0.5


@pytest.mark.slow
def test_relu_stays_near_its_ode():
    """d = 10^5: the mean over replicas, within its error bar and the 0.3 % of the average of four fields."""
    problem = Committee.from_scaling(d=10**5, k=2, p0=2, gamma0=1, noise=0.1, activation=Relu())
    tiles = run(problem, OverlapStart(0.5, 1), Chain(), [0.1, 0.2], 128, 0, ExactODE())
    assert np.abs(z_from_theory(tiles, "M")).max() < 5
    assert np.abs(z_from_theory(tiles, "Q")).max() < 5
