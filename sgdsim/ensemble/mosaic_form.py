"""The fused form of a loop on a GPU: one Pallas Mosaic GPU kernel around `LaneLoop.step`.

One launch makes all steps of a call. A thread carries one lane: the increments of a segment, and what its steps read,
stay in registers, and the float64 state is read and written once a segment. A block of 128 lanes has the constants, the
number of steps and the length of segments of one tile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.ensemble.lane_loop import LaneArrays, LaneLoop, Numbers
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import fold

BLOCK = 128
"""Lanes of a block: the threads that Mosaic GPU programs together, four warps."""
ROOM = 150
"""Numbers of a lane that stay in registers over a segment: of 255 that a thread has, so many leave enough for a step.
With 161 the compiler spills the chain of p = k = 8 for linear units, with 150 none in benchmarks/RESULTS.md."""


class TiledLanes(NamedTuple):
    """Tiles of one launch. `made` counts the steps made; `counts` are steps to make, length of segments, and a zero."""

    whole: Float[Array, "tiles whole lanes"]
    fixed: Float[Array, "tiles fixed lanes"]
    constants: Float[Array, "tiles constants"]
    keys: UInt32[Array, "tiles 2 lanes"]
    made: Int[Array, "tiles lanes"]
    counts: Int[Array, "tiles 3"]


@dataclass(frozen=True)
class MosaicForm:
    """The form, as `LaneForm` says. `interpret` runs the kernel on any device, as the tests do.

    Under `jax.vmap` the tiles of all cells become blocks of one launch, each with the constants and counts of its own
    cell. Where tiles share them, narrow tiles share blocks.
    """

    interpret: bool = False

    def __call__(
        self, loop: LaneLoop, arrays: LaneArrays, n_steps: Int[Array, ""], segment: Int[Array, ""] | int
    ) -> Float[Array, "whole lanes"]:
        """The state after n_steps more steps."""
        counts = jnp.stack([jnp.asarray(count, jnp.int64) for count in (n_steps, segment, 0)])
        made = jnp.broadcast_to(arrays.step.astype(jnp.int64), arrays.whole.shape[1:])
        parts = (arrays.whole, arrays.fixed, arrays.constants, arrays.keys, made, counts)
        return self._over_tiles(loop)(*(part[None] for part in parts))[0]

    def _over_tiles(self, loop: LaneLoop) -> Callable[..., Float[Array, "tiles whole lanes"]]:
        """The launch as a function of the parts of `TiledLanes`, to which `vmap` adds tiles, or lanes."""
        launch = jax.custom_batching.custom_vmap(lambda *parts: self._launch(loop, TiledLanes(*parts)))

        @launch.def_vmap
        def batched(size: int, is_batched: Sequence[bool], *parts: Array) -> tuple[Array, bool]:
            wide = TiledLanes(*(_broadcast(size, *part) for part in zip(is_batched, parts, strict=True)))
            of_one_cell = not any(is_batched[TiledLanes._fields.index(name)] for name in ("constants", "counts"))
            add = _with_more_lanes if of_one_cell and wide.whole.shape[-1] % BLOCK else _with_more_tiles
            return add(launch, size, wide), True

        return launch

    def _launch(self, loop: LaneLoop, tiles: TiledLanes) -> Float[Array, "tiles whole lanes"]:
        """The kernel on whole blocks: a tile is filled up with copies of its last lane."""
        count, _, lanes = tiles.whole.shape
        blocks = -(-lanes // BLOCK)
        shape = jax.ShapeDtypeStruct((count, loop.whole, blocks * BLOCK), jnp.float64)
        parts = (_padded(part, blocks * BLOCK) for part in (tiles.fixed, tiles.keys, tiles.made, tiles.whole))
        call = (_interpreted if self.interpret else _compiled)(partial(_kernel, loop, blocks), shape, count * blocks)
        return call(tiles.counts, tiles.constants, *parts)[..., :lanes]


def _interpreted(kernel: Callable[..., None], shape: jax.ShapeDtypeStruct, blocks: int) -> Callable[..., Array]:
    body = partial(kernel, lambda: pallas.program_id(0))
    return pallas.pallas_call(body, out_shape=shape, grid=(blocks,), interpret=True)


def _compiled(kernel: Callable[..., None], shape: jax.ShapeDtypeStruct, blocks: int) -> Callable[..., Array]:
    """The kernel on a GPU, under Lane semantics: those of a warpgroup have no erf."""
    from jax.experimental.pallas import mosaic_gpu  # not everywhere where JAX is

    def lane_loop(*references: Any) -> None:
        kernel(lambda: jax.lax.axis_index("block"), *references)

    return mosaic_gpu.kernel(
        lane_loop,
        out_type=shape,
        grid=(blocks,),
        grid_names=("block",),
        compiler_params=mosaic_gpu.CompilerParams(lowering_semantics=mosaic_gpu.LoweringSemantics.Lane),
    )


def _with_more_tiles(launch: Callable[..., Array], size: int, wide: TiledLanes) -> Array:
    """A leading axis of `size`, as more tiles of one launch."""
    done = launch(*(part.reshape(-1, *part.shape[2:]) for part in wide))
    return done.reshape(size, -1, *done.shape[1:])


def _with_more_lanes(launch: Callable[..., Array], size: int, wide: TiledLanes) -> Array:
    """A leading axis of `size` over tiles of the same constants and counts, as more lanes of each."""

    def side_by_side(part: Array) -> Array:
        last = jnp.moveaxis(part, 0, -2)
        return last.reshape(*last.shape[:-2], -1)

    whole, fixed, keys, made = map(side_by_side, (wide.whole, wide.fixed, wide.keys, wide.made))
    done = launch(whole, fixed, wide.constants[0], keys, made, wide.counts[0])
    return jnp.moveaxis(done.reshape(*done.shape[:-1], size, -1), -2, 0)


def _broadcast(size: int, is_batched: bool, part: Array) -> Array:
    return part if is_batched else jnp.broadcast_to(part, (size, *part.shape))


def _padded(part: Array, lanes: int) -> Array:
    missing = lanes - part.shape[-1]
    return jnp.pad(part, [(0, 0)] * (part.ndim - 1) + [(0, missing)], mode="edge") if missing else part


def _kernel(
    loop: LaneLoop,
    blocks: int,
    block: Callable[[], Array],
    counts: Any,
    constants: Any,
    fixed: Any,
    keys: Any,
    made: Any,
    whole: Any,
    out: Any,
) -> None:
    """All steps of the 128 lanes of one block, `blocks` of them to a tile. Arrays are references to memory."""
    tile, at = block() // blocks, pallas.ds(block() % blocks * BLOCK, BLOCK)
    n_steps, segment, nothing = (counts[tile, i] for i in range(3))
    key = keys[tile, 0, at], keys[tile, 1, at]
    began = made[tile, at]
    pin = Pin.of(n_steps, loop.dtype)
    zero = (key[0] & np.uint32(0)).astype(loop.dtype)  # a number of each lane, where `zeros` would be one for all

    def state(tile: Array, places: range) -> Numbers:
        return [out[tile, i, at].astype(loop.dtype) for i in places]

    def read(tile: Array, places: range) -> Numbers:
        return [fixed[tile, i, at] for i in places]

    whole_held, fixed_held = _held(loop)
    shared = [constants[tile, i] for i in range(loop.constants)]
    read_once = read(tile, range(fixed_held))

    def one_segment(index: Array, carry: None) -> None:
        before = index * segment
        segment_key = fold(key, began + before)
        state_once = state(tile, range(whole_held))

        def step(index: Array, change: Numbers) -> Numbers:
            # The same tile, but the compiler cannot know, and so does not keep these numbers in registers.
            again = tile + index * nothing.astype(jnp.int32)
            whole = state_once + state(again, range(whole_held, loop.whole))
            fixed = read_once + read(again, range(fixed_held, loop.fixed))
            return loop.step(whole, fixed, shared, change, segment_key, index.astype(jnp.uint32), pin)

        steps = jnp.minimum(n_steps - before, segment).astype(jnp.int32)
        change = jax.lax.fori_loop(jnp.int32(0), steps, step, [zero] * loop.whole)
        for i, number in enumerate(change):
            out[tile, i, at] += number.astype(jnp.float64)
        return carry

    for i in range(loop.whole):
        out[tile, i, at] = whole[tile, i, at]
    jax.lax.fori_loop(jnp.int64(0), (n_steps + segment - 1) // segment, one_segment, None)


def _held(loop: LaneLoop) -> tuple[int, int]:
    """How many numbers of the state, and of the fixed ones, stay in registers; the rest is read at every step."""
    room = ROOM - loop.whole - loop.constants
    state = min(loop.whole, room)
    return state, min(loop.fixed, room - state)
