"""Block files: the statistics of a finished block, with what it takes to trust them."""

import hashlib
import io
import json
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from sgdsim._version import __version__
from sgdsim.ensemble.tiles import Tiles
from sgdsim.store.blocks import Block
from sgdsim.store.files import atomic, read_bytes
from sgdsim.store.manifest import FORMAT, Manifest
from sgdsim.store.origin import Origin
from sgdsim.store.worker import Worker, this_worker

Table = tuple[tuple[str, str, tuple[int, ...]], ...]


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

    - `format`, `sgdsim`: versions that made it.
    - `experiment`: fingerprint of the experiment.
    - `code`, `jax`, `platform`, `compiler`: what has simulated it, see `Origin`.
    - `cell`, `replicas`, `lanes`: which block; first replica and the one after the last.
    - `replica_steps`, `wall_seconds`: the work it took.
    - `worker`: the process that made it.
    - `arrays`: name, type and shape of every array of numbers, in the order in which they are stored.
    - `digest`: of all numbers, their names and shapes: equal for equal bits, whoever made them.
    """

    format: int
    sgdsim: str
    experiment: str
    code: str
    jax: str
    platform: str
    compiler: str
    cell: int
    replicas: tuple[int, int]
    lanes: int
    replica_steps: int
    wall_seconds: float
    worker: str
    arrays: Table
    digest: str
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @property
    def origin(self) -> Origin:
        """What has simulated it."""
        return Origin(code=self.code, jax=self.jax, platform=self.platform, compiler=self.compiler)

    @property
    def host(self) -> str:
        """The host of the process that made it."""
        return Worker.parse(self.worker).host


_HEADER = TypeAdapter(BlockHeader)


def write_block(path: Path, experiment: str, origin: Origin, block: Block, result: BlockResult) -> BlockHeader:
    """Stores a finished block whole or not at all; its folder must be there.

    - `experiment`: its fingerprint; `origin`: what has simulated the block.

    The numbers lie in the file as one run of bytes, which is read ten times faster than an entry for each array.

    **Raises:** OSError where it cannot be written.
    """
    table, numbers = pack(result.tiles)
    header = BlockHeader(
        format=FORMAT,
        sgdsim=__version__,
        experiment=experiment,
        **origin.model_dump(),
        cell=block.cell,
        replicas=(block.replicas.start, block.replicas.stop),
        lanes=result.lanes,
        replica_steps=result.replica_steps,
        wall_seconds=result.wall_seconds,
        worker=this_worker().name,
        arrays=table,
        digest=digest(table, numbers),
    )
    # The header lies in the file itself: a block and what vouches for it cannot be parted.
    with atomic(path) as stream:
        text = np.frombuffer(json.dumps(vars(header)).encode(), np.uint8)
        np.savez(stream, receipt=text, numbers=np.frombuffer(numbers, np.uint8))
    return header


def read_block(path: Path, manifest: Manifest, block: Block, lanes: int) -> tuple[BlockResult, BlockHeader]:
    """Reads a block file and checks that it is whole, and the block of this run that its name says.

    **Raises:** SpoiltBlock where it is not; OSError where it cannot be read.
    """
    raw = read_bytes(path)
    try:
        header, tiles = _parse(raw)
    except SpoiltBlock:
        raise
    except Exception as error:  # a damaged zip, and the arrays in it, may fail in any way
        raise SpoiltBlock(f"is damaged ({type(error).__name__}: {' '.join(str(error).split())})") from error
    _check(header, manifest, block, lanes)
    return BlockResult(tiles, header.lanes, header.replica_steps, header.wall_seconds), header


def _parse(raw: bytes) -> tuple[BlockHeader, Tiles]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        # Before anything is read: an entry that grows when it is unpacked could take all of the memory.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise SpoiltBlock("is damaged (its numbers are compressed)")
    # Nothing is unpickled: a folder that somebody else has made runs no code.
    with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
        header = _HEADER.validate_json(stored["receipt"].tobytes())
        numbers = stored["numbers"].tobytes()
    # Before anything is made of the numbers: a bit that a disk has lost is found here, and nowhere else.
    if digest(header.arrays, numbers) != header.digest:
        raise SpoiltBlock("is damaged (its checksum is not that of its numbers)")
    Worker.parse(header.worker)
    return header, Tiles.from_arrays(_arrays(header.arrays, numbers))


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


def _check(header: BlockHeader, manifest: Manifest, block: Block, lanes: int) -> None:
    # Another version may draw other numbers: blocks of two of them are not one ensemble.
    if (header.format, header.sgdsim) != (FORMAT, __version__):
        was, here = f"{header.sgdsim} (format {header.format})", f"{__version__} (format {FORMAT})"
        raise SpoiltBlock(f"was made by sgdsim {was}, this is {here}")
    if header.experiment != manifest.fingerprint:
        raise SpoiltBlock("is a block of another experiment")
    if header.code not in {code.digest for code in manifest.codes}:
        raise SpoiltBlock("was made by other code than the run accepts")
    if (header.cell, *header.replicas) != (block.cell, block.replicas.start, block.replicas.stop):
        raise SpoiltBlock(f"holds replicas {header.replicas} of cell {header.cell}, not those that its name says")
    if header.lanes != lanes:
        raise SpoiltBlock(f"has tiles of {header.lanes} replicas, the run has {lanes}")
