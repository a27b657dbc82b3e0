"""Inputs of clusters: every form of the chain has the law of full vectors, and these are SGD as one writes it."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from sgdsim.ensemble.inputs import more_normals
from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.rules.batches import RuleBatches
from sgdsim.rules.blocks import RuleBlocks
from sgdsim.rules.clusters import Clusters
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.momentum import Momentum
from sgdsim.rules.rule import in_arrays
from sgdsim.rules.weights import RuleWeights
from sgdsim.rules.wrapped import Decay, Reused, Spherical
from tests.compiled import advance, begin, inputs_of_one
from tests.rules.nets import MEANS, OUTPUTS, START, VARIANCES, WEIGHTS, agree, cluster_net
from tests.rules.test_batches import LANES, Clipped, simulated

RATE = 0.1
D, STEPS, TILES = 30, 8, 16


def around(name, net):
    """An update of that name around the network."""
    return {
        "plain": lambda: net,
        "momentum": lambda: Clipped(Momentum(Decay(net, 0.03), 0.3)),
        "spherical": lambda: Spherical(net),
        "reused": lambda: Reused(net, 2),
    }[name]()


def chain(form, rule, batch):
    """A form of the chain."""
    if form == "lanes":
        return RuleLanes.of(rule, D, 1.0, "float32", LANES)
    if form == "blocks":
        return RuleBlocks.of(rule, D, batch, "float32", LANES, 12 // batch)
    return RuleBatches.of(rule, D, batch, "float32", LANES)


@cache
def of_weights(name, batch):
    return simulated(RuleWeights.of(around(name, cluster_net(RATE)), D, batch, "float32", LANES, 2), 1, STEPS, TILES)


CASES = [
    ("lanes", "plain", 1),
    ("blocks", "plain", 3),
    ("batches", "plain", 40),
    ("batches", "plain", 3),
    ("lanes", "momentum", 1),
    ("batches", "momentum", 3),
    ("blocks", "spherical", 3),
    ("lanes", "reused", 1),
    ("blocks", "reused", 3),
]


@pytest.mark.slow
@pytest.mark.parametrize(("form", "name", "batch"), CASES)
def test_chain_and_full_weights_have_one_law(form, name, batch):
    agree(of_weights(name, batch), simulated(chain(form, around(name, cluster_net(RATE)), batch), 2, STEPS, TILES))


OFF = {
    "means": {"means": 1.02 * MEANS},
    "a mean": {"means": MEANS + np.array([[0.0, 0.0], [0.0, 0.04], [0.0, 0.0]])},
    "variances": {"variances": 1.02 * np.array(VARIANCES)},
    "weights": {"weights": (0.49, 0.21, 0.3)},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OFF)
def test_it_sees_other_clusters(name):
    """2 % of every mean, of every variance, of a weight, and 5 % of one mean."""
    with pytest.raises(AssertionError):
        agree(of_weights("plain", 40), simulated(chain("batches", cluster_net(RATE, **OFF[name]), 40), 2, STEPS, TILES))


def test_steps_by_hand():
    """Full weights, float64: with the normals that the kernel draws, in plain NumPy."""
    batch, d = 2, 12
    kernel = RuleWeights.of(cluster_net(RATE), d, batch, "float64", 1, STEPS)
    keys = jnp.asarray(replica_keys(3, 0, 0, 1))
    state = begin(kernel, START, keys)
    key, Z, zeta = inputs_of_one(state, STEPS, STEPS * batch)
    own = np.asarray(more_normals(key, zeta, d, 3))[0]

    W, T, a, t = np.array(state.W[0]), np.asarray(state.teacher[0]), OUTPUTS.copy(), np.array([0.7, -0.4])
    cluster = np.searchsorted(np.cumsum(WEIGHTS), norm.cdf(own[:, -1]))
    assert len(set(cluster)) == 3
    X = MEANS[cluster] @ T / d**0.5 + np.sqrt(VARIANCES)[cluster][:, None] * np.asarray(Z)
    path = [(W, a)]
    for step in range(STEPS):
        here = slice(step * batch, (step + 1) * batch)
        x, c = X[here], cluster[here]
        fixed, sigma = T @ x.T / d**0.5, np.tanh(W @ x.T / d**0.5)
        alone = (t @ fixed) * np.tanh(fixed[1]) + 0.3 * own[here, 0] - a @ sigma / 3
        error = alone + np.array([1.0, 0.0, -0.5])[c]
        W = W + RATE * d**0.5 * ((1 - sigma**2) * a[:, None] * error) @ x / batch
        a = a + 0.5 * RATE * (sigma * alone + 0.1 * own[here, 1]).mean(1)
        path.append((W, a))
    for steps in (STEPS - 3, STEPS):
        after = advance(kernel, state, jnp.asarray(steps))
        np.testing.assert_allclose(after.W[0], path[steps][0], atol=1e-12)
        np.testing.assert_allclose(after.numbers[0], path[steps][1], atol=1e-12)


def test_a_mean_has_the_fields_of_its_vectors_in_any_frame():
    """Fields are A_c P plus sqrt(s_c) times those of the normals, whatever root L of P = L L^T the frame has."""
    mixture = cluster_net().mixture
    clusters = in_arrays(mixture, jnp.float64)
    rng = np.random.default_rng(0)
    z_t, z_s = rng.normal(size=(1, 3, 2)), rng.normal(size=(1, 3, 3))
    own = np.zeros((1, 3, 3))
    own[0, :, -1] = mixture.inside
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    for root in (np.linalg.cholesky(START.P), np.linalg.cholesky(START.P) @ turn):
        placed = [np.asarray(part) for part in clusters.placed(*map(jnp.asarray, (own, root, z_t, z_s)))]
        scales = np.sqrt(VARIANCES)[None, :, None]
        fields = MEANS @ START.P[0] + scales * (z_t @ root[0].T)
        np.testing.assert_allclose(placed[0] @ root[0].T, fields, rtol=1e-12)
        np.testing.assert_allclose(placed[1], scales * z_s, rtol=1e-12)
        np.testing.assert_allclose(placed[2], scales, rtol=1e-12)


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("means", (np.array([[np.inf, 0.0]]), [1.0], [1.0])),
        ("variances", (MEANS, [1.0, 1.0], WEIGHTS)),
        ("variances", (MEANS, [1.0, 0.0, 1.0], WEIGHTS)),
        ("weights", (MEANS, VARIANCES, [0.5, 0.5])),
        ("weights", (MEANS, VARIANCES, [0.5, 0.5, 0.1])),
        ("weights", (MEANS, VARIANCES, [1.5, -0.5, 0.0])),
    ],
)
def test_what_is_refused(argument, given):
    with pytest.raises(ArgumentError, match=f"Argument `{argument}` must"):
        Clusters.of(*given)
