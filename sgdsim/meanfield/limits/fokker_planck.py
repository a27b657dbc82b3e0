"""Nonlinear Fokker-Planck equations in one dimension, conservative and of second order.

    d_t lam = -d_w J,   J = v lam - D d_w lam,   with v and D functionals of lam, and functions of t

Flux of Scharfetter and Gummel between cells i and i + 1, with P = v dx/D and Bern(z) = z/(exp(z) - 1):

    J = (D/dx) [Bern(-P) lam_i - Bern(P) lam_{i+1}]

It is upwind where D is small, of second order where it is not, and zero at both ends. In time, Crank and Nicolson's
scheme with the coefficients of the law and the time at the midpoint, the law found by iteration.

Source: Scharfetter & Gummel 1969; Chang & Cooper 1970.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Cells = Float[Array, " cells"]
Faces = Float[Array, " faces"]
Time = Float[Array, ""] | float
Rates = Callable[[Cells, Time], tuple[Faces, Faces]]
"""From masses of cells and a time to v and D at the cells' inner faces. A pytree: an equinox module, or a partial."""

ITERATIONS = 2
"""Of the law at the midpoint of a step: the first is with the law of its beginning."""
SMALLEST = 1e-30
"""D is at least this: the flux of pure transport."""


def bernoulli(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """z/(exp(z) - 1), by its series near 0 and without overflow."""
    # Both branches of a `where` are computed: the argument of the one that is dropped is kept off 0/0 and overflow.
    # The series is off by z^4/720 < 1e-18 at the border.
    near = jnp.abs(z) < 1e-4
    inside = jnp.clip(jnp.where(near, 1.0, z), -700.0, 700.0)
    exact = jnp.where(z > 700, 0.0, jnp.where(near, 1.0, z) / jnp.expm1(inside))
    return jnp.where(near, 1 - z / 2 + z * z / 12, exact)


def exchange(v: Faces, D: Faces, dx: Float[Array, ""] | float) -> tuple[Faces, Faces]:
    """Rates at which mass passes each face, to the right and to the left."""
    D = jnp.maximum(D, SMALLEST)
    P = v * dx / D
    return D / dx**2 * bernoulli(-P), D / dx**2 * bernoulli(P)


def loss(right: Faces, left: Faces) -> Cells:
    """The rate at which each cell loses mass to its neighbours."""
    zero = jnp.zeros(1, right.dtype)
    return jnp.concatenate([right, zero]) + jnp.concatenate([zero, left])


def theta_step(masses: Cells, right: Faces, left: Faces, dt: Float[Array, ""] | float, theta: float) -> Cells:
    """(1 + theta dt A)^-1 (1 - (1 - theta) dt A) masses, A the generator: a column of it sums to 0."""
    zero, out, now, then = jnp.zeros(1, masses.dtype), loss(right, left), (1 - theta) * dt, theta * dt
    gain = jnp.concatenate([zero, right * masses[:-1]]) + jnp.concatenate([left * masses[1:], zero])
    explicit = masses + now * (gain - out * masses)
    lower, upper = jnp.concatenate([zero, -then * right]), jnp.concatenate([-then * left, zero])
    # Columns of A sum to 0, so that mass is kept to rounding whatever dt is.
    return jax.lax.linalg.tridiagonal_solve(lower, 1 + then * out, upper, explicit[:, None])[:, 0]


def step(rates: Rates, masses: Cells, time: Time, dx: Array | float, dt: Array | float, theta: float) -> Cells:
    """One step, with the coefficients of (masses before + masses after)/2 at its middle, `time`."""
    middle = after = masses
    for _ in range(ITERATIONS):
        right, left = exchange(*rates(middle, time), dx)
        after = theta_step(masses, right, left, dt, theta)
        middle = (masses + after) / 2
    return after


@partial(jax.jit, static_argnames=("saves", "theta"))
def evolve(
    rates: Rates,
    masses: Cells,
    dx: Array | float,
    dt: Array | float,
    every: Array | int,
    saves: int,
    theta: float = 0.5,
) -> Float[Array, "grid cells"]:
    """Masses of the cells at the times 0, every dt, ..., saves every dt.

    - `theta`: 1/2 is Crank and Nicolson's scheme, which keeps masses positive while dt times the largest rate of loss
      is at most 2; 1 always does, and is of first order in dt.
    """

    def save(masses: Cells, number: Array) -> tuple[Cells, Cells]:
        def one(index: Array, now: Cells) -> Cells:
            return step(rates, now, (number * every + index + 0.5) * dt, dx, dt, theta)

        after = jax.lax.fori_loop(0, every, one, masses)
        return after, after

    return jnp.concatenate([masses[None], jax.lax.scan(save, masses, jnp.arange(saves))[1]])


@jax.jit
def fastest_loss(rates: Rates, masses: Cells, dx: Array | float) -> Float[Array, ""]:
    """The largest rate of loss of a cell at t = 0, per unit of time."""
    return jnp.max(loss(*exchange(*rates(masses, 0.0), dx)))
