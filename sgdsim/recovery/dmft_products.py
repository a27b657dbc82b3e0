"""The products of triangular matrices that a step of the mean-field theory of signal recovery takes, in three forms.

A step multiplies four triangles of t^2/2 numbers from both sides and does nothing else of order t^2: its time is that
of reading them, 16 t^2 bytes, if each is read once and nothing beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sgdsim.native.build import BuildError
from sgdsim.native.triangles import triangle_products
from sgdsim.notices import notice

TILE = 128
"""Side of the square pieces in which XLA reads the matrices on a CPU: two of them stay in the cache of a core.

It divides the size of all padded arrays."""

Matrices = tuple[Float[Array, "n n"], ...]
Vectors = tuple[Float[Array, " n"], ...]
Both = tuple[list[Float[Array, " n"]], list[Float[Array, " n"]]]

Products = Callable[[Matrices, Vectors, Vectors, Int[Array, ""]], Both]
"""A form: (matrices, left, right, size) -> left @ L and L @ right of each lower triangular L.

The first `size` rows and columns count: the matrices are zero elsewhere, and so are the products beyond `size`.
"""


@dataclass(frozen=True)
class WholeProducts:
    """For devices that want few and large products: all is multiplied, zeros as well."""

    def __call__(self, matrices: Matrices, left: Vectors, right: Vectors, size: Int[Array, ""]) -> Both:
        """The products from the left, and those from the right."""
        from_left = [v @ L for v, L in zip(left, matrices, strict=True)]
        return from_left, [L @ v for v, L in zip(right, matrices, strict=True)]


@dataclass(frozen=True)
class TiledProducts:
    """For a CPU without a C++ compiler: both products of a tile are made while it is in the cache.

    Tiles above the diagonal are left out. XLA copies a tile before it multiplies it twice, and runs 20 small loops
    beside: together 2.4 to 4 times as long as the C++.
    """

    def __call__(self, matrices: Matrices, left: Vectors, right: Vectors, size: Int[Array, ""]) -> Both:
        """The products from the left, and those from the right."""

        def one(row: Array, column: Array, sums: Both) -> Both:
            below, beside = row * TILE, column * TILE
            # A tile is read once for both of its products: time is that of reading the matrices.
            pieces = [jax.lax.dynamic_slice(L, (below, beside), (TILE, TILE)) for L in matrices]
            down = [_add(s, _cut(v, below) @ L, beside) for s, v, L in zip(sums[0], left, pieces, strict=True)]
            across = [_add(s, L @ _cut(v, beside), below) for s, v, L in zip(sums[1], right, pieces, strict=True)]
            return down, across

        zeros = [jnp.zeros_like(v) for v in left]
        return jax.lax.fori_loop(
            0,
            (size + TILE - 1) // TILE,
            lambda row, sums: jax.lax.fori_loop(0, row + 1, partial(one, row), sums),
            (zeros, zeros),
        )


def _cut(vector: Float[Array, " n"], begin: Int[Array, ""]) -> Float[Array, " tile"]:
    return jax.lax.dynamic_slice(vector, (begin,), (TILE,))


def _add(total: Float[Array, " n"], part: Float[Array, " tile"], begin: Int[Array, ""]) -> Float[Array, " n"]:
    return jax.lax.dynamic_update_slice(total, _cut(total, begin) + part, (begin,))


@dataclass(frozen=True)
class NativeProducts:
    """For a CPU: as a C++ compiler makes them when they are traced, where there is one; else `TiledProducts`."""

    def __call__(self, matrices: Matrices, left: Vectors, right: Vectors, size: Int[Array, ""]) -> Both:
        """The products from the left, and those from the right."""
        try:
            return triangle_products(matrices, left, right, size)
        except BuildError as error:
            lacking = f"several times slower than as C++: there is {error}"
            notice(f"the mean-field theory of signal recovery runs as XLA compiles it, {lacking}")
            return TiledProducts()(matrices, left, right, size)
