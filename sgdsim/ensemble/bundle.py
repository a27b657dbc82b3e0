"""A bundle: tiles of several ensembles of equal form, simulated at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sgdsim.ensemble.batch import Batch
from sgdsim.ensemble.propagate import Progress
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
