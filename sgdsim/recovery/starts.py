"""The start: vectors with exact overlaps, uniform otherwise."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.contracts import Problem, Start
from sgdsim.ensemble.random import Key, block_normals, fold
from sgdsim.recovery.problem import Recovery


class SignalOverlaps(eqx.Module):
    """m = x.x*/N and C = |x|^2/N at t = 0, float64, with or without a replica axis."""

    m: Float[Array | np.ndarray, "*replicas"]
    C: Float[Array | np.ndarray, "*replicas"]


@dataclass(frozen=True)
class ExactStart(Start):
    """The overlaps m0 and C00 of the problem, exactly, in every replica: x* and the rest of x(0) are random."""

    takes: ClassVar[type[Problem]] = Recovery
    per_replica: bool = field(default=False, init=False)

    def check(self, problem: Recovery) -> None:
        """Any problem will do: it has checked that m0^2 <= C00."""

    def draw(self, problem: Recovery, rng: np.random.Generator, size: int) -> SignalOverlaps:
        """The problem's overlaps, `size` times."""
        return SignalOverlaps(m=np.full(size, problem.m0), C=np.full(size, problem.C00))


def random_frame(key: Key, N: int, vectors: int) -> Float[Array, "vectors {N} lanes"]:
    """Orthogonal vectors of length sqrt(N), uniform in the sphere, float64; a frame of its own for every lane.

    Vector v is drawn under the key folded with v + 1, so that it does not depend on their number, and made orthogonal
    to those before by Gram and Schmidt, twice over: to rounding also where N is small.
    """
    # One after another in a loop: written out for every vector, the generator takes long to compile.
    normals = jax.lax.map(lambda number: block_normals(fold(key, number), N, jnp.float64).T, jnp.arange(vectors) + 1)
    frame: list[Any] = []
    for vector in normals:
        for other in frame * 2:
            vector = vector - other * (jnp.sum(other * vector, axis=0, keepdims=True) / N)
        frame.append(vector * (N / jnp.sum(vector * vector, axis=0, keepdims=True)) ** 0.5)
    return jnp.stack(frame)


def transverse(signal: Float[Array, "N lanes"], vectors: Float[Array, "N lanes"]) -> Float[Array, "N lanes"]:
    """The vectors without their part along the signal, of length sqrt(N); the signal has this length."""
    N = len(signal)
    for _ in range(2):  # once leaves what rounding leaves, of vectors that are nearly along it
        vectors = vectors - signal * (jnp.sum(signal * vectors, axis=0, keepdims=True) / N)
    return vectors * (N / jnp.sum(vectors * vectors, axis=0, keepdims=True)) ** 0.5


def exact_start(
    overlaps: SignalOverlaps, signal: Float[Array, "N lanes"], other: Float[Array, "N lanes"]
) -> Float[Array, "N lanes"]:
    """x(0) = m0 x* + sqrt(C00 - m0^2) u, with u orthogonal to x* and of the same length."""
    # m0^2 = C00 may round to just below 0.
    across = jnp.sqrt(jnp.maximum(overlaps.C - overlaps.m**2, 0.0))
    return jnp.asarray(overlaps.m)[None, :] * signal + across[None, :] * other
