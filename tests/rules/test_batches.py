"""The chain by one gradient per step: the law of full weights at any batch, and what a step is made of."""

from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.random import fold, replica_keys
from sgdsim.rules import batches
from sgdsim.rules.bartlett import Bartlett
from sgdsim.rules.batches import RuleBatches
from sgdsim.rules.block_inputs import normals_of_shapes
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.linear_algebra import batched_root
from sgdsim.rules.momentum import Momentum
from sgdsim.rules.weights import RuleWeights
from sgdsim.rules.wrapped import Decay, Spherical, Wrapped
from tests.compiled import advance, begin, observe
from tests.rules.nets import START, agree, net

LANES, TILES = 2**11, 4


class Clipped(Wrapped):
    """|g_a| <= sqrt(d)/8."""

    @property
    def limits(self):
        return True

    def limit(self, squares, time):
        return squares.map(lambda square: jnp.minimum(1.0, 0.125 * jax.lax.rsqrt(jnp.maximum(square, 1e-12))))


RULES = {
    "net": net(0.1),
    "momentum": Clipped(Momentum(Decay(net(0.1), 0.03), 0.3)),
    "spherical": Spherical(net(0.1)),
}


@partial(jax.jit, static_argnums=1)
def normals(key, shapes):
    return normals_of_shapes(key, shapes, jnp.dtype("float64"), lambda x: x)


wishart_factors = jax.jit(lambda kernel, key: kernel._wishart_factors(key, lambda x: x))
root_of = jax.jit(batched_root)


def simulated(kernel, seed, steps=4, count=TILES):
    tiles = []
    for tile in range(count):
        keys = jnp.asarray(replica_keys(seed, 0, LANES * tile, LANES))
        seen = observe(kernel, advance(kernel, begin(kernel, START, keys), jnp.asarray(steps)))
        tiles.append({name: np.asarray(value).reshape(-1, LANES) for name, value in seen.items()})
    return {name: np.concatenate([tile[name] for tile in tiles], axis=1) for name in tiles[0]}


@cache
def of_weights(name, d, batch):
    return simulated(RuleWeights.of(RULES[name], d, batch, "float32", LANES, 1), 1)


# b = 3 d, b = d, and a batch of fewer samples than vectors; d = 6 leaves 1 degree of freedom to three kicks, 5 none.
CASES = [("net", 40, 2)]
CASES += [pytest.param("net", d, batch, marks=pytest.mark.slow) for d, batch in ((5, 9), (30, 90), (30, 30), (6, 24))]
CASES += [pytest.param(name, 30, 90, marks=pytest.mark.slow) for name in ("momentum", "spherical")]


@pytest.mark.parametrize(("name", "d", "batch"), CASES)
def test_large_batches_have_the_law_of_full_weights(name, d, batch):
    agree(of_weights(name, d, batch), simulated(RuleBatches.of(RULES[name], d, batch, "float32", LANES), 2))


@pytest.mark.slow
def test_it_sees_a_rate_that_is_two_percent_off():
    with pytest.raises(AssertionError):
        agree(of_weights("net", 30, 90), simulated(RuleBatches.of(net(0.102), 30, 90, "float32", LANES), 2))


def test_a_step_by_hand():
    """SGD with momentum and decay on explicit vectors, in coordinates where inputs are (Z_t, Z_s, K (K^T K)^+ L T)."""
    rule, d, b, lanes = Momentum(Decay(net(0.1), 0.03), 0.3), 30, 90, 3
    kernel = RuleBatches.of(rule, d, b, "float64", lanes)
    state = advance(kernel, begin(kernel, START, jnp.asarray(replica_keys(5, 0, 0, lanes))), jnp.asarray(3))
    after = advance(kernel, state, jnp.asarray(1))
    key = fold((state.keys[0], state.keys[1]), state.step)
    z_t, z_s, own = (np.asarray(z) for z in normals(fold(key, 1), ((1, b, 2), (1, b, 6), (b, 2))))
    T = np.asarray(wishart_factors(kernel, key))[:, 0]
    root = np.asarray(root_of(state.S[:, 0]))
    for lane in range(lanes):
        V = np.hstack([state.m[lane, 0], root[lane], np.zeros((6, 6))])
        fixed = np.hstack([state.teacher_root[lane, 0], np.zeros((2, 12))])
        seen = np.hstack([z_t[lane, 0], z_s[lane, 0]])
        fields, targets = seen @ V[:, :8].T, seen @ fixed[:, :8].T
        a, u_a = np.split(np.asarray(state.numbers[lane]), 2)
        sigma = np.tanh(fields[:, :3])
        error = targets @ [0.7, -0.4] * np.tanh(targets[:, 1]) + 0.3 * own[lane, :, 0] - (sigma * a).mean(1)
        kicks = 0.1 / b * error[:, None] * (1 - sigma**2) * a
        K = np.hstack([kicks, kicks])
        L = np.asarray(root_of(jnp.asarray(K.T @ K)[None]))[0]
        inputs = np.hstack([seen, K @ np.linalg.pinv(K.T @ K) @ L @ T[lane]])
        pull = kicks.T @ inputs
        w, u = V[:3], V[3:]
        new_u = 0.7 * u - 0.03 * w + pull
        new = np.vstack([w + new_u, new_u])
        new_u_a = 0.7 * u_a + 0.05 * (sigma * error[:, None] + 0.1 * own[lane, :, 1:]).mean(0)
        np.testing.assert_allclose(after.m[lane, 0], new[:, :2], rtol=0, atol=1e-12)
        np.testing.assert_allclose(after.S[lane, 0], new[:, 2:] @ new[:, 2:].T, rtol=0, atol=1e-12)
        np.testing.assert_allclose(after.numbers[lane], [*(a + new_u_a), *new_u_a], rtol=0, atol=1e-12)


def test_blocks_of_inputs_have_wishart_matrices_of_their_own():
    """Also where blocks are equally large: no two of them, and no two replicas, share a number."""
    kernel = RuleBatches.of(net(0.1), 40, 90, "float64", 3, InputBlocks([20, 20], [1.5, 0.5]))
    keys = jnp.asarray(replica_keys(5, 0, 0, 3))
    T = np.asarray(wishart_factors(kernel, (keys[0], keys[1])))
    entries = T[:, :, *np.tril_indices(T.shape[2])]
    assert len(np.unique(entries)) == entries.size


@pytest.mark.slow
def test_a_batch_in_chunks_has_the_same_law(monkeypatch):
    """Four chunks of 23, of which the last has two samples that do not count."""
    monkeypatch.setattr(batches, "CHUNK", 28)
    chunked = simulated(RuleBatches.of(net(0.1), 30, 90, "float64", LANES), 3)
    agree(of_weights("net", 30, 90), chunked)


@pytest.mark.parametrize(("rows", "nu"), [(4, 40), (4, 6), (4, 2), (3, 0)])
def test_bartletts_factor_has_the_moments_of_a_wishart_matrix(rows, nu):
    """E[W_ij] = nu delta_ij, Var[W_ij] = nu (1 + delta_ij); rank min(rows, nu)."""
    keys = replica_keys(3, 0, 0, 2**14)
    factor = Bartlett.of(rows, nu, "float64")
    shapes = ((rows,), ((rows + 1) // 2, rows))
    key = (jnp.asarray(keys[0]), jnp.asarray(keys[1]))
    T = np.asarray(jax.jit(Bartlett.factor)(factor, *normals(key, shapes), key))
    W = T @ T.swapaxes(1, 2)
    assert np.linalg.matrix_rank(W[0]) == min(rows, nu)
    mean, variance = nu * np.eye(rows), nu * (1 + np.eye(rows))
    assert np.all(np.abs(W.mean(0) - mean) <= 5 * np.sqrt(variance / len(W)))
    np.testing.assert_allclose(W.var(0), variance, rtol=0.1)


@pytest.mark.parametrize(("nu", "squares"), [((40, 33, 17, 1), 32), ((40, 17, 1), 24), ((40, 36), 0)])
def test_blocks_of_directions_have_a_factor_each(nu, squares):
    """Degrees of freedom on both sides of 32, and fewer than rows."""
    rows, lanes, blocks = 3, 2**16, len(nu)
    keys = replica_keys(3, 0, 0, lanes)
    factor = Bartlett.of(rows, nu, "float64")
    assert (factor.squares, factor.singular) == (squares, min(nu) < rows)
    key = (jnp.asarray(keys[0]), jnp.asarray(keys[1]))
    drawn = normals(key, ((blocks, rows), (blocks, (rows + 1) // 2, rows)))
    T = np.asarray(jax.jit(Bartlett.factor)(factor, *drawn, key))
    W = T @ T.swapaxes(2, 3)
    for block, degrees in enumerate(nu):
        mean, variance = degrees * np.eye(rows), degrees * (1 + np.eye(rows))
        assert np.all(np.abs(W[:, block].mean(0) - mean) <= 5 * np.sqrt(variance / lanes))
        np.testing.assert_allclose(W[:, block].var(0), variance, rtol=0.1)
    across = np.corrcoef(np.trace(W, axis1=2, axis2=3).T) - np.eye(blocks)
    assert np.abs(across).max() < 5 / np.sqrt(lanes)


def test_a_step_of_many_blocks_is_no_longer_program_than_one_of_few():
    def length(blocks):
        inputs = InputBlocks([10] * blocks, [1.0] * blocks)
        kernel = RuleBatches.of(RULES["momentum"], 10 * blocks, 1, "float32", 8, inputs)
        state = begin(kernel, START, jnp.asarray(replica_keys(1, 0, 0, 8)))
        return str(jax.make_jaxpr(RuleBatches._step)(kernel, state, jnp.asarray(1))).count(" = ")

    assert length(16) == length(2)


def test_no_steps_change_nothing():
    kernel = RuleBatches.of(RULES["momentum"], 30, 90, "float32", 8)
    state = begin(kernel, START, jnp.asarray(replica_keys(1, 0, 0, 8)))
    assert eqx.tree_equal(jax.jit(RuleBatches._step)(kernel, state, jnp.asarray(0)), state)
