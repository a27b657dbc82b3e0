"""Limits carried by many particles from Sobol points: for particles of several weights, and for noise of any kind.

They stand in columns, as replicas do, but all columns are one system: outputs are averages over all of them.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.ensemble.histograms import bin_fractions
from sgdsim.ensemble.loops import steps_loop
from sgdsim.ensemble.pin import no_pin
from sgdsim.ensemble.random import Key
from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.meanfield.limits.characteristics import Moments, mean_output, moments
from sgdsim.meanfield.limits.drives import Drive
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.observables import Positions

LOG2 = 17
"""2^17 particles."""
COLUMNS = 128
"""Columns that the particles stand in."""
_WORD = 20071
"""Of the columns' keys: the noise of a limit is the same in every session."""


def sobol_start(model: Model, log2: int = LOG2) -> Positions:
    """Particles (2^log2/COLUMNS, COLUMNS) of the law."""
    # Columns are lanes of the drives: 128 of them fill the vectors of every device.
    normals = sobol_normals(model.dim, log2).T.reshape(model.dim, -1, COLUMNS)
    return tuple(model.law(jnp.asarray(normals)))


def own_keys() -> Key:
    """A key for every column."""
    return jnp.arange(COLUMNS, dtype=jnp.uint32), jnp.full(COLUMNS, _WORD, jnp.uint32)


def one_step(model: Model, drive: Drive, W: Positions, number: Array, m: Float[Array, "J 1"]) -> Positions:
    """One step of every particle, all with noise of their own."""
    drive = drive.at(number, no_pin)
    drawn = drive.draw(model, own_keys(), number, len(W[0]), np.dtype(np.float64), no_pin)
    return drive.move(model, W, m, drawn)


@partial(jax.jit, static_argnames="steps")
def evolve(
    model: Model, drive: Drive, W: Positions, steps: int
) -> tuple[Float[Array, "grid J"], Float[Array, "grid dim"], Float[Array, "grid dim"]]:
    """Moments of the law after 0, 1, ..., steps steps of the drive."""
    weights = 1 / len(W[0])

    def step(carry: tuple[Positions, Moments], number: Array) -> tuple[tuple[Positions, Moments], Moments]:
        W, now = carry
        W = one_step(model, drive, W, number, now[0][:, None])
        after = moments(model, W, weights)
        return (W, after), after

    first = moments(model, W, weights)
    _, later = jax.lax.scan(step, (W, first), jnp.arange(steps))
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, later)


def binned(model: Model, edges: Float[Array, " edges"], W: Positions) -> Float[Array, " bins"]:
    """Fractions of the particles in bins, over all columns."""
    return jnp.mean(bin_fractions(model.coordinate(W), edges), axis=1)


@jax.jit
def histograms(
    model: Model, drive: Drive, W: Positions, at: Any, edges: Float[Array, " edges"]
) -> Float[Array, "times bins"]:
    """Fractions of the particles in bins after `at` steps of the drive (increasing)."""
    weights = 1 / len(W[0])

    def step(number: Array, W: Positions) -> Positions:
        return one_step(model, drive, W, number, mean_output(model, W, weights))

    def until(carry: tuple[Positions, Array], end: Array) -> tuple[tuple[Positions, Array], Array]:
        W, first = carry
        W = steps_loop(first, end, step, W)
        return (W, end), binned(model, edges, W)

    return jax.lax.scan(until, (W, jnp.zeros_like(at[0])), at)[1]
