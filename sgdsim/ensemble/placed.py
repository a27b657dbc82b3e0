"""Tiles placed on the devices: what the compiled functions take of some pieces, and what they give, piece by piece."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, UInt32

from sgdsim.contracts import Curve, Initial, Kernel, Observables
from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.devices import tile_mesh
from sgdsim.ensemble.layout import Layout
from sgdsim.ensemble.stack import Stack
from sgdsim.ensemble.tiles import Tiles


@dataclass(frozen=True)
class Piece:
    """Consecutive tiles of one cell at t = 0, and all that it takes to get from there to their statistics.

    - `initials`: one start with a leading axis of 1 for all; or, `own`, a leading axis of tiles, then one of lanes.
    - `keys`: of every replica, (tiles, 2, lanes).
    - `valid`: replicas of each tile that belong to the ensemble.
    - `increments`: steps before each save time; `times`: these in time.
    - `curve`, `theory_curve`: the theory for own starts, the solution for a shared one; None where there is none.
    - `bound`: of the order parameters, from which on a replica counts as diverged.
    - `followed`: whether the trajectory of a replica is to be kept, (tiles, lanes); None where those of none are.
    """

    kernel: Kernel
    initials: Initial
    own: bool
    keys: UInt32[np.ndarray, "tiles 2 lanes"]
    valid: Int[np.ndarray, " tiles"]
    increments: Int[np.ndarray, " times"]
    times: Float[np.ndarray, " times"]
    curve: Curve | None
    theory_curve: Observables | None
    order_parameters: tuple[str, ...]
    bound: float
    followed: Bool[np.ndarray, "tiles lanes"] | None


@dataclass(frozen=True)
class Placed:
    """The tiles of pieces whose cells have kernels, starts and theories of equal form, on the local devices."""

    pieces: Sequence[Piece]

    @cached_property
    def layout(self) -> Layout:
        """How the tiles are spread: by their steps on CPU cores, by their number on devices that take all at once."""
        devices = jax.local_device_count()
        if not on_cpu():
            return Layout.by_number(len(self._cells), devices)
        return Layout.by_work([int(self.pieces[cell].increments.sum()) for cell in self._cells], devices)

    @property
    def mesh(self) -> jax.sharding.Mesh:
        """The devices that have tiles."""
        return tile_mesh(self.layout.devices)[0]

    def counted(self, counts: Int[np.ndarray, " devices"]) -> jax.Array:
        """Numbers of tiles, each on its device."""
        return tile_mesh(self.layout.devices)[1](counts)

    @cached_property
    def kernels(self) -> Stack:
        """The kernels of all cells, on every device."""
        return self._everywhere([piece.kernel for piece in self.pieces])

    @property
    def shared_starts(self) -> Stack | None:
        """The starts that all replicas of a cell share; None where each has its own."""
        return None if self.first.own else self._everywhere([piece.initials for piece in self.pieces])

    @cached_property
    def rows(self) -> jax.Array:
        """The row of each tile in the stacks."""
        return self._spread(self._cells)

    @cached_property
    def own_starts(self) -> Initial:
        """The starts of every tile's replicas; None where they share one."""
        if not self.first.own:
            return None
        return self._spread(jax.tree.map(lambda *parts: np.concatenate(parts), *(p.initials for p in self.pieces)))

    @property
    def keys(self) -> jax.Array:
        """The keys of every tile's replicas."""
        return self._spread(np.concatenate([piece.keys for piece in self.pieces]))

    @property
    def valid(self) -> jax.Array:
        """Whether a lane of a tile holds a replica."""
        return self._spread(self._held)

    @property
    def theory(self) -> tuple[Stack, Stack]:
        """What the replicas of each cell are held against: solved for a shared start, or a curve for own ones."""
        curves = [(piece.curve, piece.times, piece.bound) for piece in self.pieces]
        return self._everywhere([piece.theory_curve for piece in self.pieces], sys.maxsize), self._everywhere(curves)

    def on_host(self, summary: dict[str, Any]) -> list[Tiles]:
        """The summary of each piece, without the copies and the lanes that hold no replica."""
        fields = jax.tree.map(lambda array: np.asarray(array)[self.layout.rows], summary)
        return [self._piece(fields, np.flatnonzero(self._cells == cell)) for cell in range(len(self.pieces))]

    def _piece(self, fields: dict[str, Any], tiles: Int[np.ndarray, " tiles"]) -> Tiles:
        """The statistics of some tiles."""
        here, held = jax.tree.map(lambda array: array[tiles], fields), self._held[tiles]
        each = ("kept", "sup_deviation", "final_deviation")
        here |= {name: jax.tree.map(lambda array: array[held], here[name]) for name in each}
        if self.follows:
            chosen = np.concatenate([piece.followed for piece in self.pieces if piece.followed is not None])[tiles]
            here["paths"] = {name: array[chosen] for name, array in here["paths"].items()}
        return Tiles(**here)

    @property
    def follows(self) -> bool:
        """Whether trajectories of replicas are to be kept, be they of these tiles or of others of their ensemble."""
        return self.first.followed is not None

    @property
    def first(self) -> Piece:
        """A piece that tells what all have in common."""
        return self.pieces[0]

    @cached_property
    def _cells(self) -> Int[np.ndarray, " tiles"]:
        """The piece of each tile."""
        return np.repeat(np.arange(len(self.pieces)), [len(piece.valid) for piece in self.pieces])

    @cached_property
    def _held(self) -> np.ndarray:
        """Whether a lane of a tile holds a replica, (tiles, lanes)."""
        valid = np.concatenate([piece.valid for piece in self.pieces])
        return np.arange(self.first.kernel.lanes) < valid[:, None]

    def _spread(self, tree: Any) -> Any:
        """Leading axes of tiles, laid out over the devices."""
        spread = tile_mesh(self.layout.devices)[1]
        return spread(jax.tree.map(lambda part: np.asarray(part)[self.layout.slots], tree))

    def _everywhere(self, trees: Sequence[Any], *largest: int) -> Stack:
        """A tree of every cell, stacked, on every device."""
        return tile_mesh(self.layout.devices)[2](Stack.of(trees, *largest))
