"""Products of lower triangular matrices with vectors from both sides, as one call of a function in C++."""

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from sgdsim.errors import ArgumentError
from sgdsim.native.library import library_name, source_of

_ROW = 16
"""Rows of matrices are whole vectors of any processor."""

Vectors = tuple[Float[Array, " n"], ...]


def triangle_products(
    matrices: tuple[Float[Array, "n n"], ...], left: Vectors, right: Vectors, size: Int[Array, ""]
) -> tuple[list[Float[Array, " n"]], list[Float[Array, " n"]]]:
    """left @ L and L @ right for each lower triangular L in float64, of the first `size` rows and columns.

    Each matrix is read once, without what is above its diagonal or beyond `size`, and nothing is copied: so it must be
    zero there, and n a multiple of 16. Products are zero beyond `size`.

    **Raises:** ArgumentError for another n; BuildError where there is no C++ compiler, or it fails.
    """
    if (n := left[0].shape[-1]) % _ROW:
        raise ArgumentError("matrices", f"have sides that are multiples of {_ROW}", n)
    name = library_name(source_of(np.float64, "products.h", "triangles.h"))
    shapes = [jax.ShapeDtypeStruct(vector.shape, vector.dtype) for vector in (*left, *right)]
    # One call for all elements of a batch: mapped one by one, their matrices would be cut out and copied.
    call = jax.ffi.ffi_call(name, shapes, vmap_method="broadcast_all")
    results = call(*matrices, *left, *right, size)
    return list(results[: len(matrices)]), list(results[len(matrices) :])
