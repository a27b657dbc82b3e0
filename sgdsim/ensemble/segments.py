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

from sgdsim.ensemble.backend import host_drives_loops
from sgdsim.ensemble.loops import AT_ONCE, steps_loop

LONGEST = 1024
"""Steps of a segment at most: a float32 sum of so many equal terms keeps each to 1e-4 of itself, without bias."""
SHORTEST = 16
MOVEMENT = 0.1
"""Time of a segment at most (but for the shortest): S may decay by orders of magnitude, but not within one."""
BLOCKS_AT_ONCE = 4
"""Blocks, or parts of a segment, in a loop of static length: each is 20 kernels and more, beside which an answer of the
host is small, and up to 3 are left for the end of a loop, one by one."""


def segment_steps(dt: float) -> int:
    """Steps of a segment for a problem whose step takes the time dt."""
    return int(np.clip(MOVEMENT / dt, SHORTEST, LONGEST))


@dataclass(frozen=True)
class Segment:
    """What is done in a segment.

    - `read`: (state, made, steps) -> what the steps of a segment read that begins after `made` steps.
    - `zero`: () -> the increments at its beginning.
    - `step`: (read, index, change) -> the increments after one more step, which has this number in the segment.
    - `add`: (state, change) -> the state with its increments.
    """

    read: Callable[[Any, Int[Array, ""], Int[Array, ""]], Any]
    zero: Callable[[], Any]
    step: Callable[[Any, Int[Array, ""], Any], Any]
    add: Callable[[Any, Any], Any]


def run_segments(
    state: Any, made: Int[Array, ""], n_steps: Int[Array, ""], segment: Int[Array, ""] | int, inside: Segment
) -> Any:
    """The state after n_steps in segments, the last of which may be shorter; `made` steps have been made before."""
    if host_drives_loops():
        return _run_parts(state, made, jnp.asarray(n_steps, jnp.int64), segment, inside)

    def one(carry: tuple[Any, Array], steps: Int[Array, ""]) -> tuple[Any, Array]:
        state, made = carry
        read = inside.read(state, made, steps)
        change = jax.lax.fori_loop(0, steps, lambda i, change: inside.step(read, i, change), inside.zero())
        return inside.add(state, change), made + steps

    return _run_one_by_one((state, made), n_steps, segment, one)[0]


def _run_parts(
    state: Any, made: Int[Array, ""], n_steps: Int[Array, ""], segment: Int[Array, ""] | int, inside: Segment
) -> Any:
    """What `run_segments` does, by loops of static length only: a segment is AT_ONCE steps a part, fewer in the last.

    All parts of all segments are one loop: tiles whose segments differ do not wait for one another. Increments are
    added after every part; the random numbers are those of the segment.
    """
    parts = _ceil(segment, AT_ONCE)

    def part(number: Int[Array, ""], carry: tuple[Any, Any]) -> tuple[Any, Any]:
        state, change = carry
        before = number // parts * segment
        steps = jnp.minimum(n_steps - before, segment)
        read = inside.read(state, made + before, steps)
        here = number % parts * AT_ONCE
        # Idle steps come first, at least one: they set the increments to zero, for which each array would be a kernel.
        place = jnp.arange(AT_ONCE + 1) - (AT_ONCE + 1 - jnp.minimum(steps - here, AT_ONCE))

        def step(change: Any, of_step: tuple[Array, Array]) -> tuple[Any, None]:
            index, counts = of_step
            return _select(counts, inside.step(read, index, change), inside.zero()), None

        # Known before the loop, these numbers are read by its one kernel; made in it, they would be a kernel more.
        change, _ = jax.lax.scan(step, change, ((here + place).astype(jnp.uint32), place >= 0))
        return inside.add(state, change), change

    count = n_steps // segment * parts + _ceil(n_steps % segment, AT_ONCE)
    return steps_loop(0, count, part, (state, inside.zero()), BLOCKS_AT_ONCE)[0]


def _ceil(number: Any, unit: Any) -> Any:
    return (number + unit - 1) // unit


def _select(which: Bool[Array, ""], yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), yes, no)


def run_blocks(state: Any, n_steps: Int[Array, ""], block: int, advance: Callable[[Any, Int[Array, ""]], Any]) -> Any:
    """The state after n_steps, taken by `advance(state, steps)` in blocks of steps; of the last, fewer may count."""
    if not host_drives_loops():
        return _run_one_by_one(state, n_steps, block, advance)
    n_steps = jnp.asarray(n_steps, jnp.int64)

    def one(number: Int[Array, ""], state: Any) -> Any:
        return advance(state, jnp.minimum(n_steps - number * block, block))

    return steps_loop(0, _ceil(n_steps, block), one, state, blocks_at_once(block))


def blocks_at_once(block: int) -> int:
    """Blocks of a loop of static length, of so many steps each: AT_ONCE steps at least."""
    return max(BLOCKS_AT_ONCE, -(-AT_ONCE // block))


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
