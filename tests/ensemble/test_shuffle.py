"""The order of the data: a permutation, any of them, and another one for every key."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.random import replica_keys
from sgdsim.ensemble.shuffle import shuffled

KEYS = replica_keys(0, 0, 0, 6000)
orders = jax.jit(
    lambda keys, size: jax.vmap(lambda key: shuffled((key[0], key[1]), jnp.arange(size), size))(keys),
    static_argnums=1,
)


@pytest.mark.parametrize("size", [1, 2, 7, 1297])
def test_every_datum_has_one_place(size):
    order = np.asarray(orders(KEYS.T[:3], size))
    np.testing.assert_array_equal(np.sort(order, axis=1), np.arange(size) * np.ones((3, 1), int))
    if size > 100:
        assert len({tuple(row) for row in order.tolist()}) == 3
        assert (order[0] == np.arange(size)).mean() < 0.01


def test_a_part_of_the_order_is_that_part():
    key = (KEYS[0, 5], KEYS[1, 5])
    part = shuffled(key, jnp.arange(40, 55), 100)
    np.testing.assert_array_equal(part, orders(KEYS.T[5:6], 100)[0, 40:55])


def test_all_orders_are_equally_likely():
    """chi^2 of the 24 orders of 4 images, 23 degrees of freedom: 99.9 % are below 49.7."""
    counts = dict.fromkeys(itertools.permutations(range(4)), 0)
    for row in np.asarray(orders(KEYS.T, 4)).tolist():
        counts[tuple(row)] += 1
    expected = KEYS.shape[1] / 24
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 49.7


@pytest.mark.slow
def test_neighbouring_images_are_no_likelier_neighbours():
    """The distance of the places of images 0 and 1 of 101 on a ring is uniform: chi^2 of 100 values, 99.9 % < 148."""
    order = np.asarray(orders(KEYS.T, 101))
    places = np.argsort(order, axis=1)
    counts = np.bincount((places[:, 1] - places[:, 0]) % 101, minlength=101)[1:]
    expected = len(order) / 100
    assert counts.sum() == len(order)
    assert ((counts - expected) ** 2 / expected).sum() < 148
