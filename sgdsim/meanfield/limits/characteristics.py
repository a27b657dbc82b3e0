"""The limit without noise, beta < 1: particles that follow the drift of their own law.

    W' = -h(W, m),   h = sum_j c_j(m) grad F_j(W),   m_j = sum_i weights_i F(W^i, x_j)

The law at t = 0 is carried by weighted particles; Runge and Kutta's fourth-order scheme, float64.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float
from scipy.special import ndtr

from sgdsim.ensemble.loops import steps_loop
from sgdsim.meanfield.limits.drives import atoms_of, sum_pulls
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.observables import Positions, predictions

NODES = 200
"""Gauss-Hermite nodes of a law of one weight."""
LONGEST = 0.02
"""Longest step of particles along a known m(t), unless told."""

Weights = Float[Array, "n 1"] | Float[Array, ""] | float
State = tuple[Array, ...]
"""Arrays that move together."""
Moments = tuple[Float[Array, " J"], Float[Array, " dim"], Float[Array, " dim"]]
"""m, mean and variance of a law."""


def hermite_nodes(model: Model, count: int = NODES) -> tuple[Positions, Float[Array, "count 1"]]:
    """Particles (count, 1) of a law of one weight at Gauss-Hermite nodes, and their weights."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return tuple(model.law(jnp.asarray(nodes)[None, :, None])), jnp.asarray(weights / weights.sum())[:, None]


def drift(model: Model, W: Positions, m: Float[Array, "J 1"]) -> Positions:
    """-h(W, m) = -sum_j c_j(m) grad F_j(W), the velocity of every particle at the law's m."""
    # Only m tells particles of one another: everything else of a step is each particle's own.
    c, _ = atoms_of(model).coefficients(model.loss, m)
    return sum_pulls(model, W, -c)


def rk4(velocity: Callable[[State, Array], State], W: State, t: Array, dt: Array) -> State:
    """One step of W' = velocity(W, t)."""

    def ahead(slope: State, part: float) -> State:
        return tuple(w + part * dt * k for w, k in zip(W, slope, strict=True))

    first = velocity(W, t)
    second = velocity(ahead(first, 0.5), t + dt / 2)
    third = velocity(ahead(second, 0.5), t + dt / 2)
    fourth = velocity(ahead(third, 1.0), t + dt)
    slopes = zip(first, second, third, fourth, strict=True)
    return ahead(tuple((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in slopes), 1.0)


def mean_output(model: Model, W: Positions, weights: Weights) -> Float[Array, "J 1"]:
    """m of particles that stand in one or several columns: the mean over the columns."""
    # Columns are one system: each has the mean of its own particles, and all have as many.
    return jnp.mean(predictions(model, W, weights, atoms_of(model).points), axis=1, keepdims=True)


def moments(model: Model, W: Positions, weights: Weights) -> Moments:
    """m, mean and variance of weighted particles."""

    def average(values: Array) -> Array:
        return jnp.mean(jnp.sum(values * jnp.asarray(weights), axis=0))

    means = [average(w) for w in W]
    variances = [average((w - mean) ** 2) for w, mean in zip(W, means, strict=True)]
    return mean_output(model, W, weights)[:, 0], jnp.stack(means), jnp.stack(variances)


@partial(jax.jit, static_argnames="steps")
def evolve(
    model: Model, W: Positions, weights: Weights, dt: Float[Array, ""] | float, steps: int
) -> tuple[Float[Array, "grid J"], Float[Array, "grid dim"], Float[Array, "grid dim"]]:
    """Moments of the law at the times 0, dt, ..., steps dt, by one step of RK4 each."""

    def velocity(V: State, _: Array) -> State:
        return tuple(drift(model, V, mean_output(model, V, weights)))

    def step(W: Positions, _: None) -> tuple[Positions, Moments]:
        ahead = rk4(velocity, tuple(W), jnp.zeros(()), jnp.asarray(dt))
        return ahead, moments(model, ahead, weights)

    first = moments(model, W, weights)
    _, later = jax.lax.scan(step, W, None, length=steps)
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, later)


def itself(W: State) -> State:
    """The particles as they are: what `follow` sees unless it is told otherwise."""
    return W


@jax.jit
def follow(
    velocity: Callable[[State, Array], State],
    W: State,
    times: Float[Array, " times"],
    see: Callable[[State], Any] = Partial(itself),  # noqa: B008  (frozen)
    longest: Float[Array, ""] | float = LONGEST,
) -> Any:
    """What `see` sees of particles that move with a known velocity(W, t), from t = 0, at increasing `times`.

    Both functions are pytrees: equinox modules, or partials. Steps are no longer than `longest`.
    """

    def until(carry: tuple[State, Array], t: Array) -> tuple[tuple[State, Array], Any]:
        W, before = carry
        # Steps of equal length that end at the save time itself: nothing is interpolated in time.
        count = jnp.ceil((t - before) / longest).astype(jnp.int64)
        dt = (t - before) / jnp.maximum(count, 1)
        W = steps_loop(0, count, lambda i, V: rk4(velocity, V, before + i * dt, dt), W)
        return (W, t), see(W)

    return jax.lax.scan(until, (W, jnp.zeros(())), times)[1]


def quantile_grid(
    reach: float = 9.0, count: int = 6001
) -> tuple[Float[np.ndarray, " grid"], Float[np.ndarray, " grid"]]:
    """Standard normal values on a grid, and the chance to be below them."""
    # Beyond 9 standard deviations lies 1e-19 of the mass.
    z = np.linspace(-reach, reach, count)
    return z, ndtr(z)


def fractions(
    values: Float[np.ndarray, "times grid"], below: Float[np.ndarray, " grid"], edges: Float[np.ndarray, " edges"]
) -> Float[np.ndarray, "times bins"]:
    """Fractions in bins, of a law whose distribution function is `below` at increasing values."""
    return np.diff(np.stack([np.interp(edges, row, below, left=0, right=1) for row in values]), axis=1)
