"""Where tiles run, and what is stacked for them: every tile has its place, and every cell its own numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.ensemble.layout import Layout
from sgdsim.ensemble.stack import LARGEST_OWN, Stack, form_of, own_bytes
from sgdsim.errors import ArgumentError


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(1, 9))
def test_every_tile_has_one_place_and_no_device_has_far_more_work_than_another(work, devices):
    layout = Layout.by_work(work, devices)
    assert sorted(tile for share in layout.shares for tile in share) == list(range(len(work)))
    assert layout.slots[layout.rows].tolist() == list(range(len(work)))
    assert len(layout.slots) == layout.devices * layout.room
    assert layout.devices == min(devices, len(work))
    assert layout.counts.sum() == len(work)
    assert layout.counts.min() >= 1
    assert layout.room >= 2
    assert layout.room & (layout.room - 1) == 0
    loads = [sum(work[tile] for tile in share) for share in layout.shares]
    assert max(loads) <= sum(work) / layout.devices + max(work)


def test_the_longest_tiles_come_first_each_to_the_least_loaded_device():
    layout = Layout.by_work([1, 5, 3, 3, 8], 2)
    assert layout.shares == ((3, 4), (0, 1, 2))  # 8 and then 3; 5, 3 and then 1
    assert layout.room == 4
    assert layout.slots.tolist() == [3, 4, 4, 4, 0, 1, 2, 2]


@pytest.mark.parametrize(("tiles", "devices", "counts"), [(7, 3, [3, 3, 1]), (2, 4, [1, 1]), (6, 4, [2, 2, 2])])
def test_devices_that_take_all_at_once_have_equally_many(tiles, devices, counts):
    layout = Layout.by_number(tiles, devices)
    assert layout.counts.tolist() == counts
    assert layout.slots[layout.rows].tolist() == list(range(tiles))
    assert layout.room == max(2, *counts)


def trees(count, large=None):
    large = np.arange(LARGEST_OWN + 1.0) if large is None else large
    return [{"a": np.array([i, i + 0.5]), "b": 2.0 + i, "c": 3 + i, "d": None, "large": large} for i in range(count)]


at = jax.jit(lambda stack, row: stack.at(row))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_stack_gives_every_cell_its_own(count):
    stack = Stack.of(trees(count))
    assert Stack.room(count) == {1: 2, 2: 2, 3: 4}[count]
    for row, tree in enumerate(trees(count)):
        found = at(stack, row)
        np.testing.assert_array_equal(found["a"], tree["a"])
        assert (float(found["b"]), int(found["c"]), found["d"]) == (tree["b"], tree["c"], None)
        assert found["large"].shape == (LARGEST_OWN + 1,)


def test_plain_numbers_stay_weakly_typed_and_arrays_do_not():
    """A step in float32 must not become one in float64 because its step size came out of a stack."""
    stack = Stack.of([(0.5, 2, np.array(0.5)), (0.7, 3, np.array(0.1))])

    @jax.jit
    def scaled(stack, row):
        plain, whole, array = stack.at(row)
        single = jnp.ones(2, jnp.float32)
        return single * plain, single * whole, single * array

    for row in range(2):
        assert [value.dtype for value in scaled(stack, row)] == [jnp.float32, jnp.float32, jnp.float64]


def test_what_is_large_is_stored_once_and_not_for_every_tile():
    large = np.arange(LARGEST_OWN + 1.0)
    stack = Stack.of(trees(3, large))
    assert stack.common[0] is large
    assert own_bytes(trees(1, large)[0]) == 8 * 4

    def read(stack, row):
        tree = stack.at(row)
        return tree["large"], tree["a"].sum()

    tiles = jax.vmap(read, in_axes=(None, 0), out_axes=(None, 0))  # fails where what is large is batched
    jaxpr = jax.make_jaxpr(tiles)(stack, jnp.arange(3)).jaxpr
    assert [value.aval.shape for value in jaxpr.outvars] == [(LARGEST_OWN + 1,), (3,)]


@pytest.mark.parametrize(
    "other",
    [
        {"a": np.zeros(3)},
        {"a": np.zeros(2, np.float32)},
        {"b": np.array(2.0)},
        {"c": 3.0},
        {"d": 1.0},
        {"large": np.arange(LARGEST_OWN + 1.0)},
    ],
    ids=["shape", "type", "an array", "a float", "a leaf more", "other data"],
)
def test_trees_of_other_form_cannot_be_stacked(other):
    first, second = trees(2, np.arange(LARGEST_OWN + 1.0))
    assert form_of(first) == form_of(second)
    assert form_of(first) != form_of(second | other)
    with pytest.raises(ArgumentError, match="`trees` must be of equal form"):
        Stack.of([first, second | other])
