"""Counter-based random numbers: what a replica draws depends on (seed, cell, replica, step) and on nothing else.

Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw, SC 2011), the generator behind `jax.random`, written out in
plain arithmetic on lanes so that the compiler fuses it with the simulation. No state is carried and no key is split:
results cannot depend on the batch size, on the number of devices, or on where a run was interrupted.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from sgdsim.ensemble.pin import Pinning, no_pin, once, pair_pinning

Key = tuple[Any, Any]
"""The two 32-bit words of a key, each a scalar or an array of lanes."""

NormalsForm = Callable[[Key, int, Any, Pinning], Float[Array, "lanes count"]]
"""`block_normals`, or a form of it that agrees with it to rounding."""

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_ROUNDS = 20


def threefry(key: Key, counter: Key) -> Key:
    """Threefry-2x32-20 of a 64-bit counter under a 64-bit key, elementwise; words broadcast against one another."""
    k0, k1 = key
    schedule = (k0, k1, k0 ^ k1 ^ np.uint32(_PARITY))
    x0, x1 = counter[0] + k0, counter[1] + k1
    for block in range(_ROUNDS // 4):
        for rotation in _ROTATIONS[block % 2]:
            x0 = x0 + x1
            x1 = (x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation))
            x1 = x1 ^ x0
        x0 = x0 + schedule[(block + 1) % 3]
        x1 = x1 + schedule[(block + 2) % 3] + np.uint32(block + 1)
    return x0, x1


def words(number: Any) -> Key:
    """The low and the high 32 bits of a 64-bit number, as a counter."""
    return _halves(jnp.asarray(number, jnp.uint64))


def replica_keys(seed: int, cell: int, first: int, count: int) -> UInt32[np.ndarray, "2 count"]:
    """A key for each of the replicas first, ..., first + count - 1 of a cell of the grid.

    They are computed on the host: JAX would compile each operation anew for every `count`.
    """
    cell_key = threefry(_halves(np.array([seed], np.uint64)), _halves(np.array([cell], np.uint64)))
    return np.stack(threefry(cell_key, _halves(np.uint64(first) + np.arange(count, dtype=np.uint64))))


def start_stream(seed: int, own: int, cell: int, replica: int) -> np.random.Generator:
    """The generator, of NumPy, from which one replica's start is drawn on the host.

    Philox-4x64 under the key (seed, own), where `own` is the start's own seed, from the counter (0, 0, replica, cell):
    no two replicas, cells or seeds share a number, and where tiles end does not matter. Making one takes 12 us, a fifth
    of what drawing the smallest start does (measured).
    """
    return np.random.Generator(np.random.Philox(key=[seed, own], counter=[0, 0, replica, cell]))


def _halves(numbers: Any) -> Key:
    """The low and the high 32 bits of 64-bit numbers, of NumPy or JAX."""
    return numbers.astype(np.uint32), (numbers >> np.uint64(32)).astype(np.uint32)


def fold(key: Key, number: Any) -> Key:
    """A key of its own for each value of a 64-bit number, e.g. the step at which a segment begins."""
    return threefry(key, words(number))


def normal_pair(
    key: Key, counter: Key, dtype: Any, pin: Pinning = no_pin
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Two independent N(0, 1) for every counter, by Box and Muller's transform of one Threefry output.

    The radius is sqrt(-2 log u) with u = (a + 1/2) 2^-32, so |z| reaches 6.7; the angle is (pi/2) 2^-30 b for b as a
    signed number, a quadrant and an offset from it. float32 and float64 transform the same bits, so their numbers agree
    to rounding.
    """
    dtype = jnp.dtype(dtype)
    a, b = threefry(key, counter)
    pin_words, pin_both = pair_pinning(pin, dtype)
    uniform = pin_words(a.astype(dtype) * dtype.type(2**-32) + dtype.type(2**-33))
    # Converted, not taken bit by bit, which is the same: of bits Pallas' Mosaic GPU forgets that they now have a sign.
    turn = pin_words(b.astype(jnp.int32).astype(dtype) * dtype.type(2**-30))
    quadrant = jnp.round(turn)
    sine, cosine = _sin_cos_quarter(turn - quadrant)
    radius = jnp.sqrt(-2 * jnp.log(uniform))
    radius = jnp.where((quadrant == -1) | (jnp.abs(quadrant) == 2), -radius, radius)
    odd = jnp.abs(quadrant) == 1
    return pin_both((radius * jnp.where(odd, sine, cosine), radius * jnp.where(odd, cosine, sine)))


def _sin_cos_quarter(turn: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """sin and cos of (pi/2) turn for |turn| <= 1/2, by their Taylor series up to rounding of the precision."""
    terms = 5 if turn.dtype == jnp.float32 else 10
    square = turn * turn

    def series(powers: list[int]) -> Float[Array, "*shape"]:
        total = jnp.zeros_like(turn)
        for power in reversed(powers):
            sign = -1 if power % 4 > 1 else 1
            total = total * square + turn.dtype.type(sign * (math.pi / 2) ** power / math.factorial(power))
        return total

    odd, even = list(range(1, 2 * terms, 2)), list(range(0, 2 * terms, 2))
    return turn * series(odd), series(even)


def lane_normals(
    key: Key, step: UInt32[Array, ""], count: int, dtype: Any, pin: Pinning = no_pin
) -> list[Float[Array, "*lanes"]]:
    """`count` N(0, 1) for every lane at one step: counter words are (step, index of the pair)."""
    lanes = jnp.shape(key[0])
    first = jnp.broadcast_to(step, lanes)
    normals: list[Float[Array, "*lanes"]] = []
    for pair in range((count + 1) // 2):
        normals += normal_pair(key, (first, jnp.full(lanes, pair, jnp.uint32)), dtype, pin)
    return normals[:count]


def column_normals(
    key: Key, count: int, dtype: Any, first: int = 0, second: UInt32[Array, ""] | int = 0
) -> Float[Array, "count *lanes"]:
    """`count` N(0, 1) for every lane: counter words (first + pair, second); all second ones of pairs come last."""
    lanes = jnp.shape(key[0])
    shape = ((count + 1) // 2, *lanes)
    wide = (jnp.broadcast_to(key[0][None], shape), jnp.broadcast_to(key[1][None], shape))
    pair = jax.lax.broadcasted_iota(jnp.uint32, shape, 0) + np.uint32(first)
    pairs = normal_pair(wide, (pair, jnp.full(shape, second, jnp.uint32)), dtype)
    # Joined only when they are there: a loop over the joined array asks at every element which part it is of.
    return once(jnp.concatenate([once(part) for part in pairs])[:count])


def block_normal_pairs(
    key: Key, samples: int, pairs: int, dtype: Any, pin: Pinning = no_pin, first: int = 0
) -> tuple[Float[Array, "lanes samples pairs"], Float[Array, "lanes samples pairs"]]:
    """Two arrays of N(0, 1) for consecutive samples of every lane: counter words (sample, first + pair)."""
    shape = (key[0].shape[0], samples, pairs)
    wide = (jnp.broadcast_to(key[0][:, None, None], shape), jnp.broadcast_to(key[1][:, None, None], shape))
    sample, pair = (jax.lax.broadcasted_iota(jnp.uint32, shape, axis) for axis in (1, 2))
    return normal_pair(wide, (sample, pair + np.uint32(first)), dtype, pin)


def block_normals(key: Key, count: int, dtype: Any, pin: Pinning = no_pin) -> Float[Array, "lanes count"]:
    """`count` N(0, 1) for every lane: counter words are (pair, 0); the second of each pair after all the first ones."""
    shape = (key[0].shape[0], (count + 1) // 2)
    wide = (jnp.broadcast_to(key[0][:, None], shape), jnp.broadcast_to(key[1][:, None], shape))
    counter = (jax.lax.broadcasted_iota(jnp.uint32, shape, 1), jnp.zeros(shape, jnp.uint32))
    return jnp.concatenate(normal_pair(wide, counter, dtype, pin), axis=1)[:, :count]
