"""Averages over the iterates of SGD (Polyak & Juditsky 1992; Ruppert 1988)."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.contracts import Observables
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import KickMoments, Move, Sample, Sizes
from sgdsim.rules.units import Units
from sgdsim.rules.wrapped import Followed


class Average(Followed):
    """v <- v + (w - v)/(nu + 1) at step nu, of the w before it: after nu steps v is the mean of w^0, ..., w^(nu-1).

    The same of the numbers. Of all vectors and numbers of the inner rule the first `vectors` and `theta` have averages,
    which begin where they do: weights, not velocities. What is in `names` is observed of the averages too, as
    NAME_average.
    """

    vectors: int = eqx.field(static=True)
    theta: int = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)

    @property
    def sizes(self) -> Sizes:
        """The sizes of the inner rule, with an average beside every averaged vector and number."""
        inner = self.inner.sizes
        return inner._replace(moving=inner.moving + self.vectors, numbers=inner.numbers + self.theta)

    @property
    def timed(self) -> bool:
        """It is: nu = t/dt."""
        return True

    def begin(self, initial: Overlaps) -> tuple[Overlaps, Float[Array | np.ndarray, "*replicas q"]]:
        """The averages are what they average."""
        overlaps, numbers = self.inner.begin(initial)
        return overlaps.with_copies(self.vectors), jnp.concatenate([numbers, numbers[..., : self.theta]], axis=-1)

    def _share(self, time: Any) -> Any:
        """The share 1/(nu + 1) of the newest iterate in the average of all."""
        return self.dt / (time + self.dt)

    def step(self, at: Sample) -> Move:
        """Averages are not kicked."""
        theta, move = self.inner.sizes.numbers, self.inner.step(self.seen_inside(at))
        slopes = move.slopes.join(move.slopes[: self.vectors].map(jnp.zeros_like))
        if move.numbers is None:
            return move._replace(slopes=slopes)
        gained = (at.numbers[: self.theta] - at.numbers[theta:]) * self._share(at.time)
        return move._replace(slopes=slopes, numbers=move.numbers.join(gained))

    def drift(self, vectors: Units, time: Any) -> Units:
        """(w - v)/(nu + 1), beside the inner rule's of w."""
        own = self.inner.sizes.moving
        w = vectors[:own]
        inner = self.inner.drift(w, time) if self.inner.drifts else w.map(jnp.zeros_like)
        return inner.join((w[: self.vectors] - vectors[own:]) * self._share(time))

    def limit(self, squares: Units, time: Any) -> Units:
        """The inner rule's; averages have no kick."""
        own = self.inner.sizes.moving
        return self.inner.limit(squares[:own], time).join(squares[own:].map(jnp.ones_like))

    def observe(
        self,
        P: Float[Array, "k k *batch"],
        M: Float[Array, "n k *batch"],
        Q: Float[Array, "n n *batch"],
        numbers: Float[Array, "q *batch"],
    ) -> Observables:
        """What the inner rule observes, and what is in `names` of the averages, in place of what they average."""
        n, q = self.inner.sizes.moving, self.inner.sizes.numbers
        vectors = np.r_[n : n + self.vectors, self.vectors : n]
        theta = np.r_[q : q + self.theta, self.theta : q]
        seen = self.inner.observe(P, M[vectors], Q[vectors][:, vectors], numbers[theta])
        return super().observe(P, M, Q, numbers) | {f"{name}_average": seen[name] for name in self.names}

    def moments(
        self,
        P: Float[Array, "k k"],
        M: Float[Array, "n k"],
        Q: Float[Array, "n n"],
        numbers: Float[Array, " q"],
        time: Any,
    ) -> KickMoments | None:
        """The inner rule's, and rows of zeros."""
        inner, more = self.inner_moments(P, M, Q, numbers, time), self.vectors
        if inner is None:
            return None
        gained = (numbers[: self.theta] - numbers[self.inner.sizes.numbers :]) * self._share(time)
        below = ((0, more), (0, 0))
        return KickMoments(
            with_fixed=jnp.pad(inner.with_fixed, below),
            with_moving=jnp.pad(inner.with_moving, below),
            squares=jnp.pad(inner.squares, ((0, more), (0, more))),
            numbers=jnp.concatenate([inner.numbers, gained]),
            slopes=None if inner.slopes is None else jnp.pad(inner.slopes, below),
        )
