"""Bartlett's factor of a Wishart matrix: T T^T has the law of X X^T for a matrix X of standard normals."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sgdsim.ensemble.pin import Pinning, no_pin
from sgdsim.ensemble.random import Key
from sgdsim.rules.radius import SMALLEST, chi_square, chi_square_by_squares, quantile_coefficients


class Bartlett(eqx.Module):
    """T of X (rows, nu): lower-triangular, with roots of chi^2_nu, chi^2_{nu-1}, ... on the diagonal and normals below.

    Where there are more rows than nu, T is that of the trapezium (rows, nu), with zeros behind it. A chi^2 of
    fewer than 32 degrees is a sum of squares, of `squares` at most (0: there is none such); `singular` says that some
    have no degrees. Several nu, of blocks, have a T each, all of which are drawn by the same operations.
    """

    squares: int = eqx.field(static=True)
    singular: bool = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    freedom: Int[np.ndarray, "*blocks rows"]
    radius: Float[np.ndarray, "degree_1 *blocks rows"]

    @classmethod
    def of(cls, rows: int, nu: int | Sequence[int], dtype: Any) -> "Bartlett":
        """Of so many rows, with nu >= 0 degrees of freedom, or so many in each block."""
        freedom = np.maximum(np.expand_dims(nu, -1) - np.arange(rows), 0)
        few = freedom[freedom < SMALLEST]
        # In eights: programs for a grid over d are few.
        squares = -(-int(few.max(initial=1)) // 8) * 8 if few.size else 0
        radius = quantile_coefficients(np.maximum(freedom, SMALLEST).ravel())
        return cls(
            squares=squares,
            singular=bool((freedom < 1).any()),
            dtype=jnp.dtype(dtype),
            freedom=freedom,
            radius=radius.reshape(-1, *freedom.shape),
        )

    def factor(
        self,
        radial: Float[Array, "lanes *blocks rows"],
        off: Float[Array, "lanes *blocks half rows"],
        key: Key,
        pin: Pinning = no_pin,
    ) -> Float[Array, "lanes *blocks rows rows"]:
        """T of every lane from (rows + (rows + 1)//2 rows) normals, and from `key` where chi^2 is a sum of squares."""
        rows = self.freedom.shape[-1]
        # In one row: a loop over the few entries of a T would be none of vectors.
        diagonal = jnp.sqrt(self._chi_squares(radial.ravel(), key, pin)).reshape(radial.shape)
        eye = jnp.eye(rows, dtype=self.dtype).reshape(*[1] * self.freedom.ndim, rows, rows)
        T = below_diagonal(off, rows) + diagonal[..., None] * eye
        return T * jnp.asarray(self.freedom > 0, self.dtype)[None, ..., None, :] if self.singular else T

    def _chi_squares(self, normals: Float[Array, " entries"], key: Key, pin: Pinning) -> Float[Array, " entries"]:
        """Squares of the diagonals of T of all lanes, one behind the other."""
        size = self.freedom.size
        lanes = len(normals) // size
        freedom, *coefficients = (jnp.tile(jnp.asarray(row).ravel(), lanes) for row in (self.freedom, *self.radius))
        coefficients = [row.astype(self.dtype) for row in coefficients]
        large = chi_square(normals, freedom.astype(self.dtype), coefficients)
        if not self.squares:
            return large
        entry = jnp.tile(jnp.arange(size, dtype=jnp.uint32), lanes)
        # Made before: within the loop over entries, which asks which lane's it is, nothing would be done by vectors.
        wide = pin((jnp.repeat(key[0], size), jnp.repeat(key[1], size)))
        squares = chi_square_by_squares(wide, freedom, (entry, jnp.ones_like(entry)), self.dtype, self.squares)
        return jnp.where(freedom < SMALLEST, squares, large)


def below_diagonal(folded: Float[Array, "*lanes half N"], N: int) -> Float[Array, "*lanes N N"]:
    """A strictly lower-triangular matrix, row N-1-s of which was kept, turned round, behind row s."""
    rest = jnp.flip(folded[..., : N - folded.shape[-2], :], axis=(-2, -1))
    return jnp.tril(jnp.concatenate([folded, rest], axis=-2), -1)
