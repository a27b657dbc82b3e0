"""The inputs of N consecutive samples in a frame that moves with the chain.

In an orthonormal frame of the fixed vectors' span (k), the rest of the moving vectors' span (n) and N fresh directions
the inputs are X = (Z_t, Z_s, T): Z_t and Z_s standard normal, and T the lower-triangular Bartlett factor of a Wishart
matrix with d - k - n degrees of freedom, since T T^T has the law of the Gram matrix of the inputs' parts outside both
spans. Needs d - k - n >= N.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.ensemble.pin import Pinning, no_pin
from sgdsim.ensemble.random import Key, NormalsForm, block_normals
from sgdsim.rules.bartlett import Bartlett
from sgdsim.rules.rule import Sizes


class Frame(NamedTuple):
    """The inputs of one block."""

    z_t: Float[Array, "lanes samples k"]
    z_s: Float[Array, "lanes samples n"]
    T: Float[Array, "lanes samples samples"]
    normals: Float[Array, "lanes samples r"]
    """Those that the rule has of its own."""


class BlockInputs(eqx.Module):
    """Draws the inputs of blocks."""

    sizes: Sizes = eqx.field(static=True)
    samples: int = eqx.field(static=True)
    form: NormalsForm = eqx.field(static=True)
    outside: Bartlett

    @classmethod
    def of(cls, sizes: Sizes, d: int, samples: int, dtype: Any, form: NormalsForm = block_normals) -> "BlockInputs":
        """Of so many samples in dimension d, with a form of all normals."""
        return cls(sizes, samples, form, Bartlett.of(samples, d - sizes.fixed - sizes.moving, dtype))

    @property
    def dtype(self) -> Any:
        """The precision of all numbers."""
        return self.outside.dtype

    def draw(self, key: Key, pin: Pinning = no_pin) -> Frame:
        """The inputs of the block with this key."""
        N = self.samples
        shapes = ((N, self.sizes.moving), (N, self.sizes.fixed), (N, self.sizes.normals), (N,), ((N + 1) // 2, N))
        z_s, z_t, own, radial, off = normals_of_shapes(key, shapes, self.dtype, pin, self.form)
        return Frame(z_t, z_s, self.outside.factor(radial, off, key, pin), own)


def normals_of_shapes(
    key: Key, shapes: tuple[tuple[int, ...], ...], dtype: Any, pin: Pinning, form: NormalsForm = block_normals
) -> list[Array]:
    """Standard normals of every lane in arrays of these shapes."""
    sizes = [math.prod(shape) for shape in shapes]
    parts = jnp.split(form(key, sum(sizes), dtype, pin), np.cumsum(sizes)[:-1], axis=1)
    return [part.reshape(len(part), *shape) for part, shape in zip(parts, shapes, strict=True)]


def gram(rows: Float[Array, "lanes rows columns"]) -> Float[Array, "lanes rows rows"]:
    """Inner products of the rows."""
    return rows @ jnp.swapaxes(rows, 1, 2)
