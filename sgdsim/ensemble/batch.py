"""From t = 0 to statistics: tiles of one ensemble or of many that one program serves, so many at once as there is room.

A bundle is what is asked for, a batch is what is simulated at once of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Int

from sgdsim.contracts import Observables
from sgdsim.ensemble.placed import Piece, Placed
from sgdsim.ensemble.programs import make_room
from sgdsim.ensemble.propagate import Call, Pace, Progress, make_propagator, make_starter
from sgdsim.ensemble.stack import Stack
from sgdsim.ensemble.statistics import make_summary
from sgdsim.ensemble.tiles import Tiles

if TYPE_CHECKING:
    from sgdsim.ensemble.replicas import Ensemble


@dataclass(frozen=True)
class Bundle:
    """Ranges of tiles of ensembles of equal `form`, each of which an ensemble may have several of.

    Their bits are those of a run ensemble by ensemble.

    - `most`: tiles that are simulated at once, at most; None for what the memory is reckoned to hold.
    """

    parts: Sequence[tuple[Ensemble, range]]
    most: int | None = None

    @property
    def form(self) -> Hashable:
        """That of its ensembles."""
        return self.parts[0][0].form

    @property
    def lanes(self) -> int:
        """Replicas of a tile."""
        return self.parts[0][0].lanes

    @property
    def n_tiles(self) -> int:
        """Tiles of all parts together."""
        return sum(len(tiles) for _, tiles in self.parts)

    @property
    def tiles_at_once(self) -> int:
        """Tiles that are simulated at once, on all devices together."""
        room = min(ensemble.room for ensemble, _ in self.parts)
        return min(room if self.most is None else min(room, self.most), self.n_tiles)

    def run(self, progress: Progress) -> list[Tiles]:
        """Statistics of each part."""
        found: list[list[Tiles]] = [[] for _ in self.parts]
        for chunk in self._chunks():
            for (part, _), tiles in zip(chunk, self._batch(chunk).run(progress), strict=True):
                found[part].append(tiles)
        return [Tiles.concatenate(pieces) for pieces in found]

    def compile(self) -> None:
        """Compiles what `run` needs, so that a clock started afterwards times the simulation alone."""
        make_room()
        for chunk in {(len(chunk), sum(len(tiles) for _, tiles in chunk)): chunk for chunk in self._chunks()}.values():
            self._batch(chunk).compile()

    def _batch(self, chunk: Sequence[tuple[int, range]]) -> Batch:
        return Batch([self.parts[part][0].begin(tiles) for part, tiles in chunk])

    def _chunks(self) -> list[list[tuple[int, range]]]:
        """What is simulated at once, as numbers of parts and ranges of their tiles.

        The longest trajectories come first, so that those of a chunk are about equally long.
        """
        chunks: list[list[tuple[int, range]]] = []
        room = 0
        for part in sorted(range(len(self.parts)), key=lambda part: -self.parts[part][0].total_steps):
            tiles = self.parts[part][1]
            while tiles:
                if not room:
                    chunks.append([])
                    room = self.tiles_at_once
                here, tiles = tiles[:room], tiles[room:]
                chunks[-1].append((part, here))
                room -= len(here)
        return chunks


@dataclass(frozen=True)
class Batch:
    """The replicas of some pieces, all at once, from t = 0 to their statistics.

    The cells of the pieces have kernels, starts and theories of equal form: see `Ensemble.form`.
    """

    pieces: Sequence[Piece]

    @cached_property
    def placed(self) -> Placed:
        """The pieces on the devices."""
        return Placed(self.pieces)

    def run(self, progress: Progress) -> list[Tiles]:
        """The trajectories of these tiles, as statistics of each piece."""
        counts = self.placed.layout.counts
        state, saved = self._start(counts)
        replicas = [int(piece.valid.sum()) for piece in self.pieces]
        segments = np.array([int(piece.kernel.segment) for piece in self.pieces])
        tiles = np.array([len(piece.valid) for piece in self.pieces])
        pace = Pace(np.stack([piece.increments for piece in self.pieces]), segments, tiles)
        while not pace.done:
            call = pace.next_call()
            state, saved = self._advance(state, saved, counts, call)
            pace.record(call)
            progress(sum(int(steps) * count for steps, count in zip(call.steps, replicas, strict=True)))
        return self.placed.on_host(self._summary(saved, counts))

    def compile(self) -> None:
        """Runs the compiled functions on no tile and for no step."""
        cells, none = len(self.pieces), np.zeros_like(self.placed.layout.counts)
        nothing = np.zeros((cells, len(self.placed.first.increments)), np.int64)
        state, saved = self._start(none)
        _, saved = self._advance(state, saved, none, Call(nothing, first=0, stop=0, extra=np.zeros(cells, np.int64)))
        jax.block_until_ready(self._summary(saved, none))

    def _start(self, counts: Int[np.ndarray, " devices"]) -> tuple[Any, Observables]:
        """States at t = 0 of so many tiles of each device, and room for what is to be saved."""
        placed = self.placed
        starter = make_starter(placed.mesh, len(placed.first.increments))
        common = (placed.kernels, placed.shared_starts)
        return starter(common, placed.counted(counts), placed.rows, placed.own_starts, placed.keys)

    def _advance(
        self, state: Any, saved: Observables, counts: Int[np.ndarray, " devices"], call: Call
    ) -> tuple[Any, Observables]:
        """One call of the propagator on so many tiles of each device; it takes state and saved over."""
        placed = self.placed
        common = (placed.kernels, *call.arguments(Stack.room(len(self.pieces))))
        propagate = make_propagator(placed.mesh, placed.first.kernel.small_products)
        return jax.block_until_ready(propagate(common, placed.counted(counts), placed.rows, state, saved))

    def _summary(self, saved: Observables, counts: Int[np.ndarray, " devices"]) -> dict[str, Any]:
        """Averages over the replicas of each tile, and every replica's deviation from theory."""
        placed, first = self.placed, self.placed.first
        starts = placed.own_starts if first.curve is not None else None
        paths = first.order_parameters if placed.follows else ()
        summary = make_summary(placed.mesh, first.order_parameters, first.kernel.kept, paths)
        return summary(placed.theory, placed.counted(counts), placed.rows, saved, placed.valid, starts)
