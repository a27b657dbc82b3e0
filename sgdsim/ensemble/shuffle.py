"""A random order of data, evaluated where it is needed: no list of it is kept."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from sgdsim.ensemble.backend import host_drives_loops
from sgdsim.ensemble.random import Key, threefry

ROUNDS = 64
"""Each halves what is left of the order before; 6 log2(n) are enough for any test that looks at fewer than n places."""
_UNROLLED = 16
"""Rounds written one after another where every kernel is launched: they are one."""


def shuffled(key: Key, places: Int[Array, " places"], size: int) -> Int[Array, " places"]:
    """The data, of `size`, at these places of a random permutation that belongs to the key (two scalar words).

    The "swap or not" shuffle (Hoang, Morris & Rogaway, CRYPTO 2012): in round r the pairs {x, (K_r - x) mod size} are
    formed, and each is exchanged or not by the toss of a coin. The datum at any place follows from the key alone, so a
    run may be divided anywhere.
    """
    # The index of the pivots is beyond that of any datum, so that pivots and coins differ.
    rounds = jnp.arange(ROUNDS, dtype=jnp.uint32)
    pivots, _ = threefry(key, (rounds, jnp.full_like(rounds, np.uint32(2**32 - 1))))
    pivots = (pivots % np.uint32(size)).astype(jnp.int32)

    def exchange(number: Int[Array, ""], x: Int[Array, " places"]) -> Int[Array, " places"]:
        partner = (pivots[number] - x) % size
        # The same number for both of a pair: they toss one coin, and the exchange is one to one.
        pair = jnp.maximum(x, partner).astype(jnp.uint32)
        coin, _ = threefry(key, (jnp.full_like(pair, number.astype(jnp.uint32)), pair))
        return jnp.where(coin >> np.uint32(31) == 1, partner, x)

    unroll = _UNROLLED if host_drives_loops() else 1
    return jax.lax.fori_loop(0, ROUNDS, exchange, places.astype(jnp.int32), unroll=unroll)
