"""The start: uniform weights, as PyTorch draws them or from a law that does not depend on the width."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.random import Generator

from sgdsim.classification.problem import Classification
from sgdsim.contracts import Initial, Problem, Start
from sgdsim.ensemble.random import Key, fold, threefry

INITIAL = 2**40
"""What a replica's key is folded with to draw its start; the number of an epoch, for the order of the images."""


@dataclass(frozen=True)
class RandomStart(Start):
    """Independent uniform weights, by the problem's `init`; every replica draws its own."""

    takes: ClassVar[type[Problem]] = Classification
    per_replica: bool = field(default=False, init=False)

    def check(self, problem: Classification) -> None:
        """Any problem will do."""

    def draw(self, problem: Classification, rng: Generator, size: int) -> Initial:
        """Nothing: the weights follow from the replica's key."""
        return ()


def uniform_weights(
    key: Key, N: int, pixels: int, classes: int
) -> tuple[Float[Array, "lanes N pixels"], Float[Array, "lanes N classes"]]:
    """U(-1, 1) for every weight into and out of every hidden unit, float64. Counter words: (unit, weight).

    The first units of a wide network are those of a narrow one.
    """
    shape = (key[0].shape[0], N, pixels + classes)
    k0, k1 = (jnp.broadcast_to(word[:, None, None], shape) for word in fold(key, INITIAL))
    unit, weight = (jax.lax.broadcasted_iota(jnp.uint32, shape, axis) for axis in (1, 2))
    bits, _ = threefry((k0, k1), (unit, weight))
    uniform = (bits.astype(jnp.float64) + 0.5) * 2.0**-31 - 1
    return uniform[..., :pixels], uniform[..., pixels:]
