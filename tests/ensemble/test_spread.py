"""One function on every tile of every device, also where arrays have no number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.devices import tile_mesh
from sgdsim.ensemble.spread import on_every_tile


@pytest.fixture
def mesh():
    return tile_mesh(jax.local_device_count())[0]


def test_what_is_of_a_tile_and_what_all_have_in_common(mesh):
    n = 2 * mesh.size

    def of_tile(common, tile, other):
        assert tile.shape == (3,)
        assert other.shape == ()
        assert common.shape == (4,)
        return tile * common.sum() + other

    tiles, others = jnp.arange(3.0 * n).reshape(n, 3), jnp.arange(100.0, 100.0 + n)
    spread = jax.jit(on_every_tile(of_tile, mesh))
    found = spread(jnp.arange(4.0), jnp.full(mesh.size, 2), tiles, others)
    np.testing.assert_array_equal(found, tiles * 6 + others[:, None])


def test_tiles_beyond_the_count_of_their_device_are_left_out(mesh):
    """On CPU cores, which take one after another: there is room for three on each, and one is taken."""
    tiles = jnp.arange(1.0, 1.0 + 3 * mesh.size)
    found = jax.jit(on_every_tile(lambda common, tile: common * tile, mesh))(2.0, jnp.ones(mesh.size, int), tiles)
    expected = np.zeros((mesh.size, 3))
    expected[:, 0] = 2 * np.asarray(tiles)[::3]
    np.testing.assert_array_equal(np.asarray(found).reshape(mesh.size, 3), expected)


def test_arrays_of_no_number_are_made_on_the_device_and_given_back(mesh):
    n = 2 * mesh.size
    state = {"x": jnp.ones((n, 2)), "waiting": jnp.zeros((n, 0, 5), jnp.float32)}

    def of_tile(table, state):
        assert state["waiting"].shape == (0, 5)
        assert table.shape == (0, 7)
        return {**state, "x": state["x"] + 1}

    spread, counts = jax.jit(on_every_tile(of_tile, mesh)), jnp.full(mesh.size, 2)
    after = spread(jnp.zeros((0, 7)), counts, state)
    assert after["waiting"].shape == (n, 0, 5)
    assert after["waiting"].dtype == jnp.float32
    np.testing.assert_array_equal(after["x"], np.full((n, 2), 2.0))
    lowered = spread.lower(jnp.zeros((0, 7)), counts, state).as_text()
    taken = lowered.partition("sdy.manual_computation(")[2].partition(")")[0]
    assert taken.count("%") == 2  # the counts, and x
