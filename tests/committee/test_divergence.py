"""Replicas that overflow, in every form of the simulation: counted, in no average, harmless to the others."""

import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee import Chain, Committee, OverlapStart, Weights
from sgdsim.committee.chain_blocks import chain_blocks
from sgdsim.ensemble.random import replica_keys
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.statistics import LARGEST
from sgdsim.rules.blocks import RuleBlocks
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.weights import RuleWeights
from tests.compiled import advance, begin, observe

START, REPLICAS = OverlapStart(0.5, 1), 256


class BlockedChain(Chain):
    """The chain by matrix products, in short blocks, which compile fast; p = 9 takes its root by halves."""

    def bind(self, problem, replicas, final):
        return chain_blocks(problem, jnp.dtype(self.precision), 16, 4)


def steep(rate, p=2, d=50):
    """An update so large that its square, of order rate^2/d, is near the end of float32."""
    return Committee(d=d, k=2, p=p, gamma=rate * p, noise=0.01)


def ensemble(problem, simulator):
    return Ensemble(problem, START, simulator, None, np.arange(1, 5) * problem.dt, REPLICAS, 0)


@pytest.mark.parametrize(
    ("simulator", "form", "p", "rate"),
    [
        (Chain(), RuleLanes, 2, 5e20),
        pytest.param(BlockedChain(), RuleBlocks, 9, 5e20, marks=pytest.mark.slow),
        pytest.param(Weights(block=4), RuleWeights, 2, 6e38, marks=pytest.mark.slow),
    ],
)
def test_some_replicas_overflow(simulator, form, p, rate):
    """The tile's averages are those of the lanes that stayed finite, each followed on its own."""
    whole = ensemble(steep(rate, p), simulator)
    assert isinstance(whole.kernel, form)
    tiles = whole.run()
    assert tiles.count.sum() + tiles.diverged.sum() == REPLICAS
    assert min(tiles.count.sum(), tiles.diverged.sum()) > 20

    paths = {"M": [], "Q": [], "excess_risk": []}
    state = begin(
        whole.kernel, START.draw(whole.problem, np.random.default_rng(0), 1), replica_keys(0, 0, 0, whole.lanes)
    )
    for _ in range(4):
        state = advance(whole.kernel, state, jnp.asarray(1))
        for name, value in observe(whole.kernel, state).items():
            paths[name].append(np.asarray(value))
    flat = np.concatenate([np.reshape(path, (-1, whole.lanes)) for path in paths.values()])
    kept = np.isfinite(flat).all(axis=0)
    assert (tiles.count[0], tiles.diverged[0]) == (kept.sum(), (~kept).sum())
    for name, path in paths.items():
        alive = np.stack(path)[..., kept]
        np.testing.assert_allclose(tiles.mean[name][0], alive.mean(axis=-1), rtol=1e-5)
        np.testing.assert_allclose(tiles.m2[name][0], alive.var(axis=-1) * kept.sum(), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize(
    ("simulator", "p"), [(Chain(), 2), pytest.param(BlockedChain(), 9, marks=pytest.mark.slow), (Weights(block=4), 2)]
)
def test_all_replicas_overflow(simulator, p):
    tiles = ensemble(steep(1e60, p), simulator).run()
    assert (tiles.count.sum(), tiles.diverged.sum()) == (0, REPLICAS)
    for part in (tiles.mean, tiles.m2):
        assert all((value == 0).all() for value in part.values())


@pytest.mark.parametrize(("rate", "diverged"), [(5e20, 0), (1e60, REPLICAS)])
def test_what_float64_can_hold_but_not_square_has_diverged(rate, diverged):
    tiles = ensemble(steep(rate), Chain("float64")).run()
    assert tiles.diverged.sum() == diverged
    assert abs(tiles.mean["Q"]).max() < LARGEST
    assert np.isfinite(tiles.m2["Q"]).all()
