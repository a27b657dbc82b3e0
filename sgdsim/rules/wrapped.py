"""Rules made from other rules: weight decay, momentum, spheres, clipped gradients, batches used again, averages.

Each is a module around an inner rule, so that they can be put together: Momentum(Decay(rule, w), mu) is heavy-ball
SGD with weight decay. The inner rule's vectors come first; those that a wrapper adds stand behind them, unobserved.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.contracts import Observables
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import Move, Rule, Sample, Sizes
from sgdsim.rules.units import Units


class Wrapped(Rule):
    """A rule that does what its inner rule does."""

    inner: Rule

    @property
    def sizes(self) -> Sizes:
        """Those of the inner rule."""
        return self.inner.sizes

    @property
    def rate(self) -> Any:
        """That of the inner rule."""
        return self.inner.rate

    @property
    def dt(self) -> Any:
        """That of the inner rule."""
        return self.inner.dt

    @property
    def visits(self) -> int:
        """Those of the inner rule."""
        return self.inner.visits

    @property
    def timed(self) -> bool:
        """As the inner rule."""
        return self.inner.timed

    @property
    def drifts(self) -> bool:
        """As the inner rule."""
        return self.inner.drifts

    @property
    def limits(self) -> bool:
        """As the inner rule."""
        return self.inner.limits

    @property
    def rescales(self) -> bool:
        """As the inner rule."""
        return self.inner.rescales

    @property
    def given(self) -> int:
        """As the inner rule."""
        return self.inner.given

    def begin(self, initial: Overlaps) -> tuple[Overlaps, Float[Array | np.ndarray, "*replicas q"]]:
        """As the inner rule."""
        return self.inner.begin(initial)

    def step(self, at: Sample) -> Move:
        """As the inner rule."""
        return self.inner.step(at)

    def drift(self, vectors: Units, time: Any) -> Units:
        """As the inner rule."""
        return self.inner.drift(vectors, time)

    def limit(self, squares: Units) -> Units:
        """As the inner rule."""
        return self.inner.limit(squares)

    def rescale(self, squares: Units) -> Units:
        """As the inner rule."""
        return self.inner.rescale(squares)

    def observe(
        self,
        P: Float[Array, "k k *batch"],
        M: Float[Array, "n k *batch"],
        Q: Float[Array, "n n *batch"],
        numbers: Float[Array, "q *batch"],
    ) -> Observables:
        """What the inner rule observes, of its vectors."""
        own = self.inner.sizes.moving
        return self.inner.observe(P, M[:own], Q[:own, :own], numbers)


class Decay(Wrapped):
    """Weight decay: w <- (1 - decay) w + (kick), decay = gamma w/(p d) per step."""

    decay: Any

    @property
    def drifts(self) -> bool:
        """It does."""
        return True

    def drift(self, vectors: Units, time: Any) -> Units:
        """-decay v, beside the inner rule's."""
        own = vectors * (-self.decay)
        return own + self.inner.drift(vectors, time) if self.inner.drifts else own


class Momentum(Wrapped):
    """Heavy ball: u <- mu u + (kick), w <- w + u. The velocities u stand behind the vectors, at rest at t = 0."""

    mu: Any

    @property
    def sizes(self) -> Sizes:
        """Every moving vector has a velocity."""
        inner = self.inner.sizes
        return inner._replace(moving=2 * inner.moving)

    @property
    def drifts(self) -> bool:
        """It does."""
        return True

    def begin(self, initial: Overlaps) -> tuple[Overlaps, Float[Array | np.ndarray, "*replicas q"]]:
        """Velocities zero."""
        overlaps, numbers = self.inner.begin(initial)
        return overlaps.with_zeros(), numbers

    def step(self, at: Sample) -> Move:
        """Both are kicked."""
        own = self.inner.sizes.moving
        move = self.inner.step(at._replace(moving=at.moving[:own]))
        return move._replace(slopes=move.slopes.join(move.slopes))

    def drift(self, vectors: Units, time: Any) -> Units:
        """w gains mu u, u loses (1 - mu) u; both gain what the inner rule's drift gives w."""
        own = self.inner.sizes.moving
        w, u = vectors[:own], vectors[own:]
        if not self.inner.drifts:
            return (u * self.mu).join(u * (self.mu - 1))
        pull = self.inner.drift(w, time)
        return (u * self.mu + pull).join(u * (self.mu - 1) + pull)


class Spherical(Wrapped):
    """w <- w/|w| sqrt(d) after every step, for every moving vector of a rule without velocities or averages."""

    @property
    def rescales(self) -> bool:
        """It does."""
        return True

    def rescale(self, squares: Units) -> Units:
        """1/sqrt(Q_aa) - 1, without cancellation near 1."""
        return squares.map(lambda Q: (1 - Q) / (Q + jnp.sqrt(Q)))


class Reused(Wrapped):
    """Every batch is used several times, one update after the other (Dandi et al. 2024)."""

    times: int = eqx.field(static=True)

    @property
    def visits(self) -> int:
        """So often."""
        return self.times * self.inner.visits
