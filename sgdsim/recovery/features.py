"""The monomials that the data are linear in, h_mu(x) = scale sum_e J_mu,e phi_e(x), without a scatter.

Degree 2 has E = N(N-1)/2 pairs in circular order: number e = (s-1)N + i is the pair (i, i+s mod N), and the last s has
half a turn where N is even. Then phi is a gather of x, and so is the transposed derivative: both are deterministic on
every device.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sgdsim.checks import as_declared
from sgdsim.errors import ArgumentError
from sgdsim.recovery.problem import Recovery


class Features(eqx.Module):
    """phi(x) in R^E, E = N for degree 1 and N(N-1)/2 for degree 2, and its transposed derivative."""

    N: int = eqx.field(static=True)
    degree: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        as_declared(Recovery, "N", self.N)
        as_declared(Recovery, "degree", self.degree)

    @property
    def count(self) -> int:
        """E, the number of features."""
        return self.N if self.degree == 1 else self.N * (self.N - 1) // 2

    @property
    def scale(self) -> float:
        """The factor that makes h_mu a number of order one."""
        return self.N ** (-self.degree / 2)

    def difference(self, x: Float[Array, "N lanes"], y: Float[Array, "N lanes"]) -> Float[Array, "features lanes"]:
        """phi_e(x) - phi_e(y) = (x_i - y_i) x_{i+s} + y_i (x_{i+s} - y_{i+s}), or x_i - y_i: precise if x is near y.

        **Raises:** ArgumentError where x and y are not both (N, lanes).
        """
        for name, vector in (("x", x), ("y", y)):
            _check_shape(name, vector, (self.N, x.shape[-1] if x.ndim == 2 else 1), "N, lanes")
        apart = x - y
        if self.degree == 1:
            return apart
        changed = apart[None, :, :] * self._others(x) + y[None, :, :] * self._others(apart)
        return changed.reshape(-1, x.shape[1])[: self.count]

    def pull(self, G: Float[Array, "features lanes"], x: Float[Array, "N lanes"]) -> Float[Array, "N lanes"]:
        """sum_e G_e dphi_e(x)/dx_i: the pairs that i opens, G_{s,i} x_{i+s}, and those it closes, G_{s,i-s} x_{i-s}.

        **Raises:** ArgumentError where x is not (N, lanes), or G is not (features, lanes).
        """
        lanes = x.shape[-1] if x.ndim == 2 else 1
        _check_shape("x", x, (self.N, lanes), "N, lanes")
        _check_shape("G", G, (self.count, lanes), "features, lanes")
        if self.degree == 1:
            return G
        turns = self._turns
        G = jnp.pad(G, ((0, turns * self.N - self.count), (0, 0))).reshape(turns, self.N, -1)
        opened = jnp.sum(G * self._others(x), axis=0)
        products = (G * x[None, :, :]).reshape(turns * self.N, -1)
        shift, place = self._grid()
        # A gather where a scatter-add would be shorter: on a GPU atoms of a scatter are added in no fixed order.
        closed = products.at[(shift - 1) * self.N + (place - shift) % self.N].get(mode="promise_in_bounds")
        return opened + jnp.sum(closed, axis=0)

    @property
    def _turns(self) -> int:
        return self.N // 2

    def _grid(self) -> tuple[Int[Array, "turns N"], Int[Array, "turns N"]]:
        """The shift s = 1 ... N/2 and the place i of every pair of entries."""
        shift = jnp.arange(1, self._turns + 1, dtype=jnp.int32)
        place = jnp.arange(self.N, dtype=jnp.int32)
        shape = (self._turns, self.N)
        return jnp.broadcast_to(shift[:, None], shape), jnp.broadcast_to(place[None, :], shape)

    def _others(self, x: Float[Array, "N lanes"]) -> Float[Array, "turns N lanes"]:
        """x_{i+s}, the other entry of every pair."""
        shift, place = self._grid()
        return x.at[(place + shift) % self.N].get(mode="promise_in_bounds")


def _check_shape(argument: str, array: Array, shape: tuple[int, int], meaning: str) -> None:
    # XLA's gathers are told that indices are in bounds: a vector that is too short would give numbers all the same.
    if array.shape != shape:
        raise ArgumentError(argument, f"have shape ({meaning}) = {shape}", array.shape)
