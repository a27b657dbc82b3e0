"""Networks with all that a rule can have, for the tests of the engine: unsymmetric, with numbers that move."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from sgdsim.rules import KickMoments, Move, Rule, Sample, Sizes
from sgdsim.rules.clusters import Clusters
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.wrapped import Wrapped

P = np.array([[1.0, 0.3], [0.3, 0.8]])
M0 = np.array([[0.4, 0.1], [-0.2, 0.5], [0.1, 0.0]])
Q0 = np.array([[0.9, 0.2, -0.1], [0.2, 1.1, 0.3], [-0.1, 0.3, 0.7]])
START = Overlaps(P[None], M0[None], Q0[None])
OUTPUTS = np.array([0.6, 1.4, -0.8])


class Net(Rule):
    """y = lambda*_1 tanh(lambda*_2) + 0.3 zeta, f = sum_i a_i tanh(lambda_i)/3, both layers trained; zeta_2 kicks a."""

    rate_of: float
    teacher: np.ndarray
    k: int = eqx.field(static=True, default=2)
    p: int = eqx.field(static=True, default=3)

    @property
    def sizes(self):
        return Sizes(fixed=self.k, moving=self.p, numbers=self.p, normals=2)

    @property
    def rate(self):
        return self.rate_of

    @property
    def dt(self):
        return self.rate_of

    def begin(self, initial):
        return initial, np.broadcast_to(OUTPUTS, (*initial.Q.shape[:-2], 3))

    def step(self, at: Sample) -> Move:
        sigma = at.moving.map(jnp.tanh)
        target = (at.fixed * self.teacher).sum() * jnp.tanh(at.fixed[1])
        error = target + 0.3 * at.normals[0] - (sigma * at.numbers).mean()
        slopes = (sigma * sigma).map(lambda x: 1 - x) * at.numbers
        return Move(error, slopes, (sigma * error + 0.1 * at.normals[1]) * (0.5 * self.rate))

    def observe(self, P, M, Q, numbers):
        return {"M": M, "Q": Q, "a": numbers}


def net(rate=0.02):
    return Net(rate, np.array([0.7, -0.4]))


class ClusterNet(Net):
    """The net on inputs of clusters, each of which adds a number of its own to the label."""

    mixture: Clusters = eqx.field(kw_only=True)

    @property
    def sizes(self):
        return super().sizes._replace(normals=3)

    @property
    def clusters(self):
        return self.mixture

    def step(self, at):
        move, members = super().step(at), self.mixture.members(at.normals[-1])
        return move._replace(error=move.error + members[0] - 0.5 * members[2])


MEANS, VARIANCES, WEIGHTS = np.array([[1.0, 0.2], [-0.8, 0.4], [0.0, -1.2]]), (1.5, 0.5, 1.0), (0.5, 0.2, 0.3)
"""Clusters that are oblique, and unequal in all."""


def cluster_net(rate=0.02, means=MEANS, variances=VARIANCES, weights=WEIGHTS):
    return ClusterNet(rate, np.array([0.7, -0.4]), mixture=Clusters.of(means, variances, weights))


class Line(Rule):
    """Linear units of fixed outputs o, and an offset b that is trained beside them: closed averages of all kinds.

    y = t.lambda* + 0.3 zeta, f = sum_i o_i lambda_i + b.
    """

    step_size: float
    teacher: np.ndarray
    outputs: np.ndarray

    @property
    def sizes(self):
        return Sizes(fixed=2, moving=3, numbers=1)

    @property
    def rate(self):
        return self.step_size

    def begin(self, initial):
        return initial, np.full((*initial.Q.shape[:-2], 1), 0.4)

    def step(self, at: Sample) -> Move:
        f = (at.moving * self.outputs).sum() + at.numbers[0]
        error = (at.fixed * self.teacher).sum() + 0.3 * at.normals[0] - f
        kicks = at.moving.map(jnp.ones_like) * self.outputs
        return Move(error, kicks, at.numbers.map(jnp.zeros_like) + error * (0.5 * self.step_size))

    def observe(self, P, M, Q, numbers):
        return {"M": M, "Q": Q, "offset": numbers[0]}

    def moments(self, P, M, Q, numbers, time):
        t, o, b = jnp.asarray(self.teacher), jnp.asarray(self.outputs), numbers[0]
        square = t @ P @ t - 2 * (o @ M @ t) + o @ Q @ o + 0.09 + b**2
        column = o[:, None]
        return KickMoments(
            with_fixed=column * (P @ t - M.T @ o)[None],
            with_moving=column * (M @ t - Q @ o)[None],
            squares=square * (column * o[None]),
            numbers=jnp.reshape(-0.5 * self.step_size * b, (1,)),
            slopes=column * jnp.concatenate([t, -o])[None],
        )


def line(kind=Line, rate=0.02):
    return kind(rate, np.array([0.7, -0.4]), OUTPUTS)


class Clipped(Wrapped):
    """Kicks no longer than |g|^2/d = 10^-4."""

    @property
    def limits(self):
        return True

    def limit(self, squares, time):
        return squares.map(lambda length: jnp.minimum(1.0, 1e-2 / jnp.sqrt(length)))


class Slowing(Wrapped):
    """Kicks that grow smaller in time, by 1/(1 + t)."""

    step_time: float = 1e-3

    @property
    def dt(self):
        return self.step_time

    @property
    def timed(self):
        return True

    def step(self, at):
        move = self.inner.step(at)
        return move._replace(slopes=move.slopes * (1 / (1 + at.time)))


def agree(one, other):
    """Means and variances of every observable (entries, replicas) are the same to 4.5 error bars."""
    for name in one:
        a, b = one[name], other[name]
        replicas = a.shape[1]
        error = np.sqrt((a.var(1) + b.var(1)) / replicas) + 1e-6
        assert np.abs((a.mean(1) - b.mean(1)) / error).max() < 4.5, name
        squares = [(part - part.mean(1)[:, None]) ** 2 for part in (a, b)]
        spread = np.sqrt((squares[0].var(1) + squares[1].var(1)) / replicas)
        assert np.abs((a.var(1) - b.var(1)) / (spread + 1e-6)).max() < 4.5, name
