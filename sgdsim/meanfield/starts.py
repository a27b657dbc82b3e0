"""The start: independent particles from the model's law, all at one point, or given ones."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.checks import row
from sgdsim.contracts import Problem, Start
from sgdsim.ensemble.random import Key, block_normals, fold
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.problem import MeanField
from sgdsim.parameters import Parameter

INITIAL = 0
"""What a replica's key is folded with to draw its start."""


class Given(eqx.Module):
    """Particles at t = 0, or None where each replica draws its own from the model's law."""

    particles: Float[Array | np.ndarray, "*replicas N dim"] | None


@dataclass(frozen=True)
class LawStart(Start):
    """Every replica draws N independent particles from the model's law."""

    takes: ClassVar[type[Problem]] = MeanField
    per_replica: bool = field(default=False, init=False)

    def check(self, problem: MeanField) -> None:
        """Any problem will do: its model has a law."""

    def draw(self, problem: MeanField, rng: np.random.Generator, size: int) -> Given:
        """No particles are given: each replica draws its own from its key, where it is simulated."""
        return Given(None)


@dataclass(frozen=True)
class ExplicitStart(Start):
    """The same given particles in every replica."""

    particles: Annotated[
        tuple[tuple[float, ...], ...], Parameter("W_0", "N rows of dim weights", written=list[list[float]])
    ]
    takes: ClassVar[type[Problem]] = MeanField
    per_replica: bool = field(default=False, init=False)

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError where they are not N particles of the model's dimension."""
        shape, given = (problem.N, problem.model.dim), _table(self.particles)
        if given.shape != shape:
            raise ArgumentError("particles", f"have shape (N, dim) = {shape}", given.shape)
        if not np.isfinite(given).all():
            raise ArgumentError("particles", "be finite", given[~np.isfinite(given)].tolist())

    def draw(self, problem: MeanField, rng: np.random.Generator, size: int) -> Given:
        """The particles, `size` times."""
        # A view: the same N rows are not copied for every replica.
        return Given(np.broadcast_to(np.asarray(self.particles, np.float64), (size, problem.N, problem.model.dim)))


@dataclass(frozen=True)
class PointStart(Start):
    """All particles of all replicas at one point: with noise that they share they stay together, exactly."""

    point: Annotated[
        tuple[float, ...], Parameter("w_0", "the dim weights that all particles start with", written=list[float])
    ]
    takes: ClassVar[type[Problem]] = MeanField
    per_replica: bool = field(default=False, init=False)

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError where it is no point of the model's dimension."""
        given = row("point", self.point)
        if len(given) != problem.model.dim or not np.isfinite(given).all():
            raise ArgumentError("point", f"be {problem.model.dim} finite weights", self.point)

    def draw(self, problem: MeanField, rng: np.random.Generator, size: int) -> Given:
        """The point, N times, `size` times."""
        return Given(np.broadcast_to(np.asarray(self.point, np.float64), (size, problem.N, problem.model.dim)))


def _table(particles: Any) -> np.ndarray:
    """An array; **raises** ArgumentError where rows are of different length, or not of numbers."""
    try:
        return np.asarray(particles, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError("particles", "be N rows of as many numbers", particles) from None


def start_particles(model: Model, N: int, given: Given, key: Key) -> tuple[Float[Array, "N lanes"], ...]:
    """The weights of every lane at t = 0, float64; those that are given have a replica axis of 1 or of the lanes."""
    lanes = key[0].shape[0]
    if given.particles is not None:
        W = jnp.transpose(jnp.asarray(given.particles), (2, 1, 0))
        return tuple(jnp.broadcast_to(W, (*W.shape[:2], lanes)))
    # In float64 whatever the precision of the loop, so that runs in float32 and float64 begin at the same particles.
    normals = block_normals(fold(key, INITIAL), model.dim * N, jnp.float64)
    return tuple(model.law(normals.T.reshape(model.dim, N, lanes)))
