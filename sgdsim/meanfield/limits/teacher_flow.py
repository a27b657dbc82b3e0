"""Particles that descend the population risk of a teacher, in coordinates that rotations about the teacher leave alone.

A particle w in R^d is (m, r): its first k weights m, those in the teacher's span, and r = |the rest|. Where the law is
the same in all directions of the rest, it stays so, and with w.w' = m.m' + r r' u, u the cosine of two independent
directions in R^(d - k),

    w' = (1/k) sum_r E sigma'(w.x) sigma(v_r.x) x - E_(w', u) E sigma'(w.x) sigma(w'.x) x

closes in the law of (m, r): an average over pairs of particles and over u. That is exact for N -> infinity at fixed d.
One node u = 0 is d -> infinity. With all d weights in m and r = 0 the same function moves any finite set of particles.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from sgdsim.meanfield.erf_averages import product, strength
from sgdsim.meanfield.limits.characteristics import State, rk4
from sgdsim.meanfield.teacher import GaussianTeacher

_NUMBERS = 2**15
"""Pairs of particles, times cosines, that are worked on at once."""


class Cosines(NamedTuple):
    """Nodes of the law of a cosine, and their weights, which sum to 1."""

    u: Float[Array, " nodes"]
    weights: Float[Array, " nodes"]


NO_REST = Cosines(jnp.zeros(1), jnp.ones(1))
"""Of particles whose rest is 0, or in R^infinity, where independent directions are orthogonal."""


def cosines(n: int, count: int) -> Cosines:
    """Of two independent directions in R^n, density ~ (1 - u^2)^((n - 3)/2): Gauss' rule with so many nodes.

    In one dimension these are 1 and -1.
    """
    if n == 1:
        return Cosines(jnp.array([-1.0, 1.0]), jnp.array([0.5, 0.5]))
    u, weights = scipy.special.roots_jacobi(count, (n - 3) / 2, (n - 3) / 2)
    return Cosines(jnp.asarray(u), jnp.asarray(weights / weights.sum()))


def squares(W: State) -> Float[Array, " n"]:
    """The squares w.w of the lengths of particles (m, r)."""
    return jnp.sum(W[0] ** 2, axis=1) + W[1] ** 2


def velocity(teacher: GaussianTeacher, W: State, weights: Float[Array, " n"], pairs: Cosines) -> State:
    """dm/dt (n, columns) and dr/dt (n,) of particles m (n, columns), r (n,), of the given weights."""
    (m, r), own = W, squares(W)

    def repelled(one: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        cross = _crosses(W, one, pairs)
        pull = pairs.weights[:, None] * weights[None, :] * strength(cross, one[2], own[None, :])
        plain, turned = jnp.sum(pull, axis=0), jnp.sum(pairs.u[:, None] * pull, axis=0)
        return plain @ m, turned @ r, jnp.sum(pull * cross)

    plain, turned, shrink = _rows(repelled, (m, r, own), pairs)
    units = jnp.pad(teacher.root, ((0, 0), (0, m.shape[1] - teacher.k)))
    cross = m @ units.T
    towards = strength(cross, own[:, None], jnp.sum(units**2, axis=1)[None, :]) / teacher.k
    damping = (jnp.sum(towards * cross, axis=1) - shrink) / (1 + own)
    return towards @ units - plain - damping[:, None] * m, -turned - damping * r


def orders(teacher: GaussianTeacher, W: State, weights: Float[Array, " n"], pairs: Cosines) -> Float[Array, " m"]:
    """The order parameters m of `GaussianTeacher` of particles of the given weights."""
    (m, r), own = W, squares(W)

    def beside(one: tuple[Array, Array, Array]) -> Float[Array, ""]:
        values = product(_crosses(W, one, pairs), one[2], own[None, :])
        return pairs.weights @ values @ weights

    along = teacher.correlations(m[:, : teacher.k].T, own)
    return jnp.append(along @ weights, weights @ _rows(beside, (m, r, own), pairs))


def _crosses(W: State, one: tuple[Array, Array, Array], pairs: Cosines) -> Float[Array, "nodes n"]:
    """w.w' of one particle (m, r) and all, at every cosine."""
    return (W[0] @ one[0])[None, :] + pairs.u[:, None] * (one[1] * W[1])[None, :]


def _rows(function: Callable[[Any], Any], particles: tuple[Array, Array, Array], pairs: Cosines) -> Any:
    """A function of one particle for all of them, so many at a time that their pairs stay in the cache."""
    room = max(1, _NUMBERS // (len(pairs.u) * len(particles[1])))
    return jax.lax.map(function, particles, batch_size=min(room, len(particles[1])))


@partial(jax.jit, static_argnames="steps")
def evolve(
    teacher: GaussianTeacher,
    W: State,
    weights: Float[Array, " n"],
    pairs: Cosines,
    dt: Float[Array, ""] | float,
    steps: int,
) -> tuple[State, Float[Array, "grid m"]]:
    """Particles and order parameters at the times 0, dt, ..., steps dt, by one step of RK4 each."""

    def ahead(V: State, t: Array) -> State:
        return velocity(teacher, V, weights, pairs)

    def step(V: State, _: None) -> tuple[State, tuple[State, Array]]:
        V = rk4(ahead, V, jnp.zeros(()), jnp.asarray(dt))
        return V, (V, orders(teacher, V, weights, pairs))

    _, later = jax.lax.scan(step, W, None, length=steps)
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), (W, orders(teacher, W, weights, pairs)), later)


def grid(final: float, longest: float) -> tuple[float, int]:
    """dt and the number of equal steps up to a time, of which a spline needs four."""
    steps = max(4, int(np.ceil(final / longest)))
    return final / steps, steps
