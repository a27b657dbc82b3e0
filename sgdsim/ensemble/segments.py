"""Segments: the stretches of a trajectory over which increments are summed apart from the state they belong to.

A step of SGD changes the order parameters by O(dt). Added one by one to float32 numbers of order one, such increments
are lost from d ~ 1e5 on. So the state is kept in float64; over a segment of a fixed number of steps the increments are
summed in float32 from zero, where a step is at least 1/steps of the sum and rounding is harmless at any d; then the sum
is added.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

LONGEST = 1024
"""Steps of a segment at most: a float32 sum of so many equal terms keeps each to 1e-4 of itself, without bias."""
SHORTEST = 16
MOVEMENT = 0.1
"""Time of a segment at most (but for the shortest): S may decay by orders of magnitude, but not within one."""


def segment_steps(dt: float) -> int:
    """Steps of a segment for a problem whose step takes the time dt."""
    return int(np.clip(MOVEMENT / dt, SHORTEST, LONGEST))


def run_segments(
    state: Any, n_steps: Int[Array, ""], segment: Int[Array, ""] | int, advance: Callable[[Any, Int[Array, ""]], Any]
) -> Any:
    """The state after n_steps, taken by `advance(state, steps)` in segments; the last one may be shorter."""

    def one(carry: tuple[Any, Int[Array, ""]]) -> tuple[Any, Int[Array, ""]]:
        state, left = carry
        steps = jnp.minimum(left, segment)
        return advance(state, steps), left - steps

    left = jnp.asarray(n_steps, jnp.int64)
    return jax.lax.while_loop(lambda carry: carry[1] > 0, one, (state, left))[0]
