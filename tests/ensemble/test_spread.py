"""One function on every device, also where arrays have no number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.devices import tile_mesh
from sgdsim.ensemble.spread import EVERYWHERE, TILES, over_devices


@pytest.fixture
def mesh():
    return tile_mesh(jax.local_device_count())[0]


def test_what_is_spread_and_what_every_device_has(mesh):
    n = 2 * mesh.size

    def shard(tiles, common):
        assert tiles.shape == (2, 3)
        assert common.shape == (4,)
        return tiles * common.sum()

    tiles = jnp.arange(3.0 * n).reshape(n, 3)
    spread = jax.jit(over_devices(shard, mesh, (TILES, EVERYWHERE), gives=TILES))
    np.testing.assert_array_equal(spread(tiles, jnp.arange(4.0)), tiles * 6)


def test_arrays_of_no_number_are_made_on_the_device_and_given_back(mesh):
    n = 2 * mesh.size
    state = {"x": jnp.ones((n, 2)), "waiting": jnp.zeros((n, 0, 5), jnp.float32)}

    def shard(state, table):
        assert state["waiting"].shape == (2, 0, 5)
        assert table.shape == (0, 7)
        return {**state, "x": state["x"] + 1}

    spread = jax.jit(over_devices(shard, mesh, (TILES, EVERYWHERE), gives=TILES))
    after = spread(state, jnp.zeros((0, 7)))
    assert after["waiting"].shape == (n, 0, 5)
    assert after["waiting"].dtype == jnp.float32
    np.testing.assert_array_equal(after["x"], np.full((n, 2), 2.0))
    taken = spread.lower(state, jnp.zeros((0, 7))).as_text().partition("sdy.manual_computation(")[2].partition(")")[0]
    assert taken.count("%") == 1
