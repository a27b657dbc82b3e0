"""Block files: the statistics of a finished block, with what it takes to trust them."""

import hashlib
import importlib.metadata
import json
import math
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sgdsim._version import __version__
from sgdsim.ensemble.tiles import Tiles
from sgdsim.native.used import compilers_used
from sgdsim.store.blocks import Block
from sgdsim.store.files import atomic
from sgdsim.store.worker import this_worker

FORMAT = 2
"""Of run directories and block files. A change that older versions would misread counts it up."""
Table = tuple[tuple[str, str, tuple[int, ...]], ...]
_UNREADABLE = (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, NotImplementedError)


class SpoiltBlock(Exception):
    """A block file that must not be merged: damaged, or not the block that its name says."""


@dataclass(frozen=True)
class BlockResult:
    """What is stored of a finished block: the statistics, and apart from them how long they took."""

    tiles: Tiles
    lanes: int
    replica_steps: int
    wall_seconds: float


@dataclass(frozen=True)
class BlockHeader:
    """What a block file says of itself.

    - `format`, `sgdsim`, `jax`: versions that made it.
    - `experiment`: fingerprint of the experiment.
    - `cell`, `replicas`, `lanes`: which block; first replica and the one after the last.
    - `replica_steps`, `wall_seconds`: the work it took.
    - `worker`: the process that made it.
    - `arrays`: name, type and shape of every array of numbers, in the order in which they are stored.
    - `digest`: of all numbers, their names and shapes: equal for equal bits, whoever made them.
    - `compiler`: of loops in C++, name and version; empty where there were none.
    """

    format: int
    sgdsim: str
    jax: str
    experiment: str
    cell: int
    replicas: tuple[int, int]
    lanes: int
    replica_steps: int
    wall_seconds: float
    worker: str
    arrays: Table
    digest: str
    compiler: str = ""

    @classmethod
    def from_json(cls, text: bytes) -> "BlockHeader":
        """As a block file holds it."""
        entry: dict[str, Any] = json.loads(text)
        entry["replicas"] = tuple(entry["replicas"])
        entry["arrays"] = tuple((name, kind, tuple(shape)) for name, kind, shape in entry["arrays"])
        return cls(**entry)


def write_block(path: Path, experiment: str, block: Block, result: BlockResult) -> BlockHeader:
    """Stores a finished block whole or not at all; its folder must be there.

    The numbers lie in the file as one run of bytes, which is read ten times faster than an entry for each array.

    **Raises:** OSError where it cannot be written.
    """
    table, numbers = pack(result.tiles)
    header = BlockHeader(
        format=FORMAT,
        sgdsim=__version__,
        jax=_version_of_jax(),
        experiment=experiment,
        cell=block.cell,
        replicas=(block.replicas.start, block.replicas.stop),
        lanes=result.lanes,
        replica_steps=result.replica_steps,
        wall_seconds=result.wall_seconds,
        worker=this_worker().name,
        arrays=table,
        digest=digest(table, numbers),
        compiler=compilers_used(),
    )
    # The header lies in the file itself: a block and what vouches for it cannot be parted.
    with atomic(path) as temporary, temporary.open("wb") as stream:
        text = np.frombuffer(json.dumps(vars(header)).encode(), np.uint8)
        np.savez(stream, receipt=text, numbers=np.frombuffer(numbers, np.uint8))
    return header


def read_block(path: Path, experiment: str, block: Block, lanes: int) -> tuple[BlockResult, BlockHeader]:
    """Reads a block file and checks that it is whole, and the block of this experiment that its name says.

    **Raises:** SpoiltBlock where it is not; OSError where it cannot be read.
    """
    try:
        # Nothing is unpickled: a folder that somebody else has made runs no code.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            header = BlockHeader.from_json(stored["receipt"].tobytes())
            numbers = stored["numbers"].tobytes()
        # Before anything is made of the numbers: a bit that a disk has lost is found here, and nowhere else.
        if digest(header.arrays, numbers) != header.digest:
            raise SpoiltBlock("is damaged (its checksum is not that of its numbers)")
        tiles = Tiles.from_arrays(_arrays(header.arrays, numbers))
    except _UNREADABLE as error:
        raise SpoiltBlock(f"is damaged ({type(error).__name__}: {error})") from error
    _check(header, experiment, block, lanes)
    return BlockResult(tiles, header.lanes, header.replica_steps, header.wall_seconds), header


def pack(tiles: Tiles) -> tuple[Table, bytes]:
    """Statistics as a block file holds them: name, type and shape of every array, and all their bytes."""
    arrays = tiles.to_arrays()
    table = tuple((name, array.dtype.str, array.shape) for name, array in arrays.items())
    return table, b"".join(array.tobytes() for array in arrays.values())


def digest(table: Table, numbers: bytes) -> str:
    """A checksum of arrays: of their names, types and shapes, and of their bytes one after another."""
    # Names and shapes too: the same bytes in another order are other numbers.
    total = hashlib.blake2b(json.dumps(table).encode(), digest_size=16)
    total.update(numbers)
    return total.hexdigest()


def _arrays(table: Table, numbers: bytes) -> dict[str, np.ndarray]:
    arrays, offset = {}, 0
    for name, kind, shape in table:
        count = math.prod(shape)
        arrays[name] = np.frombuffer(numbers, kind, count, offset).reshape(shape)
        offset += arrays[name].nbytes
    return arrays


@cache
def _version_of_jax() -> str:
    return importlib.metadata.version("jax")


def _check(header: BlockHeader, experiment: str, block: Block, lanes: int) -> None:
    # Another version may draw other numbers: blocks of two of them are not one ensemble.
    if header.format != FORMAT or header.sgdsim != __version__:
        raise SpoiltBlock(f"was made by sgdsim {header.sgdsim}, this is {__version__}")
    if header.experiment != experiment:
        raise SpoiltBlock("is a block of another experiment")
    if (header.cell, *header.replicas) != (block.cell, block.replicas.start, block.replicas.stop):
        raise SpoiltBlock(f"holds replicas {header.replicas} of cell {header.cell}, not those that its name says")
    if header.lanes != lanes:
        raise SpoiltBlock(f"has tiles of {header.lanes} replicas, the run has {lanes}")
