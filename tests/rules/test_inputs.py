"""Inputs with blocks of variances: the chain has the law of full weights, and its means are those of the ODE."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.rules.batches import RuleBatches
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.mean_step import MeanStep
from sgdsim.rules.momentum import Momentum
from sgdsim.rules.structured_step import StructuredStep
from sgdsim.rules.weights import RuleWeights
from sgdsim.rules.wrapped import Decay, Spherical
from tests.compiled import begin, ends
from tests.rules.nets import START, agree, net
from tests.rules.test_batches import LANES, Clipped, simulated

BLOCKS = InputBlocks((20, 40), (2.0, 0.5))
RULES = {
    "net": net(0.02),
    "momentum": Clipped(Momentum(Decay(net(0.02), 0.03), 0.3)),
    "spherical": Spherical(net(0.02)),
}


@pytest.mark.parametrize(
    ("name", "batch"),
    [("net", 1), ("spherical", 1), ("net", 120), ("momentum", 3)],
)
@pytest.mark.slow
def test_chain_and_full_weights_have_one_law(name, batch):
    rule = RULES[name]
    weights = simulated(RuleWeights.of(rule, 60, batch, "float32", LANES, 1, inputs=BLOCKS), 1, 8)
    agree(weights, simulated(RuleBatches.of(rule, 60, batch, "float32", LANES, BLOCKS), 2, 8))


@pytest.mark.parametrize(
    "wrong",
    [
        InputBlocks((20, 40), (2.04, 0.51)),
        pytest.param(InputBlocks((40, 20), (2.0, 0.5)), marks=pytest.mark.slow),
    ],
)
def test_it_sees_other_blocks(wrong):
    weights = simulated(RuleWeights.of(RULES["net"], 60, 1, "float32", LANES, 1, inputs=BLOCKS), 1, 8)
    with pytest.raises(AssertionError):
        agree(weights, simulated(RuleBatches.of(RULES["net"], 60, 1, "float32", LANES, wrong), 2, 8))


def test_a_power_law_has_the_trace_and_the_order_of_its_eigenvalues():
    blocks = InputBlocks.power_law(100, 0.8, 7)
    eigenvalues = np.arange(1, 101) ** -0.8
    assert (blocks.d, len(blocks.sizes)) == (100, 7)
    assert np.dot(blocks.sizes, blocks.variances) == pytest.approx(100, rel=1e-14)
    assert blocks.variances[0] / blocks.variances[-1] == pytest.approx(
        eigenvalues[: blocks.sizes[0]].mean() / eigenvalues[-blocks.sizes[-1] :].mean(), rel=1e-14
    )


def test_a_covariance_is_seen_by_its_eigenvalues():
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    blocks = InputBlocks.of_covariance(rotation * [3.0, 3.0, 3.0, 1.0, 1.0, 1.0] @ rotation.T, 2)
    np.testing.assert_allclose(blocks.variances, [3.0, 1.0], rtol=1e-12)
    assert blocks.sizes == (3, 3)


@pytest.mark.parametrize(
    ("argument", "made"),
    [
        ("sizes", lambda: InputBlocks((3, 0), (1.0, 1.0))),
        ("variances", lambda: InputBlocks((3,), (1.0, 1.0))),
        ("variances", lambda: InputBlocks((3,), (0.0,))),
        ("blocks", lambda: InputBlocks.power_law(10, 1.0, 11)),
        ("covariance", lambda: InputBlocks.of_covariance(np.array([[1.0, 0.2], [0.1, 1.0]]), 1)),
    ],
)
def test_what_is_refused(argument, made):
    with pytest.raises(ArgumentError, match=f"Argument `{argument}` must"):
        made()


def test_one_step_has_the_mean_of_the_ode():
    """At d = 6000, where what the ODE leaves out is below the error bars; a trained network without closed forms."""
    rule, inputs = Decay(net(4e-4), 0.03), InputBlocks((2000, 4000), (2.0, 0.5))
    kernel = RuleBatches.of(rule, 6000, 3, "float64", 2**13, inputs)
    begun, after = ends(kernel, begin(kernel, START, jnp.asarray(replica_keys(4, 0, 0, 2**13))), jnp.asarray(1))
    curve = StructuredStep(MeanStep.of(rule, 6000, 1.0, 3, 1e-8, 1e-10, 14), inputs)
    P, point = curve.begin(jax.tree.map(lambda part: part[0], START))
    step = jax.jit(StructuredStep.step)(curve, P, point)
    expected = {name: np.einsum("Lij,L->ij", getattr(step, name), inputs.variances).ravel() for name in ("M", "Q")}
    expected["a"] = np.asarray(step.numbers)
    for key, value in expected.items():
        moved = np.asarray(after[key] - begun[key]).reshape(-1, 2**13)
        assert np.abs((moved.mean(1) - value) / (moved.std(1) / 2**6.5)).max() < 4.5, key


def test_one_block_has_the_ode_of_no_structure():
    """Also where the variance is another: s = 4 is a network whose weights are twice as long."""
    rule = Decay(net(4e-4), 0.03)
    mean = MeanStep.of(rule, 6000, 1.0, 2, 1e-8, 1e-10, 10)
    start = jax.tree.map(lambda part: part[0], START)
    P, point = mean.begin(start)
    plain = jax.jit(MeanStep.step)(mean, P, point)
    for sizes, variances in (((6000,), (1.0,)), ((1000, 5000), (1.0, 1.0))):
        curve = StructuredStep(mean, InputBlocks(sizes, variances))
        step = jax.jit(StructuredStep.step)(curve, *curve.begin(start))
        np.testing.assert_allclose(step.M.sum(0), plain.M, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(step.Q.sum(0), plain.Q, rtol=2e-3, atol=1e-9)
