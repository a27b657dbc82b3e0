"""Which blocks are made at once: a bundle fills the devices, and is small enough for little to be lost with it."""

import math
import sys
from collections.abc import Hashable, Iterable
from itertools import islice

import jax

from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.evolution import Evolution
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.run.opened import OpenRun
from sgdsim.store.blocks import BLOCK_SECONDS, Block

TILES_PER_CORE = 4
"""Tiles of a bundle for each CPU core, at most: enough for cores to be busy alike, and little to be lost."""
LONGER = 2
"""How much longer a tile may be than the first of its bundle, where it is longer than a block."""


class Bundler:
    """Puts the blocks of a run together that one program serves: those of ensembles of equal form.

    A bundle never holds more tiles than are simulated at once. On CPU cores, which take them one after another, it
    holds no more work than a block for each core, of those that are cut by their work: about a minute. More is taken
    only where cores would be without any, and then of tiles that are about as long. On an accelerator, where all tiles
    take the time of the longest, work does not count.
    """

    def __init__(self, opened: OpenRun) -> None:
        self._opened = opened
        devices, cores = jax.local_device_count(), on_cpu()
        self._devices = devices
        self._most_tiles = TILES_PER_CORE * devices if cores else sys.maxsize
        self._most_work = BLOCK_SECONDS * devices if cores else math.inf
        self._forms: dict[int, Hashable] = {}

    def first(self, blocks: Iterable[Block]) -> list[Block]:
        """The first of some blocks, and those of the others that are best made with it; none where there are none."""
        others = iter(blocks)
        bundle = list(islice(others, 1))
        if not bundle or self._form(bundle[0].cell) is None:
            return bundle
        head, form, room = bundle[0], self._form(bundle[0].cell), self._room(bundle[0])
        tiles, work = len(head.tiles), self._work(head)
        for block in others:
            if tiles >= room or (tiles >= self._devices and work >= self._most_work):
                break
            more = tiles + len(block.tiles), work + self._work(block)
            little = more[1] <= self._most_work or (tiles < self._devices and self._as_long(block, head))
            if more[0] <= room and little and self._form(block.cell) == form:
                bundle.append(block)
                tiles, work = more
        return bundle

    def _room(self, block: Block) -> int:
        """Tiles of a bundle, at most."""
        ensemble = self._opened.ensembles[block.cell]
        return min(ensemble.room, self._most_tiles) if isinstance(ensemble, Ensemble) else 1

    def _as_long(self, block: Block, head: Block) -> bool:
        """Whether the tiles of a block are not much longer than those of the first, or than a block."""
        each, first = (self._work(one) / len(one.tiles) for one in (block, head))
        return each <= max(BLOCK_SECONDS, LONGER * first)

    def _work(self, block: Block) -> float:
        """Seconds of arithmetic in a block, comparable between cells."""
        return self._opened.ensembles[block.cell].replica_seconds * len(block.replicas)

    def _form(self, cell: int) -> Hashable:
        """The form of a cell's ensemble; None where it has none, or cannot be had: then it fails alone."""
        if cell not in self._forms:
            self._forms[cell] = _form_of(self._opened.ensembles[cell])
        return self._forms[cell]


def _form_of(ensemble: Evolution) -> Hashable:
    try:
        return ensemble.form
    except Exception:  # the maker finds it again, and tells of it
        return None
