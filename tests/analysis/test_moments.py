"""Moments merged from tiles against one-shot NumPy."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from sgdsim.analysis.moments import Moments, merge
from sgdsim.ensemble.tiles import Tiles

TIMES, ROWS = 3, 2


def make_tiles(sizes, seed=0, offset=1.0, scale=1.0, diverged=None):
    """Tiles of normal replicas, and all replicas stacked: (replicas, times) of R and (replicas, times, rows) of Q."""
    rng = np.random.default_rng(seed)
    risk = [offset + scale * rng.normal(size=(n, TIMES)) for n in sizes]
    gram = [offset + scale * rng.normal(size=(n, TIMES, ROWS)) for n in sizes]

    def tile_mean(part):
        return part.mean(0) if len(part) else np.full(part.shape[1:], np.nan)

    def tile_m2(part):
        return ((part - part.mean(0)) ** 2).sum(0) if len(part) else np.full(part.shape[1:], np.nan)

    tiles = Tiles(
        count=np.array(sizes),
        diverged=np.zeros(len(sizes), int) if diverged is None else np.array(diverged),
        mean={"R": np.stack([tile_mean(x) for x in risk]), "Q": np.stack([tile_mean(x) for x in gram])},
        m2={"R": np.stack([tile_m2(x) for x in risk]), "Q": np.stack([tile_m2(x) for x in gram])},
        theory={"R": np.full((len(sizes), TIMES), 0.3)},
        sup_deviation=np.concatenate([x[:, 0] for x in risk]),
        final_deviation=np.concatenate([x[:, 0] for x in risk]),
    )
    return tiles, {"R": np.concatenate(risk), "Q": np.concatenate(gram)}


@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(lambda sizes: sum(sizes) > 1),
    seed=st.integers(0, 2**32 - 1),
    offset=st.floats(-10, 10),
    scale=st.floats(1e-3, 1e3),
)
def test_merge_equals_one_shot(sizes, seed, offset, scale):
    tiles, replicas = make_tiles(sizes, seed, offset, scale)
    moments = merge(tiles)
    assert moments.count == sum(sizes)
    for name, values in replicas.items():
        size = np.abs(values).max()
        np.testing.assert_allclose(moments.mean[name], values.mean(0), rtol=0, atol=1e-12 * size)
        np.testing.assert_allclose(moments.std[name], values.std(0, ddof=1), rtol=1e-12, atol=1e-12 * size)
        np.testing.assert_array_equal(moments.sem[name], moments.std[name] / np.sqrt(sum(sizes)))


def test_a_large_offset_does_not_cancel():
    tiles, replicas = make_tiles([256] * 20, offset=1e8)
    np.testing.assert_allclose(merge(tiles).std["R"], replicas["R"].std(0, ddof=1), rtol=1e-7)


@pytest.mark.parametrize("cuts", [[1], [3, 4], [1, 2, 3, 4, 5]])
def test_merge_is_bitwise_independent_of_the_grouping_into_blocks(cuts):
    tiles, _ = make_tiles([16, 16, 0, 15, 16, 9])
    flat = tiles.to_arrays()
    # Both deviations are per replica, so they are cut at the tiles' first replicas.
    starts = np.concatenate([[0], np.cumsum(tiles.count)])
    edges = [0, *cuts, 6]
    blocks = [
        Tiles.from_arrays(
            {
                name: value[starts[a] : starts[b]] if name.endswith("deviation") else value[a:b]
                for name, value in flat.items()
            }
        )
        for a, b in itertools.pairwise(edges)
    ]
    whole, regrouped = merge(tiles), merge(Tiles.concatenate(blocks))
    for part in ("mean", "std", "sem", "theory"):
        for name, value in getattr(whole, part).items():
            assert value.tobytes() == getattr(regrouped, part)[name].tobytes()


def test_a_shared_theory_curve_comes_back_unchanged():
    tiles, _ = make_tiles([7, 11, 13])
    np.testing.assert_array_equal(merge(tiles).theory["R"], np.full(TIMES, 0.3))


def test_the_theory_is_weighted_by_count():
    tiles, _ = make_tiles([1, 3])
    tiles.theory["R"][:] = [[0.0] * TIMES, [1.0] * TIMES]
    np.testing.assert_allclose(merge(tiles).theory["R"], 0.75, rtol=1e-15)


def test_too_few_replicas_give_nan():
    one = merge(make_tiles([0, 1])[0])
    assert one.count == 1
    assert np.isfinite(one.mean["Q"]).all()
    assert np.isnan(one.std["Q"]).all()
    assert np.isnan(one.sem["Q"]).all()
    none = merge(make_tiles([0, 0], diverged=[2, 3])[0])
    assert isinstance(none, Moments)
    assert (none.count, none.diverged) == (0, 5)
    assert np.isnan(none.mean["R"]).all()
    assert np.isnan(none.theory["R"]).all()
