"""Averages over the replicas of a tile, and the distance of every replica from theory."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float

from sgdsim.contracts import Observables, Problem, Start
from sgdsim.ensemble.spread import on_every_tile
from sgdsim.ensemble.stack import Stack

LARGEST = 1e100
"""An observable beyond this has diverged: squares of such numbers, and sums of them, would not stay finite."""
GROWN = 1e6
"""An order parameter so many times its scale has diverged: a few such replicas would be all that a mean tells of."""
DEVIATION = "deviation"
"""|Omega - Omega_bar|_inf of a replica at every save time, among the averages of an ensemble that has a theory."""


def divergence_bound(problem: Problem, start: Start, steps: int) -> float:
    """The size of an order parameter from which on a replica counts as diverged, in a run of so many steps.

    `GROWN` times the problem's scale, the start's, or 1: whichever is largest. What blows up passes any such bound in a
    few steps more; what grows by steps of a natural size does not reach it.
    """
    return min(LARGEST, GROWN * max(1.0, problem.scale(steps), start.scale(problem)))


def tree_sum(values: Float[Array, "*shape lanes"]) -> Float[Array, "*shape"]:
    """Sum over the lanes (a power of two) by halves: the order of the additions is the same on every device."""
    while values.shape[-1] > 1:
        half = values.shape[-1] // 2
        values = values[..., :half] + values[..., half:]
    return values[..., 0]


def tile_statistics(
    saved: Observables,
    valid: Bool[Array, " lanes"],
    reference: Observables | None,
    order_parameters: tuple[str, ...],
    kept: tuple[str, ...],
    bound: Float[Array, ""] | float = LARGEST,
    paths: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The fields of `Tiles` for one tile.

    - `saved`: observables at every save time, (times, *dims, lanes).
    - `valid`: which lanes hold a replica of the ensemble.
    - `reference`: the theory's observables, (times, *dims, 1) or (times, *dims, lanes), or None.
    - `kept`: observables of which every replica's last value is a field too, where they are among the saved.
    - `bound`: of the order parameters; see `divergence_bound`.
    - `paths`: observables of which every replica's whole trajectory is a field too.

    A replica that at some save time is not finite, or beyond `LARGEST`, or of which an order parameter is beyond
    `bound`, is counted as diverged and left out at all. With a theory, the distance from it is averaged as the
    observable `DEVIATION`.
    """
    bounds = {name: bound if name in order_parameters else LARGEST for name in saved}
    finite = jnp.all(jnp.stack([_every(jnp.abs(value) < bounds[name]) for name, value in saved.items()]), axis=0)
    keep = valid & finite
    count = jnp.sum(keep)
    path = _distance(saved, reference, order_parameters)
    mean, m2 = {}, {}
    for name, value in (saved if reference is None else saved | {DEVIATION: path}).items():
        mean[name] = _mean(value, keep)
        m2[name] = tree_sum(jnp.where(keep, (value - mean[name][..., None]) ** 2, 0))
    theory = {
        name: _mean(value, keep) if value.shape[-1] > 1 else value[..., 0] for name, value in (reference or {}).items()
    }
    return {
        "count": count,
        "diverged": jnp.sum(valid & ~finite),
        "mean": mean,
        "m2": m2,
        "theory": theory,
        "kept": {name: _each_last(saved[name], finite) for name in kept if name in saved},
        "paths": {name: jnp.moveaxis(saved[name], -1, 0) for name in paths},
        "sup_deviation": jnp.where(finite, jnp.max(path, axis=0), jnp.nan),
        "final_deviation": jnp.where(finite, path[-1], jnp.nan),
    }


def _mean(values: Float[Array, "*shape lanes"], keep: Bool[Array, " lanes"]) -> Float[Array, "*shape"]:
    """The mean of those lanes to keep, whose values are finite; 0 where there are none."""
    # Counted for every entry. A division of all by one number the compiler turns into a product with its inverse, or
    # not, by how many tiles there are: with 7 lanes to keep the batch would be seen in the last bit.
    count = tree_sum(jnp.where(keep, (values == values).astype(jnp.float64), 0))
    return tree_sum(jnp.where(keep, values, 0)) / jnp.maximum(count, 1)


def _each_last(value: Float[Array, "times *dims lanes"], finite: Bool[Array, " lanes"]) -> Float[Array, "lanes *dims"]:
    """The value of each replica at the last save time; NaN where it is not finite at some."""
    last = jnp.where(finite.reshape(*[1] * (value.ndim - 2), -1), value[-1], jnp.nan)
    return jnp.moveaxis(last, -1, 0)


def _every(true: Bool[Array, "*shape lanes"]) -> Bool[Array, " lanes"]:
    return jnp.all(true.reshape(-1, true.shape[-1]), axis=0)


def _distance(
    saved: Observables, reference: Observables | None, order_parameters: tuple[str, ...]
) -> Float[Array, "times lanes"]:
    """|Omega - Omega_bar|_inf at every save time; NaN without a theory."""
    if reference is None:
        first = next(iter(saved.values()))
        return jnp.full((first.shape[0], first.shape[-1]), jnp.nan)
    distances = []
    for name in order_parameters:
        difference = jnp.abs(saved[name] - reference[name])
        distances.append(jnp.max(difference.reshape(difference.shape[0], -1, difference.shape[-1]), axis=1))
    return jnp.max(jnp.stack(distances), axis=0)


@lru_cache(maxsize=16)
def make_summary(
    mesh: Mesh, order_parameters: tuple[str, ...], kept: tuple[str, ...], paths: tuple[str, ...] = ()
) -> Callable[..., dict[str, Any]]:
    """The compiled function ((solved, curves), counts, cells, saved, valid, initials) -> fields of `Tiles`.

    - `solved`: of every cell, as a `Stack`, the theory's curve for a shared start, None without one.
    - `curves`: of every cell, as a `Stack`: its theory for own starts or None, its save times, and its bound.
    - `counts`: tiles of each device; `cells`: the row of each tile in the stacks.
    - `initials`: of every tile's replicas, for which that theory is solved; None where there is none.
    """

    def tile(
        common: tuple[Stack, Stack], cell: Array, saved: Observables, valid: Array, initial: Any
    ) -> dict[str, Any]:
        solved, curves = common
        curve, times, bound = curves.at(cell)
        reference = solved.at(cell)
        if curve is not None:
            own = jax.vmap(lambda start: curve(start, times))(initial)
            expected = {name: jnp.moveaxis(value, 0, -1) for name, value in own.items()}
        else:
            expected = None if reference is None else {name: value[..., None] for name, value in reference.items()}
        return tile_statistics(saved, valid, expected, order_parameters, kept, bound, paths)

    return jax.jit(on_every_tile(tile, mesh))
