"""The fused form in interpret mode: against the form of XLA, padding, tiles of their own constants, sums of steps.

The loop is a small one of our own, in which every number matters.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble import mosaic_form
from sgdsim.ensemble.lane_loop import LaneArrays, LaneLoop, xla_form
from sgdsim.ensemble.mosaic_form import MosaicForm
from sgdsim.ensemble.random import lane_normals, replica_keys

COUNTS = (25, 7)
"""Steps to make, three segments and a part; and length of a segment."""
SHARED = (0, 0, None, 0, 0, None, None)
"""Axes of tiles of one cell: what follows `fixed`, and the counts, they have in common."""


def step(whole, fixed, constants, change, key, index, pin):
    """A pair of numbers that drive one another, with noise: dx = a (y - f) + b z, dy = a g x y."""
    (x, y), (f, g), (a, b) = [w + c for w, c in zip(whole, change, strict=True)], fixed, constants
    (z,) = pin(lane_normals(key, index, 1, np.float32, pin))
    return [change[0] + (a * (y - f) + b * z), change[1] + a * g * (x * y)]


LOOP = LaneLoop(whole=2, fixed=2, constants=2, dtype=jnp.dtype(np.float32), step=step)


def of(form):
    """A form as a function of the parts of a tile and counts."""

    def advance(*arguments):
        *parts, n_steps, segment = map(jnp.asarray, arguments)
        return form(LOOP, LaneArrays(*parts), n_steps, segment)

    return advance


fused = of(MosaicForm(interpret=True))
alone, by_xla = jax.jit(fused), jax.jit(of(xla_form))


def tile(lanes, number=0, step=0):
    """The parts of a tile unlike any other."""
    rng = np.random.default_rng(number)
    whole, fixed = rng.normal(1, 0.3, (2, lanes)), rng.normal(0.5, 0.2, (2, lanes)).astype(np.float32)
    constants = np.array([0.02 / (1 + number), 0.03 * (1 + number)], np.float32)
    return whole, fixed, constants, replica_keys(5, number, 0, lanes), np.int64(step)


def stacked(tiles):
    return [np.stack(parts) for parts in zip(*tiles, strict=True)]


@pytest.mark.parametrize("begin", [0, 2**32 - 9])  # the second crosses from one word of the count to the other
def test_the_form_is_that_of_xla_to_rounding(begin):
    parts = tile(128, step=begin)
    expected = by_xla(*parts, *COUNTS)
    moved = np.abs(expected - parts[0])
    assert moved.min(axis=1).max() > 0
    assert np.abs(alone(*parts, *COUNTS) - expected).max() < 1e-6 * moved.max()


def test_filled_up_lanes_change_nothing():
    whole, fixed, constants, keys, step = parts = tile(128)
    narrow = alone(whole[:, :16], fixed[:, :16], constants, keys[:, :16], step, *COUNTS)
    np.testing.assert_array_equal(narrow, alone(*parts, *COUNTS)[:, :16])


def test_tiles_of_their_own_constants_segments_and_counts_are_each_alone():
    tiles = [(*tile(160, number, step=10 * number), *counts) for number, counts in enumerate([COUNTS, (0, 5), (9, 4)])]
    result = jax.jit(jax.vmap(fused))(*stacked(tiles))
    for here, parts in zip(result, tiles, strict=True):
        np.testing.assert_array_equal(here, alone(*parts))
    np.testing.assert_array_equal(result[1], tiles[1][0])


def test_tiles_of_one_cell_share_blocks():
    tiles = [tile(48, number, step=number) for number in range(3)]
    whole, fixed, _, keys, step = stacked(tiles)
    arguments = whole, fixed, tiles[1][2], keys, step, *COUNTS
    form = jax.vmap(fused, SHARED)
    for here, (whole, fixed, _, keys, step) in zip(jax.jit(form)(*arguments), tiles, strict=True):
        np.testing.assert_array_equal(here, alone(whole, fixed, tiles[1][2], keys, step, *COUNTS))
    # 144 lanes make two blocks, where each tile of its own would make three.
    assert "grid=(2,)" in str(jax.make_jaxpr(form)(*arguments))


def test_cells_of_many_tiles_keep_their_own_constants():
    cells = [[tile(48, number, step=number) for number in pair] for pair in ((0, 1), (2, 3))]
    counts = [COUNTS, (9, 4)]
    whole, fixed, constants, keys, step = stacked([stacked(tiles) for tiles in cells])
    form = jax.jit(jax.vmap(jax.vmap(fused, SHARED)))
    result = form(whole, fixed, constants[:, 1], keys, step, *np.transpose(counts))
    for row, tiles, count in zip(result, cells, counts, strict=True):
        for here, (whole, fixed, _, keys, step) in zip(row, tiles, strict=True):
            np.testing.assert_array_equal(here, alone(whole, fixed, tiles[1][2], keys, step, *count))


def test_steps_add_up_where_a_segment_ends():
    whole, *others, _ = tile(128)
    n_steps, segment = COUNTS
    first = alone(whole, *others, 0, 2 * segment, segment)
    rest = alone(first, *others, 2 * segment, n_steps - 2 * segment, segment)
    np.testing.assert_array_equal(rest, alone(whole, *others, 0, *COUNTS))


def test_what_registers_have_no_room_for_is_read_at_every_step(monkeypatch):
    parts = tile(128)
    expected = alone(*parts, *COUNTS)
    monkeypatch.setattr(mosaic_form, "ROOM", 5)  # one number of the state, beside the increments and the constants
    assert mosaic_form._held(LOOP) == (1, 0)
    result = jax.jit(lambda *arguments: fused(*arguments))(*parts, *COUNTS)
    np.testing.assert_array_equal(result, expected)
