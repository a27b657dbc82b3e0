"""A hot loop as arithmetic on lanes, where every lane goes its own way: one description for every form that runs it.

The XLA form is here. A fused form keeps a trajectory in registers; it is made from the same `LaneLoop`, so that the
physics of a step is written once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.ensemble.pin import Pin, Pinning
from sgdsim.ensemble.random import Key, fold
from sgdsim.ensemble.segments import Segment, run_segments

Numbers = list[Any]
"""Numbers of the loop, each an array of lanes, or a scalar where a form traces one lane."""


@dataclass(frozen=True)
class LaneLoop:
    """What is done at a step, and how many numbers it takes of each kind.

    - `whole`: numbers of a lane's state, float64 between segments.
    - `fixed`: numbers of a lane that a step only reads; `constants`: the same, common to all lanes of a tile.
    - `dtype`: of the loop.
    - `step`: (whole, fixed, constants, change, key, index, pin) -> change: one step from the state whole + change,
      with the key of the segment and the number of the step in it. Elementwise: it takes lanes, or scalars.
    """

    whole: int
    fixed: int
    constants: int
    dtype: Any
    step: Callable[[Numbers, Numbers, Numbers, Numbers, Key, UInt32[Array, ""], Pinning], Numbers]


class LaneArrays(eqx.Module):
    """A tile as a `LaneLoop` takes it. `step` counts the steps made."""

    whole: Float[Array, "whole lanes"]
    fixed: Float[Array, "fixed lanes"]
    constants: Float[Array, " constants"]
    keys: UInt32[Array, "2 lanes"]
    step: Int[Array, ""]


LaneForm = Callable[[LaneLoop, LaneArrays, Int[Array, ""], Int[Array, ""] | int], Float[Array, "whole lanes"]]
"""A form of the loop: (loop, arrays, n_steps, segment) -> the state after n_steps more steps."""


def xla_form(
    loop: LaneLoop, arrays: LaneArrays, n_steps: Int[Array, ""], segment: Int[Array, ""] | int
) -> Float[Array, "whole lanes"]:
    """The loop as XLA compiles it: segment by segment, with increments summed from zero in the loop's precision."""

    def read(whole: Array, made: Array, steps: Array) -> Any:
        # A GPU kernel takes at most 96 arrays: what the loop only reads is one array each, divided inside the loop.
        numbers = (whole.astype(loop.dtype), arrays.fixed, arrays.constants)
        return numbers, fold((arrays.keys[0], arrays.keys[1]), made), Pin.of(steps, loop.dtype)

    def zero() -> Numbers:
        return [jnp.zeros(arrays.keys.shape[1], loop.dtype)] * loop.whole

    def step(read: Any, index: Array, change: Numbers) -> Numbers:
        numbers, key, pin = read
        whole, fixed, constants = (list(array) for array in numbers)
        return loop.step(whole, fixed, constants, change, key, index.astype(jnp.uint32), pin)

    def add(whole: Array, change: Numbers) -> Array:
        return whole + jnp.stack(change).astype(jnp.float64)

    return run_segments(arrays.whole, arrays.step, n_steps, segment, Segment(read, zero, step, add))
