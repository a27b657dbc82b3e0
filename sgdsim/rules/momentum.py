"""Momentum: a velocity behind every moving vector, and behind every number."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import KickMoments, Move, Sample, Sizes
from sgdsim.rules.units import Units
from sgdsim.rules.wrapped import Followed


class Momentum(Followed):
    """Heavy ball: u <- mu u + (kick), w <- w + u with mu = 1 - gap; the same of numbers theta.

    The velocities u stand behind the vectors, at rest at t = 0. The gap is what is kept: beside 1 a mu = 1 - c/d would
    lose it in float32. A drift of the inner rule is part of the kick. Lengths that the inner rule sets are those of w
    alone: velocities stay as they are, their parts along w too.
    """

    gap: Any

    @property
    def sizes(self) -> Sizes:
        """Every moving vector and every number has a velocity."""
        inner = self.inner.sizes
        return inner._replace(moving=2 * inner.moving, numbers=2 * inner.numbers)

    @property
    def relaxation(self) -> float:
        """1 - mu, of a velocity."""
        return max(float(self.gap), self.inner.relaxation)

    def begin(self, initial: Overlaps) -> tuple[Overlaps, Float[Array | np.ndarray, "*replicas q"]]:
        """The start of the inner rule, with velocities 0 beside its vectors and numbers."""
        overlaps, numbers = self.inner.begin(initial)
        return overlaps.with_zeros(), jnp.concatenate([jnp.asarray(numbers), jnp.zeros(numbers.shape)], axis=-1)

    def step(self, at: Sample) -> Move:
        """The kick of the inner rule, given to the vectors and to their velocities."""
        theta, move = self.inner.sizes.numbers, self.inner.step(self.seen_inside(at))
        numbers = None if move.numbers is None else self._moved(at.numbers[theta:], move.numbers)
        return move._replace(slopes=move.slopes.join(move.slopes), numbers=numbers)

    def _moved(self, u: Units, kick: Units) -> Units:
        """What w and u gain."""
        new = kick - u * self.gap
        return (u + new).join(new)

    def drift(self, vectors: Units, time: Any) -> Units:
        """w gains mu u, u loses (1 - mu) u; both gain what the inner rule's drift gives w."""
        own = self.inner.sizes.moving
        w, u = vectors[:own], vectors[own:]
        lost = u * (-self.gap)
        new = lost + self.inner.drift(w, time) if self.inner.drifts else lost
        return (u + new).join(new)

    def limit(self, squares: Units, time: Any) -> Units:
        """The inner rule's, of the one kick that both have."""
        factors = self.inner.limit(squares[: self.inner.sizes.moving], time)
        return factors.join(factors)

    def moments(
        self,
        P: Float[Array, "k k"],
        M: Float[Array, "n k"],
        Q: Float[Array, "n n"],
        numbers: Float[Array, " q"],
        time: Any,
    ) -> KickMoments | None:
        """The inner rule's, of kicks that are there twice."""
        inner = self.inner_moments(P, M, Q, numbers, time)
        if inner is None:
            return None
        theta = self.inner.sizes.numbers
        new = inner.numbers - self.gap * numbers[theta:]
        return KickMoments(
            with_fixed=jnp.tile(inner.with_fixed, (2, 1)),
            with_moving=jnp.tile(inner.with_moving, (2, 1)),
            squares=jnp.tile(inner.squares, (2, 2)),
            numbers=jnp.concatenate([numbers[theta:] + new, new]),
            slopes=None if inner.slopes is None else jnp.tile(inner.slopes, (2, 1)),
        )
