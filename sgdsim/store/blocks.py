"""Blocks: the units of work, of storage and of recovery of a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

MAX_BLOCKS = 1_000_000
"""Blocks of a run: each is a file, and all of their names are in memory of whoever looks at the run."""
BLOCK_SECONDS = 20.0
"""Seconds of arithmetic in a block at most, on the core that plans reckon by: with what narrow tiles pay beside it, up
to a minute; a second or less on a GPU."""


@dataclass(frozen=True)
class Block:
    """A range of tiles of one cell, with the range of replicas that they hold.

    The name of its file holds the replicas: an ensemble that grows never takes a shorter block for a longer one.
    """

    cell: int
    tiles: range
    replicas: range

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"c{self.cell:05d}-r{self.replicas.start:07d}-{self.replicas.stop:07d}.npz"


@dataclass(frozen=True)
class CellLayout:
    """How one cell is cut into blocks, and where it lies in the grid.

    - `lanes`: replicas of a tile.
    - `cuts`: tiles at which its blocks begin, and the number of tiles, at which the last one ends.
    - `cost`: of one replica, or of a theory that is solved alone, in seconds that are the same on any machine: by it
      cells are compared, so that the time left of a run is not that of its cheapest.
    """

    cell: int
    axes: Mapping[str, Any]
    replicas: int
    lanes: int
    cuts: Sequence[int]
    cost: float = field(default=1.0, compare=False)

    @property
    def blocks(self) -> list[Block]:
        """Its blocks, in order."""
        return [self.block(range(first, stop)) for first, stop in pairwise(self.cuts)]

    def block(self, tiles: range) -> Block:
        """The block of these tiles."""
        first, stop = (min(tile * self.lanes, self.replicas) for tile in (tiles.start, tiles.stop))
        return Block(self.cell, tiles, range(first, stop))

    def cost_of(self, block: Block) -> float:
        """The cost of one of its blocks; that of a theory alone, which has no replicas, is that of one."""
        return self.cost * (len(block.replicas) or 1)

    def to_json(self) -> dict[str, Any]:
        """As the index of a run directory holds it."""
        known = {"axes": dict(self.axes), "replicas": self.replicas, "lanes": self.lanes, "cuts": list(self.cuts)}
        # Three digits: the cost of a cell compares cells, and an index of 1e5 of them is read at every start.
        return known | {"cost": float(f"{self.cost:.3g}")}

    @classmethod
    def from_json(cls, cell: int, entry: Mapping[str, Any]) -> "CellLayout":
        """The inverse of `to_json`. **Raises:** ValueError unless the cuts go from 0 to all replicas without a gap."""
        found = cls(cell, entry["axes"], entry["replicas"], entry["lanes"], entry["cuts"], entry.get("cost", 1.0))
        # A theory that is solved alone has no replicas, and one block.
        tiles = max(1, -(-found.replicas // found.lanes))
        if (found.cuts[0], found.cuts[-1]) != (0, tiles) or any(first >= stop for first, stop in pairwise(found.cuts)):
            raise ValueError(f"cell {cell} is not cut from 0 to its {tiles} tiles without a gap")
        return found


def cut_tiles(tiles: range, lanes: int, seconds: float, replicas: int | None) -> list[int]:
    """Where blocks begin in a range of tiles, and where it ends.

    The cuts depend on the experiment alone, never on the machine's memory or devices, so that the files of an
    interrupted run fit wherever it is taken up again.

    - `lanes`: replicas of a tile.
    - `seconds`: of one replica from beginning to end; a tile, which cannot be cut, may have more than a block.
    - `replicas`: replicas of a block as the experiment asks, rounded up to whole tiles; None for a choice by the work.
    """
    return [*range(tiles.start, tiles.stop, _size(tiles, lanes, seconds, replicas)), tiles.stop]


def count_blocks(tiles: range, lanes: int, seconds: float, replicas: int | None) -> int:
    """How many blocks `cut_tiles` would make: its list of a trillion would take all memory."""
    return len(range(tiles.start, tiles.stop, _size(tiles, lanes, seconds, replicas)))


def _size(tiles: range, lanes: int, seconds: float, replicas: int | None) -> int:
    """Tiles of a block."""
    if replicas is not None:
        # Whole tiles: a tile that is cut in two would be simulated twice.
        return max(1, -(-replicas // lanes))
    return max(1, int(min(len(tiles), BLOCK_SECONDS / (lanes * seconds) if lanes * seconds else math.inf)))


def and_more(name: str, others: int) -> str:
    """A name, and how many there are besides: "c00000-r0000000-0000032.npz and 3 more"."""
    return f"{name} and {others} more" if others else name


def describe(axes: Mapping[str, Any]) -> str:
    """Coordinates in the grid as text: "d=300, noise=0.001"."""
    values = {name: f"{value:g}" if isinstance(value, float) else value for name, value in axes.items()}
    return ", ".join(f"{name}={value}" for name, value in values.items())
