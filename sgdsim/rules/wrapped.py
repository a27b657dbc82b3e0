"""Rules made from other rules: weight decay, spheres, gradients of limited length, batches used again.

Each is a module around an inner rule, so that they can be put together: Momentum(Decay(rule, w), gap) is heavy-ball
SGD with weight decay. The inner rule's vectors and numbers come first; those that a wrapper adds (see `momentum` and
`average`) stand behind them, unobserved.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.contracts import Observables
from sgdsim.rules.clusters import Clusters
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import KickMoments, Move, Rule, Sample, Sizes
from sgdsim.rules.units import Units

RIDGE = 1e-14
"""Of the fields' mean variance: what is added to variances, so that fields that coincide can be regressed on."""


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
    def relaxation(self) -> float:
        """That of the inner rule."""
        return self.inner.relaxation

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
    def clusters(self) -> Clusters | None:
        """As the inner rule."""
        return self.inner.clusters

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

    def limit(self, squares: Units, time: Any) -> Units:
        """As the inner rule."""
        return self.inner.limit(squares, time)

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
        """What the inner rule observes, of its vectors and numbers."""
        own, theta = self.inner.sizes.moving, self.inner.sizes.numbers
        return self.inner.observe(P, M[:own], Q[:own, :own], numbers[:theta])

    def moments(
        self,
        P: Float[Array, "k k"],
        M: Float[Array, "n k"],
        Q: Float[Array, "n n"],
        numbers: Float[Array, " q"],
        time: Any,
    ) -> KickMoments | None:
        """Those of the inner rule, of a wrapper that has the inner rule's step and sees a sample once."""
        own_step = type(self).step is not Wrapped.step
        return None if own_step or self.limits or self.visits > 1 else self.inner.moments(P, M, Q, numbers, time)


class Followed(Wrapped):
    """A rule whose vectors and numbers are followed by others: no kick depends on them, nobody sets their length."""

    @property
    def drifts(self) -> bool:
        """What follows is drawn along."""
        return True

    def seen_inside(self, at: Sample) -> Sample:
        """What the inner rule sees of a sample."""
        sizes = self.inner.sizes
        return at._replace(moving=at.moving[: sizes.moving], numbers=at.numbers[: sizes.numbers])

    def rescale(self, squares: Units) -> Units:
        """The inner rule's; what follows keeps its length."""
        own = self.inner.sizes.moving
        return self.inner.rescale(squares[:own]).join(squares[own:].map(jnp.zeros_like))

    def inner_moments(
        self,
        P: Float[Array, "k k"],
        M: Float[Array, "n k"],
        Q: Float[Array, "n n"],
        numbers: Float[Array, " q"],
        time: Any,
    ) -> KickMoments | None:
        """Those of the inner rule's kicks, with what follows among the other fields; slopes in it are zero."""
        own, theta = self.inner.sizes.moving, self.inner.sizes.numbers
        inner = self.inner.moments(P, M[:own], Q[:own, :own], numbers[:theta], time)
        if inner is None:
            return None
        with_moving = jnp.concatenate([inner.with_moving, along_others(inner, P, M, Q)], axis=1)
        slopes = inner.slopes
        if slopes is not None:
            slopes = jnp.pad(slopes, ((0, 0), (0, len(Q) - own)))
        return inner._replace(with_moving=with_moving, slopes=slopes)


def along_others(
    moments: KickMoments, P: Float[Array, "k k"], M: Float[Array, "n k"], Q: Float[Array, "n n"]
) -> Float[Array, "own others"]:
    """E[K_a lambda_b] of kicks K_a of the first vectors and fields of the others, which no kick depends on.

    Given the fields that it does depend on, lambda_b is their linear combination and a normal that has nothing to do
    with them: E[K lambda_b] = E[K l^T] C^-1 E[l lambda_b], l the fixed and own fields and C their covariance.
    """
    own = len(moments.with_fixed)
    C = jnp.block([[P, M[:own].T], [M[:own], Q[:own, :own]]])
    C = C + RIDGE * jnp.trace(C) / len(C) * jnp.eye(len(C))
    seen = jnp.concatenate([moments.with_fixed, moments.with_moving], axis=1)
    others = jnp.concatenate([M[own:].T, Q[:own, own:]])
    return seen @ jax.scipy.linalg.solve(C, others, assume_a="pos")


class Decay(Wrapped):
    """Weight decay: w <- (1 - decay) w + (kick), decay = gamma w/(p d) per step."""

    decay: Any

    @property
    def drifts(self) -> bool:
        """Weight decay multiplies the vectors by a number near 1 at every step."""
        return True

    def drift(self, vectors: Units, time: Any) -> Units:
        """-decay v, beside the inner rule's."""
        own = vectors * (-self.decay)
        return own + self.inner.drift(vectors, time) if self.inner.drifts else own


class Spherical(Wrapped):
    """w <- w/|w| sqrt(d) at t = 0 and after every step, for every moving vector of the inner rule, all weights."""

    def begin(self, initial: Overlaps) -> tuple[Overlaps, Float[Array | np.ndarray, "*replicas q"]]:
        """The start of the inner rule, with every moving vector brought to the sphere."""
        overlaps, numbers = self.inner.begin(initial)
        return overlaps.normalised(), numbers

    @property
    def rescales(self) -> bool:
        """Every moving vector is divided by its length after a step."""
        return True

    def rescale(self, squares: Units) -> Units:
        """1/sqrt(Q_aa) - 1, without cancellation near 1."""
        return squares.map(lambda Q: (1 - Q) / (Q + jnp.sqrt(Q)))


class Limited(Wrapped):
    """The kicks g_a of a step made shorter, all by one factor, from their total length |g| = (sum_a |g_a|^2)^(1/2).

    `bound` is a length in units of sqrt(d).
    """

    bound: Any

    @property
    def limits(self) -> bool:
        """The length of a kick is known before it is made, and limited."""
        return True

    def factor(self, ratio: Any) -> Any:
        """The factor from sqrt(d) bound/|g|."""
        raise NotImplementedError

    def limit(self, squares: Units, time: Any) -> Units:
        """One factor for all kicks of the step."""
        total = squares.sum()
        factor = self.factor(self.bound / jnp.sqrt(jnp.maximum(total, jnp.finfo(total.dtype).tiny)))
        return squares.combined(lambda own, one: jnp.broadcast_to(one, own.shape), factor)


class Clipped(Limited):
    """Clipped gradients: g_a <- g_a min(1, sqrt(d) bound/|g|)."""

    def factor(self, ratio: Any) -> Any:
        """min(1, ratio): a kick that is short enough stays as it is."""
        return jnp.minimum(ratio, 1)


class Normalised(Limited):
    """Normalised gradients: g_a <- g_a sqrt(d) bound/|g|."""

    def factor(self, ratio: Any) -> Any:
        """The ratio itself: every kick gets the same length."""
        return ratio


class Reused(Wrapped):
    """Every batch is used several times, one update after the other (Dandi et al. 2024)."""

    times: int = eqx.field(static=True)

    @property
    def visits(self) -> int:
        """Visits of one sample: those of this rule times those of the inner one."""
        return self.times * self.inner.visits
