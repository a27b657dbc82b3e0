"""One function on every tile: every device has tiles of its own, and takes them one after another or all at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Int

from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.devices import AXIS

_TILES, _EVERYWHERE = PartitionSpec(AXIS), PartitionSpec()
"""Of an argument that has an axis of tiles in front, which is spread; of one that every device has as it is."""


def on_every_tile(function: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """(common, counts, *tiles) -> results: function(common, *tile) of every tile, spread over the devices of a mesh.

    - `common`: what all tiles share; every device has it.
    - `counts`: the tiles of each device that are taken, of those that there is room for.
    - `tiles`, and the results: trees of arrays whose leading axis is that of tiles.

    """
    return _on_every_device(lambda common, count, *tiles: over_tiles(partial(function, common), count, *tiles), mesh)


def move_every_tile(function: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """(common, counts, rows, state, saved) -> (state, saved), in place where the two are donated.

    - `common`, `counts`: those of `on_every_tile`; `rows`: something small of every tile.
    - `function`: (common, row, state, saved, at) -> (state, saved) of one tile: `saved[at]` is what is the tile's, for
      `at` a tuple of indices of leading axes, none or one; nothing else may be touched.
    """
    return _on_every_device(lambda common, count, *tiles: _in_place(partial(function, common), count, *tiles), mesh)


def _on_every_device(body: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """(common, counts, *tiles) -> body(common, count, *tiles) of the tiles that each device of a mesh has.

    Arrays of no number, as a state may have, are not handed over but made anew on the device: the compiler of jaxlib
    0.11.2 comes down with a segmentation fault where it finds that one of them is not needed.
    """

    def whole(common: Any, counts: Int[Array, " devices"], *tiles: Any) -> Any:
        arguments = (common, counts, *tiles)
        takes = (_EVERYWHERE, *[_TILES] * (1 + len(tiles)))
        filled, empty = eqx.partition(arguments, lambda leaf: leaf.size > 0)
        shapes = tuple(
            jax.tree.map(lambda leaf, spec=spec: _on_one(leaf, spec, mesh), tree)
            for tree, spec in zip(empty, takes, strict=True)
        )

        def shard(*filled: Any) -> Any:
            made = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
            common, counts, *tiles = eqx.combine(filled, made)
            return body(common, counts[0], *tiles)

        return jax.shard_map(shard, mesh=mesh, in_specs=takes, out_specs=_TILES, check_vma=False)(*filled)

    return whole


def _on_one(leaf: jax.Array, spec: PartitionSpec, mesh: Mesh) -> jax.ShapeDtypeStruct:
    """What one device has of an array."""
    if spec == _EVERYWHERE:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
    return jax.ShapeDtypeStruct((leaf.shape[0] // mesh.size, *leaf.shape[1:]), leaf.dtype)


def over_tiles(function: Callable[..., Any], count: Int[Array, ""], *arguments: Any) -> Any:
    """`function` of one tile, on each of the first `count` tiles of the leading axes of the arguments.

    An accelerator takes all tiles at once, and what differs between them, as the number of steps, becomes a mask: all
    take as long as the longest. A CPU core takes one after another, so that each stays in its cache. There the traced
    count keeps the compiler from unrolling a loop over one tile, which would round differently.
    """
    if not on_cpu():
        return jax.vmap(function)(*arguments)

    # Traced once, for the shapes of its results and for the loop.
    @jax.jit
    def tile(index: Array, arguments: Any) -> Any:
        return function(*jax.tree.map(partial(_take, index), arguments))

    def one(index: Array, results: Any) -> Any:
        return jax.tree.map(partial(_put, index), results, tile(index, arguments))

    shapes = jax.eval_shape(tile, count, arguments)
    tiles = jax.tree.leaves(arguments)[0].shape[0]
    empty = jax.tree.map(lambda shape: jnp.zeros((tiles, *shape.shape), shape.dtype), shapes)
    return jax.lax.fori_loop(jnp.zeros_like(count), count, one, empty)


def _in_place(function: Callable[..., Any], count: Int[Array, ""], rows: Any, state: Any, saved: Any) -> Any:
    """(state, saved) after `function` of `move_every_tile` on each of the first `count` tiles.

    As in `over_tiles` an accelerator takes all at once and a CPU core one after another. There what is saved stays
    where it is: it may be a hundred times what a state is, and was half of the time of calls where it was copied.
    """
    if not on_cpu():
        return jax.vmap(partial(function, at=()))(rows, state, saved)

    def one(index: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        state, saved = carry
        row, here = jax.tree.map(partial(_take, index), (rows, state))
        here, saved = function(row, here, saved, at=(index,))
        return jax.tree.map(partial(_put, index), state, here), saved

    return jax.lax.fori_loop(jnp.zeros_like(count), count, one, (state, saved))


def _take(index: Array, tiles: Array) -> Array:
    return jax.lax.dynamic_index_in_dim(tiles, index, keepdims=False)


def _put(index: Array, tiles: Array, here: Array) -> Array:
    return jax.lax.dynamic_update_index_in_dim(tiles, here, index, 0)
