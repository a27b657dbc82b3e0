"""Which device simulates which tiles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layout:
    """The tiles of a batch, device by device.

    - `shares`: the tiles of each device, at least one; `room`: places for tiles on each.

    A device has room for two tiles at least: around an axis of length one the compiler would arrange, and round, the
    same sums otherwise. Room that is left over holds copies of tiles, which are dropped.
    """

    shares: tuple[tuple[int, ...], ...]
    room: int

    @classmethod
    def by_work(cls, work: Sequence[int], devices: int) -> "Layout":
        """For devices that take tile after tile, as CPU cores: the longest first, each to the least loaded device.

        The room is a power of two, so that compiled programs are few: copies are never simulated.
        """
        shares: list[list[int]] = [[] for _ in range(min(devices, len(work)))]
        load = [0] * len(shares)
        for tile in sorted(range(len(work)), key=lambda tile: -work[tile]):
            device = min(range(len(shares)), key=lambda device: (load[device], len(shares[device])))
            shares[device].append(tile)
            load[device] += work[tile]
        longest = max(map(len, shares))
        return cls(tuple(tuple(sorted(share)) for share in shares), max(2, 1 << (longest - 1).bit_length()))

    @classmethod
    def by_number(cls, tiles: int, devices: int) -> "Layout":
        """For devices that take all their tiles at once: as many to each, but perhaps the last."""
        each = -(-tiles // min(devices, tiles))
        shares = [tuple(range(first, min(first + each, tiles))) for first in range(0, tiles, each)]
        return cls(tuple(shares), max(2, each))

    @property
    def devices(self) -> int:
        """How many devices have tiles."""
        return len(self.shares)

    @property
    def counts(self) -> np.ndarray:
        """Tiles of each device, (devices,)."""
        return np.array([len(share) for share in self.shares])

    @property
    def slots(self) -> np.ndarray:
        """The tile that stands in each place, (devices * room,)."""
        return np.array([share[min(slot, len(share) - 1)] for share in self.shares for slot in range(self.room)])

    @property
    def rows(self) -> np.ndarray:
        """The place of each tile, (tiles,)."""
        places = {
            tile: device * self.room + slot
            for device, share in enumerate(self.shares)
            for slot, tile in enumerate(share)
        }
        return np.array([places[tile] for tile in range(len(places))])
