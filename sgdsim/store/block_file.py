"""Block files: the statistics of a finished block, with what it takes to trust them."""

import hashlib
import importlib.metadata
import json
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import sgdsim
from sgdsim.ensemble.tiles import Tiles
from sgdsim.store.blocks import Block
from sgdsim.store.files import atomic
from sgdsim.store.worker import this_worker

FORMAT = 2
"""Of run directories and block files. A change that older versions would misread counts it up."""
_RECEIPT = "receipt"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, NotImplementedError)


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
class Receipt:
    """What a block file says of itself.

    - `format`, `sgdsim`, `jax`: versions that made it.
    - `experiment`: fingerprint of the experiment.
    - `cell`, `replicas`, `lanes`: which block; first replica and the one after the last.
    - `replica_steps`, `wall_seconds`: the work it took.
    - `worker`: the process that made it.
    - `digest`: of all numbers, their names and shapes: equal for equal bits, whoever made them.
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
    digest: str


def write_block(path: Path, experiment: str, block: Block, result: BlockResult) -> Receipt:
    """Stores a finished block whole or not at all; its folder must be there.

    **Raises:** OSError where it cannot be written.
    """
    arrays = result.tiles.to_arrays()
    receipt = Receipt(
        format=FORMAT,
        sgdsim=sgdsim.__version__,
        jax=_version_of_jax(),
        experiment=experiment,
        cell=block.cell,
        replicas=(block.replicas.start, block.replicas.stop),
        lanes=result.lanes,
        replica_steps=result.replica_steps,
        wall_seconds=result.wall_seconds,
        worker=this_worker().name,
        digest=digest(arrays),
    )
    with atomic(path) as temporary, temporary.open("wb") as stream:
        stored: dict[str, Any] = arrays | {_RECEIPT: np.array(json.dumps(vars(receipt)))}
        np.savez(stream, **stored)
    return receipt


def read_block(path: Path, experiment: str, block: Block, lanes: int) -> tuple[BlockResult, Receipt]:
    """Reads a block file and checks that it is whole, and the block of this experiment that its name says.

    **Raises:** SpoiltBlock where it is not; FileNotFoundError where there is none.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = dict(stored)
        receipt = _receipt(arrays.pop(_RECEIPT))
        tiles = Tiles.from_arrays(arrays)
    except FileNotFoundError:
        raise
    except _UNREADABLE as error:
        raise SpoiltBlock(f"is damaged ({type(error).__name__}: {error})") from error
    if digest(arrays) != receipt.digest:
        raise SpoiltBlock("is damaged (its checksum is not that of its numbers)")
    _check(receipt, experiment, block, lanes)
    return BlockResult(tiles, receipt.lanes, receipt.replica_steps, receipt.wall_seconds), receipt


def digest(arrays: dict[str, np.ndarray]) -> str:
    """A checksum of named arrays: names, types, shapes and bytes."""
    total = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        total.update(array.tobytes())
    return total.hexdigest()


@cache
def _version_of_jax() -> str:
    return importlib.metadata.version("jax")


def _receipt(stored: np.ndarray) -> Receipt:
    entry: dict[str, Any] = json.loads(stored.item())
    entry["replicas"] = tuple(entry["replicas"])
    return Receipt(**entry)


def _check(receipt: Receipt, experiment: str, block: Block, lanes: int) -> None:
    if receipt.format != FORMAT or receipt.sgdsim != sgdsim.__version__:
        raise SpoiltBlock(f"was made by sgdsim {receipt.sgdsim}, this is {sgdsim.__version__}")
    if receipt.experiment != experiment:
        raise SpoiltBlock("is a block of another experiment")
    if (receipt.cell, *receipt.replicas) != (block.cell, block.replicas.start, block.replicas.stop):
        raise SpoiltBlock(f"holds replicas {receipt.replicas} of cell {receipt.cell}, not those that its name says")
    if receipt.lanes != lanes:
        raise SpoiltBlock(f"has tiles of {receipt.lanes} replicas, the run has {lanes}")
