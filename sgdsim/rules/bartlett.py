"""Bartlett's factor of a Wishart matrix: T T^T has the law of X X^T for a matrix X of standard normals."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sgdsim.ensemble.random import Key
from sgdsim.rules.radius import SMALLEST, chi_square, chi_square_by_squares, quantile_coefficients


class Bartlett(eqx.Module):
    """T of X (rows, nu): lower-triangular, with roots of chi^2_nu, chi^2_{nu-1}, ... on the diagonal and normals below.

    Where there are more rows than nu, T is that of the trapezium (rows, nu), with zeros behind it. `small` says that a
    chi^2 has fewer than 32 degrees, `singular` that some have none.
    """

    small: bool = eqx.field(static=True)
    singular: bool = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    freedom: Int[np.ndarray, " rows"]
    radius: Float[np.ndarray, "degree_1 rows"]

    @classmethod
    def of(cls, rows: int, nu: int, dtype: Any) -> "Bartlett":
        """Of so many rows, with nu >= 0 degrees of freedom."""
        freedom = np.maximum(nu - np.arange(rows), 0)
        last = freedom[-1] if rows else SMALLEST
        return cls(
            small=bool(last < SMALLEST),
            singular=bool(last < 1),
            dtype=jnp.dtype(dtype),
            freedom=freedom,
            radius=quantile_coefficients(np.maximum(freedom, SMALLEST)),
        )

    def factor(
        self, radial: Float[Array, "lanes rows"], off: Float[Array, "lanes half rows"], key: Key
    ) -> Float[Array, "lanes rows rows"]:
        """T of every lane from (rows + (rows + 1)//2 rows) normals, and from `key` where chi^2 is a sum of squares."""
        rows = len(self.freedom)
        diagonal = jnp.sqrt(self._chi_squares(radial, key))
        T = below_diagonal(off, rows) + diagonal[:, :, None] * jnp.eye(rows, dtype=self.dtype)[None]
        return T * jnp.asarray(self.freedom > 0, self.dtype)[None, None] if self.singular else T

    def _chi_squares(self, normals: Float[Array, "lanes rows"], key: Key) -> Float[Array, "lanes rows"]:
        """Squares of the diagonal of T."""
        shape = normals.shape
        coefficients = [jnp.asarray(row, self.dtype)[None, :] for row in self.radius]
        large = chi_square(normals, jnp.asarray(self.freedom, self.dtype)[None, :], coefficients)
        if not self.small:
            return large
        row = jnp.broadcast_to(jnp.arange(shape[1], dtype=jnp.uint32)[None, :], shape)
        first = (row, jnp.ones(shape, jnp.uint32))
        wide = (jnp.broadcast_to(key[0][:, None], shape), jnp.broadcast_to(key[1][:, None], shape))
        freedom = jnp.asarray(self.freedom)[None, :]
        return jnp.where(freedom < SMALLEST, chi_square_by_squares(wide, freedom, first, self.dtype), large)


def below_diagonal(folded: Float[Array, "lanes half N"], N: int) -> Float[Array, "lanes N N"]:
    """A strictly lower-triangular matrix, row N-1-s of which was kept, turned round, behind row s."""
    rest = jnp.flip(folded[:, : N - folded.shape[1]], axis=(1, 2))
    return jnp.tril(jnp.concatenate([folded, rest], axis=1), -1)
