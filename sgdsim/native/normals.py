"""Rows of normals as a call of a function in C++: the random numbers are those of `ensemble.random`."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from sgdsim.ensemble.random import Key
from sgdsim.native.build import BuildError
from sgdsim.native.inputs import pair_source
from sgdsim.native.library import library_name, source_of


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
