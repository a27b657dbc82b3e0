"""Normals as calls of functions in C++: the random numbers are those of `ensemble.random`, to rounding."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from sgdsim.ensemble.pin import Pinning, no_pin
from sgdsim.ensemble.random import Key, block_normals
from sgdsim.native.build import BuildError
from sgdsim.native.inputs import pair_source
from sgdsim.native.library import library_name, source_of
from sgdsim.notices import notice


def native_rows(key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"] | None:
    """d normals for every lane and row, the first of each pair before all second ones; None where C++ cannot be had.

    Counter words are (row, pair).
    """
    try:
        name = library_name(source_of(dtype, pair_source(dtype), "draw.h", "normals.h"))
    except BuildError:
        return None
    shape = jax.ShapeDtypeStruct((key[0].shape[0], rows.shape[0], d), dtype)
    return jax.ffi.ffi_call(name, shape, vmap_method="sequential")(jnp.stack(key), rows)


def native_normals(key: Key, count: int, dtype: Any, pin: Pinning = no_pin) -> Float[Array, "lanes count"]:
    """`ensemble.random.block_normals` in C++, at two to ten times the speed; without a compiler, as XLA has it."""
    try:
        name = library_name(source_of(dtype, pair_source(dtype), "draw.h", "block_normals.h"))
    except BuildError as error:
        notice(f"inputs are drawn as XLA compiles it, at half the speed of C++ or less: there is {error}")
        return block_normals(key, count, dtype, pin)
    shape = jax.ShapeDtypeStruct((key[0].shape[0], count), dtype)
    return jax.ffi.ffi_call(name, shape, vmap_method="sequential")(jnp.stack(key))
