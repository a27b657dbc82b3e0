"""The order of finite data: epochs that use each once, and draws with replacement."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.training.data import FiniteData, any_rows, epoch_rows

KEYS = replica_keys(0, 0, 0, 3)
N = 13


def used(choice, uses, n=N, keys=KEYS):
    chosen = jax.jit(choice, static_argnums=2)((jnp.asarray(keys[0]), jnp.asarray(keys[1])), jnp.asarray(uses), n)
    return np.asarray(chosen)


def test_every_datum_is_used_once_in_an_epoch():
    rows = used(epoch_rows, np.arange(4 * N)).reshape(3, 4, N)
    np.testing.assert_array_equal(np.sort(rows, axis=2), np.broadcast_to(np.arange(N), rows.shape))
    # Every epoch and every replica has an order of its own.
    assert len({tuple(order) for order in rows.reshape(-1, N).tolist()}) == 12


@pytest.mark.parametrize("choice", [epoch_rows, any_rows])
def test_a_use_does_not_depend_on_the_others(choice):
    some = np.array([40, 3, 17, 12, 13])
    np.testing.assert_array_equal(used(choice, some), used(choice, np.arange(4 * N))[:, some])
    np.testing.assert_array_equal(used(choice, some, keys=KEYS[:, 1:2])[0], used(choice, some)[1])


def test_replacement_takes_every_datum_as_often():
    rows = used(any_rows, np.arange(4000))
    counts = np.array([np.bincount(row, minlength=N) for row in rows])
    assert counts.shape == (3, N)
    chi2 = ((counts - 4000 / N) ** 2 / (4000 / N)).sum(axis=1)
    assert (chi2 > 1.5).all()  # an epoch after another would have none
    assert (chi2 < 40).all()


def test_uses_beyond_32_bits_are_uses():
    rows = [used(any_rows, np.arange(8) + first) for first in (0, 2**32)]
    assert (rows[0] != rows[1]).any()


def test_numbers_of_data():
    assert FiniteData(n=7).count(100) == 7
    assert FiniteData(n0=2.5).count(100) == 250
    assert FiniteData(n0=3.0, n_exponent=1.5).count(100) == 3000
    for keys in ({}, {"n": 3, "n0": 1.0}, {"n": 3, "n_exponent": 2.0}, {"n": 0}, {"n": 3, "draws": "other"}):
        with pytest.raises(ArgumentError):
            FiniteData(**keys)
    with pytest.raises(ArgumentError, match=r"`n0` must give from 1 to"):
        FiniteData(n0=0.01).count(10)
