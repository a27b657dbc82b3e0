"""The generator: known answers, the law of its normals, and keys that depend on nothing but what they should."""

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sgdsim.ensemble.random import (
    block_normals,
    column_normals,
    fold,
    lane_normals,
    normal_pair,
    replica_keys,
    threefry,
    words,
)

# Known answers of Threefry-2x32-20 from the Random123 distribution (kat_vectors).
KNOWN = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


normals = jax.jit(block_normals, static_argnums=(1, 2))


@pytest.mark.parametrize(("key", "counter", "answer"), KNOWN)
def test_known_answers(key, counter, answer):
    got = threefry(tuple(np.uint32([word]) for word in key), tuple(np.uint32([word]) for word in counter))
    assert tuple(int(word[0]) for word in got) == answer


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_agrees_with_the_generator_of_jax(key, counter):
    (k0, k1), (c0, c1) = words(np.uint64(key)), words(np.uint64(counter))
    expected = jax.extend.random.threefry_2x32(jnp.stack([k0, k1]), jnp.stack([c0, c1]))
    assert jnp.array_equal(jnp.stack(threefry((k0, k1), (c0, c1))), expected)


def test_normals_are_normal_and_independent():
    keys = replica_keys(seed=5, cell=0, first=0, count=256)
    z = np.asarray(normals((keys[0], keys[1]), 2100, jnp.float64)).reshape(256, 100, 21)
    flat = z.ravel()
    assert stats.kstest(flat, "norm").pvalue > 1e-4
    n = flat.size
    assert abs(np.mean(flat**4) - 3) < 5 * (96 / n) ** 0.5
    for left, right in ((z[:, :50], z[:, 50:]), (z[:, 1:], z[:, :-1]), (z[1:], z[:-1]), (z[..., 1:], z[..., :-1])):
        for power in (1, 2):
            correlation = np.corrcoef((left**power).ravel(), (right**power).ravel())[0, 1]
            assert abs(correlation) < 5 / left.size**0.5


def test_float32_transforms_the_same_bits():
    keys = replica_keys(seed=1, cell=2, first=3, count=64)
    single = normals((keys[0], keys[1]), 501, jnp.float32)
    double = normals((keys[0], keys[1]), 501, jnp.float64)
    assert single.dtype == jnp.float32
    assert float(jnp.max(jnp.abs(single - double))) < 1e-4
    assert float(jnp.sqrt(jnp.mean((single - double) ** 2))) < 1e-6


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_extreme_words_give_finite_normals(dtype):
    """The transform itself at the ends of both words, reached by inverting nothing: a key cannot choose its output."""
    keys = replica_keys(0, 0, 0, 4096)
    first, second = normal_pair((keys[0], keys[1]), (jnp.zeros(4096, jnp.uint32), jnp.ones(4096, jnp.uint32)), dtype)
    assert bool(jnp.all(jnp.isfinite(first) & jnp.isfinite(second)))
    assert float(jnp.max(jnp.abs(first))) < 6.8


def test_lanes_and_blocks_draw_from_the_key_of_the_replica():
    """A replica's numbers are the same in a tile of 8 that begins with it and in one of 64 that does not."""
    wide, narrow = replica_keys(7, 1, 0, 64), replica_keys(7, 1, 40, 8)
    assert jnp.array_equal(wide[:, 40:48], narrow)
    alone = jnp.stack(lane_normals((narrow[0], narrow[1]), jnp.uint32(9), 5, jnp.float32))
    among = jnp.stack(lane_normals((wide[0], wide[1]), jnp.uint32(9), 5, jnp.float32))
    assert jnp.array_equal(among[:, 40:48], alone)


def test_columns_are_of_pairs_in_turn():
    """Five normals are those of three counters, the second of each pair behind all the first."""
    key = tuple(jnp.asarray(replica_keys(7, 1, 0, 8)))
    columns = column_normals(key, 5, jnp.float64, first=2, second=jnp.uint32(9))
    pairs = [normal_pair(key, (jnp.uint32(pair), jnp.uint32(9)), jnp.float64) for pair in (2, 3, 4)]
    np.testing.assert_allclose(columns, [*(one for one, _ in pairs), *(other for _, other in pairs[:2])], rtol=1e-12)


def test_all_numbers_of_a_replica_are_different():
    """Those of a step, of another step, and of other replicas; of an odd number the last pair is halved."""
    keys = replica_keys(7, 1, 0, 8)
    steps = [lane_normals((keys[0], keys[1]), jnp.uint32(step), 5, jnp.float64) for step in (9, 10)]
    numbers = np.asarray(jnp.stack([jnp.stack(normals) for normals in steps]))
    assert numbers.shape == (2, 5, 8)
    assert len(np.unique(numbers)) == numbers.size


@given(st.integers(0, 2**63), st.integers(0, 10**6), st.integers(0, 2**40))
def test_keys_of_different_runs_differ(seed, cell, replica):
    def key(*numbers):
        return tuple(np.asarray(replica_keys(*numbers, 1)).ravel().tolist())

    here = key(seed, cell, replica)
    others = {key(seed + 1, cell, replica), key(seed, cell + 1, replica), key(seed, cell, replica + 1)}
    assert len({here} | others) == 4


def test_folding_separates_steps():
    keys = replica_keys(0, 0, 0, 4)
    folded = [jnp.stack(fold((keys[0], keys[1]), step)) for step in (0, 1, 2**32, 2**33 + 1)]
    assert len({tuple(np.asarray(part).ravel().tolist()) for part in folded}) == 4


def test_numbers_are_split_into_their_low_and_high_words():
    """Replicas, seeds and steps beyond 2^32 count on: none shares the words of a smaller one."""
    for number, low, high in ((5, 5, 0), (2**32, 0, 1), (3 * 2**32 + 7, 7, 3), (2**64 - 1, 2**32 - 1, 2**32 - 1)):
        assert [int(word) for word in words(np.uint64(number))] == [low, high]
    keys = replica_keys(seed=2**33 + 1, cell=2**34 + 2, first=2**32 - 1, count=2)
    cell_key = threefry(words(np.uint64(2**33 + 1)), words(np.uint64(2**34 + 2)))
    for column, replica in enumerate((2**32 - 1, 2**32)):
        expected = threefry(cell_key, words(np.uint64(replica)))
        assert keys[:, column].tolist() == [int(word) for word in expected]
