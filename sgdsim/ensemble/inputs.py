"""Gaussian inputs of a block of samples, and their products with rows of weights: one description for every form.

As for `ensemble.lane_loop`, the XLA form is here; another makes the same products in one pass over the inputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.ensemble.pin import Pinning, no_pin
from sgdsim.ensemble.random import Key, block_normal_pairs


@dataclass(frozen=True)
class Inputs:
    """Products of the inputs x_s ~ N(0, I_d) of one block.

    - `student`, `teacher`: w_i.x_s with the rows of two matrices.
    - `gram`: x_s.x_t.
    - `zeta`: one N(0, 1) more for each sample.
    - `moved`: E (lanes, samples, p) -> w_i + sum_s E_i^s x_s, of the rows of the first matrix.
    """

    student: Float[Array, "lanes samples p"]
    teacher: Float[Array, "lanes samples k"]
    gram: Float[Array, "lanes samples samples"]
    zeta: Float[Array, "lanes samples"]
    moved: Callable[[Float[Array, "lanes samples p"]], Float[Array, "lanes p d"]]


InputsForm = Callable[[Key, Float[Array, "lanes p d"], Float[Array, "lanes k d"], int, Pinning], Inputs]
"""A form: (key, student's rows, teacher's rows, samples, pin) -> products, in the precision of the rows."""

Placed = Callable[
    [Float[Array, "lanes samples r"]], tuple[Float[Array, "lanes samples k"], Float[Array, "lanes samples 1"]]
]
"""Coefficients of the teacher's rows, and a scale, of samples from their own normals."""

Drawn = Callable[[Key, int], Float[Array, "lanes samples d"]]
"""(key, samples) -> inputs of any law."""


def draw_inputs(
    key: Key, samples: int, d: int, dtype: Any, pin: Pinning = no_pin
) -> tuple[Float[Array, "lanes samples left"], Float[Array, "lanes samples right"], Float[Array, "lanes samples"]]:
    """The inputs in two halves of d, and zeta. Counter words are (sample, pair); zeta has the pair after the last.

    Halves, because normals are made in pairs: each member is an array of its own, and none is copied.
    """
    pairs = (d + 1) // 2
    left, right = block_normal_pairs(key, samples, pairs, dtype, pin)
    zeta, _ = block_normal_pairs(key, samples, 1, dtype, first=pairs)
    return left, right[:, :, : d - pairs], zeta[:, :, 0]


def more_normals(
    key: Key, zeta: Float[Array, "lanes samples"], d: int, count: int
) -> Float[Array, "lanes samples count"]:
    """`count` normals of each sample beside its inputs, of which zeta is the first."""
    first = zeta[:, :, None]
    if count <= 1:
        return first[:, :, :count]
    rest = block_normal_pairs(key, zeta.shape[1], count // 2, zeta.dtype, first=(d + 1) // 2 + 1)
    return jnp.concatenate([first, *rest], axis=2)[:, :, :count]


def xla_inputs(
    key: Key, student: Float[Array, "lanes p d"], teacher: Float[Array, "lanes k d"], samples: int, pin: Pinning
) -> Inputs:
    """The inputs as arrays, and products by XLA."""
    *halves, zeta = draw_inputs(key, samples, student.shape[2], student.dtype, pin)
    return _products_of(halves, zeta, student, teacher)


def scaled_inputs(
    key: Key,
    student: Float[Array, "lanes p d"],
    teacher: Float[Array, "lanes k d"],
    samples: int,
    pin: Pinning,
    scales: Float[Array, " d"],
) -> Inputs:
    """Those of `xla_inputs`, with every component times a scale of its own: x_s ~ N(0, diag(scales^2))."""
    *halves, zeta = draw_inputs(key, samples, student.shape[2], student.dtype, pin)
    parts = jnp.split(scales, [halves[0].shape[2]])
    halves = [half * part[None, None, :] for half, part in zip(halves, parts, strict=True)]
    return _products_of(halves, zeta, student, teacher)


def shifted_inputs(
    key: Key,
    student: Float[Array, "lanes p d"],
    teacher: Float[Array, "lanes k d"],
    samples: int,
    pin: Pinning,
    normals: int,
    placed: Placed,
) -> Inputs:
    """Those of `xla_inputs`, times a scale and with combinations of teacher/sqrt(d) added that `placed` has for each.

    It looks at the samples' own `normals`, see `more_normals`.
    """
    d = student.shape[2]
    *halves, zeta = draw_inputs(key, samples, d, student.dtype, pin)
    shifts, scale = placed(more_normals(key, zeta, d, normals))
    centres = jnp.split(shifts @ teacher * d**-0.5, [halves[0].shape[2]], axis=2)
    halves = [centre + scale * half for centre, half in zip(centres, halves, strict=True)]
    return _products_of(halves, zeta, student, teacher)


def given_inputs(
    key: Key,
    student: Float[Array, "lanes p d"],
    teacher: Float[Array, "lanes k d"],
    samples: int,
    pin: Pinning,
    drawn: Drawn,
) -> Inputs:
    """Inputs of any law, which `drawn` makes of a key; zeta and further normals are those of `xla_inputs`."""
    d, x = student.shape[2], drawn(key, samples)
    zeta, _ = block_normal_pairs(key, samples, 1, student.dtype, first=(d + 1) // 2)
    return _products_of([x[:, :, : (d + 1) // 2], x[:, :, (d + 1) // 2 :]], zeta[:, :, 0], student, teacher)


def _products_of(
    halves: list[Array],
    zeta: Float[Array, "lanes samples"],
    student: Float[Array, "lanes p d"],
    teacher: Float[Array, "lanes k d"],
) -> Inputs:
    pairs = halves[0].shape[2]

    def moved(E: Float[Array, "lanes samples p"]) -> Float[Array, "lanes p d"]:
        return student + jnp.concatenate([jnp.einsum("lsp,lsd->lpd", E, half) for half in halves], axis=2)

    return Inputs(
        student=_product("lsd,lpd->lsp", halves, jnp.split(student, [pairs], axis=2)),
        teacher=_product("lsd,lkd->lsk", halves, jnp.split(teacher, [pairs], axis=2)),
        gram=_product("lsd,ltd->lst", halves, halves),
        zeta=zeta,
        moved=moved,
    )


def _product(formula: str, left: list[Array], right: list[Array]) -> Array:
    """A matrix product over d, half by half."""
    return jnp.einsum(formula, left[0], right[0]) + jnp.einsum(formula, left[1], right[1])
