"""Starts of their own: each replica's depends on its number, not on tiles, and is shared by no other."""

import numpy as np
import pytest

from sgdsim.committee import Chain, CombinationStart, Committee, ExactODE, GaussianStart, OverlapStart, SphereStart
from sgdsim.ensemble.replicas import Ensemble
from tests.helpers import run

PROBLEM = Committee.from_scaling(d=100, k=2, p0=2, noise=0.01)
TIMES = np.array([0.0, 0.04])
KINDS = [OverlapStart, SphereStart, GaussianStart, CombinationStart]


def ensemble(replicas, start, seed=3, cell=0):
    return Ensemble(PROBLEM, start, Chain(), None, TIMES, replicas, seed, cell)


def drawn(*arguments, tiles=None, **options):
    """M0 of every replica that there is room for in these tiles (default: all), (replicas, p, k)."""
    whole = ensemble(*arguments, **options)
    initials = whole.begin(range(whole.n_tiles) if tiles is None else tiles).initials
    return initials.M.reshape(-1, *initials.M.shape[2:])


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_replicas_tiles_cells_or_seeds_share_a_start(kind):
    """Two tiles of 32, in the same places of which an equal start would stand if it depended on the place alone."""
    start = kind(seed=1, per_replica=True)
    alternatives = [
        drawn(64, start),
        drawn(64, start, cell=1),
        drawn(64, start, seed=4),
        drawn(64, kind(seed=2, per_replica=True)),
    ]
    assert ensemble(64, start).n_tiles == 2
    every = np.concatenate(alternatives).reshape(4 * 64, -1)
    assert len(np.unique(every, axis=0)) == len(every)
    for component in every.T:
        parts = component.reshape(8, 32)  # tiles: the same numbers in another order would do no harm
        correlations = np.corrcoef(parts)[~np.eye(8, dtype=bool)]
        assert abs(correlations).max() < 5 / 32**0.5


def test_a_start_does_not_depend_on_where_tiles_end():
    start = SphereStart(per_replica=True)
    assert (ensemble(100, start).lanes, ensemble(400, start).lanes) == (64, 256)
    many = drawn(400, start)
    np.testing.assert_array_equal(drawn(100, start)[:100], many[:100])
    np.testing.assert_array_equal(drawn(400, start, tiles=range(1, 2)), many[256:])


@pytest.mark.slow
def test_more_replicas_keep_the_old_ones_with_starts_of_their_own():
    """The chain too: both draw by the number of the replica; a tile of another width may round otherwise."""
    start = SphereStart(per_replica=True)
    few, many = (run(PROBLEM, start, Chain(), TIMES, replicas, 3, ExactODE()) for replicas in (100, 400))
    assert (few.count.tolist(), many.count.tolist()) == ([64, 36], [256, 144])
    np.testing.assert_allclose(many.sup_deviation[:100], few.sup_deviation, rtol=1e-4)
    np.testing.assert_allclose(many.mean["M"][1, 0], drawn(400, start)[256:400].mean(axis=0), atol=1e-14)


def test_the_seed_of_a_start_leaves_the_noise_as_it_is():
    """Another start for the same noise: the keys of SGD are those of the replicas alone."""
    keys = [ensemble(64, SphereStart(seed=seed, per_replica=True)).begin(range(2)).keys for seed in (1, 2)]
    np.testing.assert_array_equal(*keys)
