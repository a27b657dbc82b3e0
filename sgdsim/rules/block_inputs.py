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
from jaxtyping import Array, Float, Int

from sgdsim.ensemble.pin import Pinning, no_pin
from sgdsim.ensemble.random import Key, block_normals
from sgdsim.rules.radius import SMALLEST, chi_square, chi_square_by_squares, quantile_coefficients
from sgdsim.rules.rule import Sizes


class Frame(NamedTuple):
    """The inputs of one block."""

    z_t: Float[Array, "lanes samples k"]
    z_s: Float[Array, "lanes samples n"]
    T: Float[Array, "lanes samples samples"]
    normals: Float[Array, "lanes samples r"]
    """Those that the rule has of its own."""


class BlockInputs(eqx.Module):
    """Draws the inputs of blocks. `small` says that a chi^2 has fewer than 32 degrees."""

    sizes: Sizes = eqx.field(static=True)
    samples: int = eqx.field(static=True)
    small: bool = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    freedom: Int[np.ndarray, " samples"]
    radius: Float[np.ndarray, "degree_1 samples"]

    @classmethod
    def of(cls, sizes: Sizes, d: int, samples: int, dtype: Any) -> "BlockInputs":
        """Of so many samples in dimension d."""
        freedom = d - sizes.fixed - sizes.moving - np.arange(samples)
        return cls(
            sizes=sizes,
            samples=samples,
            small=bool(freedom[-1] < SMALLEST),
            dtype=jnp.dtype(dtype),
            freedom=freedom,
            radius=quantile_coefficients(np.maximum(freedom, SMALLEST)),
        )

    def draw(self, key: Key, pin: Pinning = no_pin) -> Frame:
        """The inputs of the block with this key."""
        N = self.samples
        shapes = ((N, self.sizes.moving), (N, self.sizes.fixed), (N, self.sizes.normals), (N,), ((N + 1) // 2, N))
        sizes = [math.prod(shape) for shape in shapes]
        parts = jnp.split(block_normals(key, sum(sizes), self.dtype, pin), np.cumsum(sizes)[:-1], axis=1)
        z_s, z_t, own, radial, off = (
            part.reshape(len(part), *shape) for part, shape in zip(parts, shapes, strict=True)
        )
        diagonal = jnp.sqrt(self._chi_squares(radial, key))
        T = _below_diagonal(off, N) + diagonal[:, :, None] * jnp.eye(N, dtype=self.dtype)[None]
        return Frame(z_t, z_s, T, own)

    def _chi_squares(self, normals: Float[Array, "lanes samples"], key: Key) -> Float[Array, "lanes samples"]:
        """Squares of the diagonal of T: chi^2 with d-k-n, d-k-n-1, ... degrees of freedom."""
        shape = normals.shape
        coefficients = [jnp.asarray(row, self.dtype)[None, :] for row in self.radius]
        large = chi_square(normals, jnp.asarray(self.freedom, self.dtype)[None, :], coefficients)
        if not self.small:
            return large
        sample = jnp.broadcast_to(jnp.arange(shape[1], dtype=jnp.uint32)[None, :], shape)
        first = (sample, jnp.ones(shape, jnp.uint32))
        wide = (jnp.broadcast_to(key[0][:, None], shape), jnp.broadcast_to(key[1][:, None], shape))
        freedom = jnp.asarray(self.freedom)[None, :]
        return jnp.where(freedom < SMALLEST, chi_square_by_squares(wide, freedom, first, self.dtype), large)


def _below_diagonal(folded: Float[Array, "lanes rows N"], N: int) -> Float[Array, "lanes N N"]:
    """A strictly lower-triangular matrix, row N-1-s of which was kept, turned round, behind row s."""
    rest = jnp.flip(folded[:, : N - folded.shape[1]], axis=(1, 2))
    return jnp.tril(jnp.concatenate([folded, rest], axis=1), -1)


def gram(rows: Float[Array, "lanes rows columns"]) -> Float[Array, "lanes rows rows"]:
    """Inner products of the rows."""
    return rows @ jnp.swapaxes(rows, 1, 2)
