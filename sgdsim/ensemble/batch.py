"""A batch: tiles of one cell or of many that are simulated at once, spread over the local devices."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int, UInt32

from sgdsim.contracts import Curve, Initial, Kernel, Observables
from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.devices import tile_mesh
from sgdsim.ensemble.layout import Layout
from sgdsim.ensemble.propagate import Call, Pace, Progress, make_propagator, make_starter
from sgdsim.ensemble.stack import Stack
from sgdsim.ensemble.statistics import make_summary
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


@dataclass(frozen=True)
class Batch:
    """The replicas of some pieces, from t = 0 to their statistics.

    The cells of the pieces have kernels, starts and theories of equal form: see `Ensemble.form`.
    """

    pieces: Sequence[Piece]

    def run(self, progress: Progress) -> list[Tiles]:
        """The trajectories of these tiles, as statistics of each piece."""
        counts = self.layout.counts
        state, saved = self.start(counts)
        replicas = [int(piece.valid.sum()) for piece in self.pieces]
        segments = np.array([int(piece.kernel.segment) for piece in self.pieces])
        tiles = np.array([len(piece.valid) for piece in self.pieces])
        pace = Pace(np.stack([piece.increments for piece in self.pieces]), segments, tiles)
        while not pace.done:
            call = pace.next_call()
            state, saved = self.advance(state, saved, counts, call)
            pace.record(call)
            progress(sum(int(steps) * count for steps, count in zip(call.steps, replicas, strict=True)))
        return self._on_host(self._summary(saved, counts))

    def compile(self) -> None:
        """Runs the compiled functions on no tile and for no step."""
        cells, none = len(self.pieces), np.zeros_like(self.layout.counts)
        nothing = np.zeros((cells, len(self._first.increments)), np.int64)
        state, saved = self.start(none)
        _, saved = self.advance(state, saved, none, Call(nothing, first=0, stop=0, extra=np.zeros(cells, np.int64)))
        jax.block_until_ready(self._summary(saved, none))

    @cached_property
    def layout(self) -> Layout:
        """How the tiles are spread: by their steps on CPU cores, by their number on devices that take all at once."""
        devices = jax.local_device_count()
        if not on_cpu():
            return Layout.by_number(len(self._cells), devices)
        return Layout.by_work([int(self.pieces[cell].increments.sum()) for cell in self._cells], devices)

    def start(self, counts: Int[np.ndarray, " devices"]) -> tuple[Any, Observables]:
        """States at t = 0 of so many tiles of each device, and room for what is to be saved."""
        mesh, spread, everywhere = tile_mesh(self.layout.devices)
        shared = None if self._first.own else everywhere(Stack.of([piece.initials for piece in self.pieces]))
        keys = np.concatenate([piece.keys for piece in self.pieces])
        starter = make_starter(mesh, len(self._first.increments))
        return starter(
            self._kernels, shared, spread(counts), self._rows_of_tiles, self._own_initials, self._spread(keys)
        )

    def advance(
        self, state: Any, saved: Observables, counts: Int[np.ndarray, " devices"], call: Call
    ) -> tuple[Any, Observables]:
        """One call of the propagator on so many tiles of each device; it takes state and saved over."""
        mesh, spread, _ = tile_mesh(self.layout.devices)
        moved = make_propagator(mesh)(
            self._kernels,
            self._rows_of_tiles,
            state,
            saved,
            spread(counts),
            *call.arguments(Stack.room(len(self.pieces))),
        )
        return jax.block_until_ready(moved)

    @property
    def _first(self) -> Piece:
        return self.pieces[0]

    @cached_property
    def _cells(self) -> Int[np.ndarray, " tiles"]:
        """The piece of each tile."""
        return np.repeat(np.arange(len(self.pieces)), [len(piece.valid) for piece in self.pieces])

    @cached_property
    def _kernels(self) -> Stack:
        """The kernels of all cells, on every device."""
        return tile_mesh(self.layout.devices)[2](Stack.of([piece.kernel for piece in self.pieces]))

    @cached_property
    def _rows_of_tiles(self) -> jax.Array:
        return self._spread(self._cells)

    @cached_property
    def _own_initials(self) -> Initial:
        """The starts of every tile's replicas; None where they share one."""
        if not self._first.own:
            return None
        return self._spread(jax.tree.map(lambda *parts: np.concatenate(parts), *(p.initials for p in self.pieces)))

    @cached_property
    def _held(self) -> np.ndarray:
        """Whether a lane of a tile holds a replica, (tiles, lanes)."""
        valid = np.concatenate([piece.valid for piece in self.pieces])
        return np.arange(self._first.kernel.lanes) < valid[:, None]

    def _spread(self, tree: Any) -> Any:
        """Leading axes of tiles, laid out over the devices."""
        spread = tile_mesh(self.layout.devices)[1]
        return spread(jax.tree.map(lambda part: np.asarray(part)[self.layout.slots], tree))

    def _summary(self, saved: Observables, counts: Int[np.ndarray, " devices"]) -> dict[str, Any]:
        """Averages over the replicas of each tile, and every replica's deviation from theory."""
        first = self._first
        mesh, spread, everywhere = tile_mesh(self.layout.devices)
        curves = Stack.of([(piece.curve, piece.times, piece.bound) for piece in self.pieces])
        solved = Stack.of([piece.theory_curve for piece in self.pieces], largest=sys.maxsize)
        return make_summary(mesh, first.order_parameters, first.kernel.kept)(
            saved,
            self._spread(self._held),
            spread(counts),
            self._rows_of_tiles,
            everywhere(solved),
            everywhere(curves),
            self._own_initials if first.curve is not None else None,
        )

    def _on_host(self, summary: dict[str, Any]) -> list[Tiles]:
        """The summary of each piece, without the copies and the lanes that hold no replica."""
        fields = jax.tree.map(lambda array: np.asarray(array)[self.layout.rows], summary)
        return [self._piece(fields, np.flatnonzero(self._cells == cell)) for cell in range(len(self.pieces))]

    def _piece(self, fields: dict[str, Any], tiles: Int[np.ndarray, " tiles"]) -> Tiles:
        """The statistics of some tiles."""
        here, held = jax.tree.map(lambda array: array[tiles], fields), self._held[tiles]
        each = ("kept", "sup_deviation", "final_deviation")
        return Tiles(**here | {name: jax.tree.map(lambda array: array[held], here[name]) for name in each})
