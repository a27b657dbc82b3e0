"""Copies of one network: how independent two of its particles are, at all and given the data.

A replica is seven runs. Four have starts and data of their own; three have starts of their own and the data of the
first. Of four runs a, b, c, d that are independent, or independent given the data, and a distance |.|,

    Cov(W^1, W^2) = E (W_a^1 - W_b^1).(W_a^2 - W_b^2)/2
    dCov^2(W^1, W^2) = E D^1 D^2/4,    D^k = |W_a^k - W_d^k| + |W_b^k - W_c^k| - |W_a^k - W_c^k| - |W_b^k - W_d^k|

dCov is the distance covariance (Szekely, Rizzo & Bakirov 2007), a distance of energy between the joint law of both and
the product of their laws: it is 0 where they are independent and nowhere else. Averages over all pairs of particles of
single runs have no bias, at any number of runs.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.random import fold
from sgdsim.meanfield.features import dot
from sgdsim.meanfield.kernels.pair import pair_product
from sgdsim.meanfield.kernels.particle import DRIVEN, ParticleKernel, ParticleState
from sgdsim.meanfield.limits.drives import minus
from sgdsim.meanfield.observables import Positions
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given

FIRST = DRIVEN + 1
"""What a replica's key is folded with for its first copy; the others follow."""
OWN, GIVEN = (0, 1, 2, 3), (0, 4, 5, 6)
"""The copies with data of their own, and those that share the data of the first."""
COUNT = 7


def copy_keys(keys: UInt32[Array, "2 lanes"], copies: Sequence[int]) -> UInt32[Array, "2 many"]:
    """The keys of these copies of all lanes, a copy after the other."""
    # All at once: a fold for each of many copies would be as long a program.
    numbers = FIRST + jnp.asarray(np.asarray(copies, np.uint64))[:, None]
    return jnp.stack([word.reshape(-1) for word in fold((keys[0][None], keys[1][None]), numbers)])


def for_copies(initial: Given, lanes: int, copies: int) -> Given:
    """Given particles, for all copies of all lanes."""
    if initial.particles is None or len(initial.particles) == 1:
        return initial
    return Given(jnp.tile(jnp.asarray(initial.particles), (copies, 1, 1)))


class CopiesKernel(Kernel):
    """Seven runs of one problem for each replica of a tile; `system` has lanes for all of them."""

    kept: ClassVar[tuple[str, ...]] = (
        "excess_risk",
        "m",
        "mean",
        "variance",
        "covariance",
        "covariance_given_data",
        "dependence",
        "dependence_given_data",
    )

    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    system: ParticleKernel

    @classmethod
    def of(cls, problem: MeanField, dtype: Any, lanes: int) -> "CopiesKernel":
        """The kernel of a problem."""
        return cls(lanes=lanes, segment=1, system=ParticleKernel.of(problem, dtype, COUNT * lanes))

    def init(self, initial: Given, keys: UInt32[Array, "2 lanes"]) -> ParticleState:
        """All copies at starts of their own."""
        state = self.system.init(for_copies(initial, self.lanes, COUNT), copy_keys(keys, range(COUNT)))
        # Drawn from now on under the key of the first: its data, for starts that are not its own.
        data = copy_keys(keys, [copy if copy in OWN else 0 for copy in range(COUNT)])
        return ParticleState(W=state.W, keys=data, step=state.step)

    def advance(self, state: ParticleState, n_steps: Int[Array, ""]) -> ParticleState:
        """n_steps of all copies."""
        return self.system.advance(state, n_steps)

    def observe(self, state: ParticleState) -> Observables:
        """What is observed of the first copy, and how independent its particles are."""
        first = ParticleState(tuple(w[:, : self.lanes] for w in state.W), state.keys[:, : self.lanes], state.step)
        W = tuple(w.astype(jnp.float64).reshape(len(w), COUNT, self.lanes) for w in state.W)
        own, given = ([tuple(w[:, copy] for w in W) for copy in copies] for copies in (OWN, GIVEN))
        return self.system.observe(first) | {
            "covariance": covariance(own),
            "covariance_given_data": covariance(given),
            "dependence": distance_covariance(own),
            "dependence_given_data": distance_covariance(given),
        }


def covariance(copies: Sequence[Positions]) -> Float[Array, " lanes"]:
    """Cov(W^1, W^2) of two particles of a run, summed over weights, from four runs."""
    a, b, c, d = copies
    products = [pair_product(one) for pair in ((a, b), (c, d)) for one in minus(*pair)]
    return sum(products[1:], products[0]) / 4


def distance_covariance(copies: Sequence[Positions]) -> Float[Array, " lanes"]:
    """dCov^2(W^1, W^2) of two particles of a run, from four runs, in all three ways to part them into pairs."""
    a, b, c, d = copies
    found = [
        pair_product(_between(a, d) + _between(b, c) - _between(a, c) - _between(b, d))
        for a, b, c, d in ((a, b, c, d), (a, c, b, d), (a, d, b, c))
    ]
    return sum(found[1:], found[0]) / 12


def _between(a: Positions, b: Positions) -> Float[Array, "N lanes"]:
    """|W_a^k - W_b^k| of every particle."""
    apart = minus(a, b)
    return jnp.sqrt(dot(apart, apart))
