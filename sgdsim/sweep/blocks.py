"""Blocks: the units of work, of storage and of recovery of a sweep."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgdsim.ensemble.tiles import Tiles

BLOCK_STEPS = 4e9
"""Steps of SGD, summed over replicas, of a block at most: minutes on a few cores, seconds on a GPU."""
LEAST_TILES = 8
"""Tiles of a block at least (unless the experiment says otherwise), so that several devices have work in it."""


@dataclass(frozen=True)
class Block:
    """A range of tiles of one cell."""

    cell: int
    tiles: range

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"c{self.cell:05d}-t{self.tiles.start:06d}.npz"


@dataclass(frozen=True)
class BlockResult:
    """What is stored of a finished block: the statistics, and apart from them how long they took."""

    tiles: Tiles
    lanes: int
    replica_steps: int
    wall_seconds: float


def partition(cell: int, n_tiles: int, lanes: int, steps: int, replicas: int | None) -> list[Block]:
    """The blocks of a cell, in order.

    They depend on the experiment alone, never on the machine's memory or devices, so that the files of an interrupted
    run fit wherever it is taken up again.

    - `n_tiles`, `lanes`: tiles of the cell, and replicas in each.
    - `steps`: steps of SGD of one replica.
    - `replicas`: replicas of a block as the experiment asks, rounded up to whole tiles; None for a choice by the work.
    """
    size = max(LEAST_TILES, int(BLOCK_STEPS / max(1, lanes * steps))) if replicas is None else -(-replicas // lanes)
    return [Block(cell, range(first, min(first + size, n_tiles))) for first in range(0, n_tiles, size)]


def describe(axes: Mapping[str, Any]) -> str:
    """Coordinates in the grid as text: "d=300, noise=0.001"."""
    values = {name: f"{value:g}" if isinstance(value, float) else value for name, value in axes.items()}
    return ", ".join(f"{name}={value}" for name, value in values.items())
