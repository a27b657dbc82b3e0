"""A network with all that a rule can have, for the tests of the engine: unsymmetric, with numbers that move."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from sgdsim.rules import Move, Rule, Sample, Sizes
from sgdsim.rules.overlaps import Overlaps

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
