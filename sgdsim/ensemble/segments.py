"""Segments: the stretches of a trajectory over which increments are summed apart from the state they belong to.

A step of SGD changes the order parameters by O(dt). Added one by one to float32 numbers of order one, such increments
are lost from d ~ 1e5 on. So the state is kept in float64; over a segment of a fixed number of steps the increments are
summed in float32 from zero, where a step is at least 1/steps of the sum and rounding is harmless at any d; then the sum
is added.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.loops import AT_ONCE, steps_loop

LONGEST = 1024
"""Steps of a segment at most: a float32 sum of so many equal terms keeps each to 1e-4 of itself, without bias."""
SHORTEST = 16
MOVEMENT = 0.1
"""Time of a segment at most (but for the shortest): S may decay by orders of magnitude, but not within one."""
_BLOCKS_AT_ONCE = 4
"""Blocks, or parts of a segment, in a loop of static length: each is 20 kernels and more, beside which an answer of the
host is small, and up to 3 are left for the end of a loop, one by one."""


@dataclass(frozen=True)
class Segment:
    """What is done in a segment.

    - `read`: (state, steps) -> what the steps of a segment of so many steps read.
    - `zero`: () -> the increments at its beginning.
    - `step`: (read, index, change) -> the increments after one more step, which has this number in the segment.
    - `add`: (state, change, steps) -> the state at its end.
    """

    read: Callable[[Any, Int[Array, ""]], Any]
    zero: Callable[[], Any]
    step: Callable[[Any, Int[Array, ""], Any], Any]
    add: Callable[[Any, Any, Int[Array, ""]], Any]


def segment_steps(dt: float) -> int:
    """Steps of a segment for a problem whose step takes the time dt."""
    return int(np.clip(MOVEMENT / dt, SHORTEST, LONGEST))


def run_segments(state: Any, n_steps: Int[Array, ""], segment: Int[Array, ""] | int, inside: Segment) -> Any:
    """The state after n_steps, in segments; the last one may be shorter."""
    if not on_cpu():
        return _run_parts(state, jnp.asarray(n_steps, jnp.int64), segment, inside)

    def one(state: Any, steps: Int[Array, ""]) -> Any:
        read = inside.read(state, steps)
        change = jax.lax.fori_loop(0, steps, lambda i, change: inside.step(read, i, change), inside.zero())
        return inside.add(state, change, steps)

    return _run_one_by_one(state, n_steps, segment, one)


def _run_parts(state: Any, n_steps: Int[Array, ""], segment: Int[Array, ""] | int, inside: Segment) -> Any:
    """The same by loops of static length only: a segment is AT_ONCE steps a part, of which the last is partly idle.

    All parts of all segments are one loop: tiles whose segments differ do not wait for one another.
    """
    parts = _ceil(segment, AT_ONCE)

    def part(number: Int[Array, ""], carry: tuple[Any, Any]) -> tuple[Any, Any]:
        state, change = carry
        before, here = number // parts, number % parts
        steps = jnp.minimum(n_steps - before * segment, segment)
        read = inside.read(state, steps)

        def step(change: Any, of_step: tuple[Array, Array, Array]) -> tuple[Any, None]:
            index, first, counts = of_step
            before = _select(first, inside.zero(), change)
            return _select(counts, inside.step(read, index, before), change), None

        # Known before the loop, these numbers are read by its one kernel; made in it, each would be a kernel more.
        index = here * AT_ONCE + jnp.arange(AT_ONCE)
        change, _ = jax.lax.scan(step, change, (index.astype(jnp.uint32), index == 0, index < steps))
        return _select((here + 1) * AT_ONCE >= steps, inside.add(state, change, steps), state), change

    count = n_steps // segment * parts + _ceil(n_steps % segment, AT_ONCE)
    return steps_loop(0, count, part, (state, inside.zero()), _BLOCKS_AT_ONCE)[0]


def _ceil(number: Any, unit: Any) -> Any:
    return (number + unit - 1) // unit


def _select(which: Bool[Array, ""], yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), yes, no)


def run_blocks(state: Any, n_steps: Int[Array, ""], block: int, advance: Callable[[Any, Int[Array, ""]], Any]) -> Any:
    """The state after n_steps, taken by `advance(state, steps)` in blocks of steps; of the last, fewer may count."""
    if on_cpu():
        return _run_one_by_one(state, n_steps, block, advance)
    n_steps = jnp.asarray(n_steps, jnp.int64)

    def one(number: Int[Array, ""], state: Any) -> Any:
        return advance(state, jnp.minimum(n_steps - number * block, block))

    return steps_loop(0, _ceil(n_steps, block), one, state, max(_BLOCKS_AT_ONCE, AT_ONCE // block))


def _run_one_by_one(
    state: Any, n_steps: Int[Array, ""], length: Int[Array, ""] | int, advance: Callable[[Any, Int[Array, ""]], Any]
) -> Any:
    """Segments or blocks in a plain loop."""

    def one(carry: tuple[Any, Int[Array, ""]]) -> tuple[Any, Int[Array, ""]]:
        state, left = carry
        steps = jnp.minimum(left, length)
        return advance(state, steps), left - steps

    left = jnp.asarray(n_steps, jnp.int64)
    return jax.lax.while_loop(lambda carry: carry[1] > 0, one, (state, left))[0]
