"""Uniform numbers of data, and what the words of one counter become; as in `ensemble.random`, from (row, number)."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from sgdsim.ensemble.random import Key, threefry
from sgdsim.training.inputs import row_counters

GRID = 2.0**-32
"""Between two neighbours of the uniform numbers, which lie in the middle of their cells."""


def row_words(key: Key, rows: UInt32[Array, " rows"], count: int) -> Key:
    """Two words of 32 bits for every lane, row and number below `count`."""
    return threefry(*row_counters(key, rows, count))


def above_zero(word: UInt32[Array, "*shape"], dtype: Any) -> Float[Array, "*shape"]:
    """u = (word + 1/2) 2^-32 in (0, 1)."""
    return word.astype(dtype) * jnp.asarray(GRID, dtype) + jnp.asarray(GRID / 2, dtype)


def about_zero(word: UInt32[Array, "*shape"], dtype: Any) -> Float[Array, "*shape"]:
    """v = (word + 1/2) 2^-32 in (-1/2, 1/2), of the word as a signed number: float32 is as fine on both sides."""
    return word.astype(jnp.int32).astype(dtype) * jnp.asarray(GRID, dtype) + jnp.asarray(GRID / 2, dtype)


def bits(words: UInt32[Array, "*rows words"]) -> UInt32[Array, "*rows bits"]:
    """All bits of words, the lowest one first."""
    places = np.arange(32, dtype=np.uint32).reshape(*[1] * words.ndim, 32)
    each = (words[..., None] >> places) & np.uint32(1)
    return each.reshape(*words.shape[:-1], -1)


def side_by_side(
    left: Float[Array, "lanes rows half"], right: Float[Array, "lanes rows half"], d: int
) -> Float[Array, "lanes rows d"]:
    """What the first words have become, and behind it the second: d of them."""
    return jnp.concatenate([left, right], axis=2)[:, :, :d]
