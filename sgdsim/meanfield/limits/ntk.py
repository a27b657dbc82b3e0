"""The lazy limit, 1/2 < a < 1 and N -> infinity: particles do not move, and predictions are linear in the kernel.

    m' = -K c(m),   K_ij = E grad F(W_0, x_i) . grad F(W_0, x_j),   m(0) = 0

m(0) = N^(1-a) E F + O(N^(1/2-a)) needs a law under which E F = 0, and a > 1/2.
"""

import math
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.data import Atoms
from sgdsim.meanfield.limits.characteristics import State, Weights, hermite_nodes, rk4
from sgdsim.meanfield.limits.drives import atoms_of, pull
from sgdsim.meanfield.limits.sobol_particles import sobol_start
from sgdsim.meanfield.losses import Loss
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.observables import Positions

_LOG2 = 18
_ZERO = 1e-3
"""What counts as E F = 0, in units of the root of E F^2: the error of 2^18 Sobol points is below."""
_LONGEST = 0.1
"""Longest step of RK4, times the largest eigenvalue of the kernel."""
SPACING = 2.5e-3
"""Longest distance of the times at which m is known."""


def law_nodes(model: Model) -> tuple[Positions, Weights]:
    """Weighted particles of the law at t = 0: Gauss-Hermite nodes for one weight, else Sobol points."""
    if model.dim == 1:
        return hermite_nodes(model)
    start = tuple(w.reshape(-1, 1) for w in sobol_start(model, _LOG2))
    return start, 1 / len(start[0])


@jax.jit
def tangent_kernel(model: Model, W: Positions, weights: Weights) -> Float[Array, "J J"]:
    """E grad F_i . grad F_j over weighted particles (n, 1), a row at a time."""

    def gradient(x: Float[Array, " inputs"]) -> Positions:
        return pull(model, W, tuple(x), jnp.ones(()))

    def row(x: Float[Array, " inputs"]) -> Float[Array, " J"]:
        mine = tuple(jnp.asarray(weights) * g for g in gradient(x))

        def entry(other: Float[Array, " inputs"]) -> Float[Array, ""]:
            return sum((jnp.sum(a * b) for a, b in zip(mine, gradient(other), strict=True)), jnp.zeros(()))

        return jax.lax.map(entry, atoms_of(model).points)

    return jax.lax.map(row, atoms_of(model).points)


@jax.jit
def output_moments(model: Model, W: Positions, weights: Weights) -> tuple[Float[Array, " J"], Float[Array, " J"]]:
    """E F_j and E F_j^2."""

    def at(x: Float[Array, " inputs"]) -> tuple[Array, Array]:
        values = model.feature(W, tuple(x))
        return jnp.sum(jnp.asarray(weights) * values), jnp.sum(jnp.asarray(weights) * values**2)

    return jax.lax.map(at, atoms_of(model).points)


@partial(jax.jit, static_argnames=("loss", "steps"))
def evolve(
    atoms: Atoms, loss: Loss, K: Float[Array, "J J"], dt: Float[Array, ""] | float, steps: int
) -> Float[Array, "grid J"]:
    """m at the times 0, dt, ..., steps dt, by one step of RK4 each."""

    def velocity(m: State, t: Array) -> State:
        return (-K @ atoms.coefficients(loss, m[0])[0],)

    def step(m: State, _: None) -> tuple[State, Array]:
        ahead = rk4(velocity, m, jnp.zeros(()), jnp.asarray(dt))
        return ahead, ahead[0]

    start = jnp.zeros(len(K))
    return jnp.concatenate([start[None], jax.lax.scan(step, (start,), None, length=steps)[1]])


def solve_ntk(model: Model, final: float) -> tuple[float, Float[np.ndarray, "grid J"]]:
    """Spacing of the times 0, spacing, ..., final, and m there.

    **Raises:** ArgumentError for data from a sampler, and where E F does not vanish under the law at t = 0.
    """
    W, weights = _checked_nodes(_Itself(model))
    K = tangent_kernel(model, W, weights)
    rate = float(jnp.linalg.eigvalsh(K)[-1])
    # A power of two: the number of steps is static, and cells that differ little share the compiled program. RK4 is
    # stable up to a step of 2.8 over the largest eigenvalue.
    steps = 2 ** math.ceil(math.log2(max(final / SPACING, final * rate / _LONGEST, 1)))
    return final / steps, np.asarray(evolve(atoms_of(model), model.loss, K, final / steps, steps))


class _Itself:
    """A model as a key: made of arrays and functions, it is equal to nothing but itself."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.model is other.model

    def __hash__(self) -> int:
        return id(self.model)


# The cells of a grid have one model, and to average over its law takes a seventh of a second.
@lru_cache(maxsize=1)
def _checked_nodes(only: _Itself) -> tuple[Positions, Weights]:
    """Nodes of the law; raises ArgumentError as `solve_ntk`."""
    model = only.model
    if model.atoms is None:
        raise ArgumentError("model", "have finitely many atoms for the tangent kernel", model.name)
    W, weights = law_nodes(model)
    mean, square = output_moments(model, W, weights)
    # In units of F itself: a feature of large values has a mean of large rounding.
    if float(jnp.max(jnp.abs(mean) - _ZERO * jnp.sqrt(square))) > 0:
        remedy = "Otherwise predictions at t = 0 grow as N^(1 - a): take a law that is even in the output weight."
        raise ArgumentError("model", "have E F = 0 at t = 0 for the lazy limit", model.name, remedy)
    return W, weights


def check_ntk(model: Model) -> None:
    """Raises ArgumentError as `solve_ntk`."""
    _checked_nodes(_Itself(model))
