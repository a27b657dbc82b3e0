"""More replicas for a run: the blocks that it has are kept, and those that it lacks are laid out behind them."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sgdsim.ensemble.tiles import Tiles
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.experiment import Experiment
from sgdsim.run.idle import LOOK_SECONDS, check_idle
from sgdsim.run.opened import OpenRun, accept, check_code
from sgdsim.store.block_file import BlockResult, SpoiltBlock
from sgdsim.store.blocks import Block, CellLayout, cut_tiles
from sgdsim.store.directory import RunDirectory
from sgdsim.store.log import BLOCK
from sgdsim.store.presence import Presence

EXTENSION = "extension"
"""What the process claims that lays out an extension."""
_NAME = re.compile(r"c(\d+)-r(\d+)-(\d+)\.npz")
_PER_REPLICA = ("sup_deviation", "final_deviation", "kept")


def check_extension(directory: RunDirectory, replicas: int) -> None:
    """**Raises:** ExperimentError where the folder holds no replicas; ArgumentError where it holds more already."""
    has = _replicas(directory)
    if has == 0:
        raise ExperimentError([f"{directory.path}: holds theory alone; there are no replicas that could be extended"])
    if replicas < has:
        raise ArgumentError("replicas", f"be > {has}, which {directory.path} has", replicas, "Nothing is ever removed.")


def extend(
    experiment: Experiment, directory: RunDirectory, say: Callable[[str], None], accept_code: bool = False
) -> OpenRun:
    """Lays a run out anew for the replicas that the experiment has, and opens it; nothing is simulated.

    Every step leaves a folder that can be taken up: blocks are added first, then the new experiment and the new layout
    are written, and only then goes what is no longer of use. A run that has as many replicas already is left as it is,
    so that an extension is taken up again by the command that began it.

    - `accept_code`: whether blocks of this process's code may stand beside those of another.

    **Raises:** ExperimentError where a process is at work in the folder, it cannot be written, was simulated by other
    code, or a cell does not fit into memory; Unwritable or OSError where a file cannot be written or removed.
    """
    opened = OpenRun.of(experiment, directory)
    if not accept_code:
        check_code(opened)
    directory.make()
    _claim(directory)
    try:
        accept(opened, accept_code)
        if {directory.read_experiment()["ensemble"]["replicas"], _replicas(directory)} != {experiment.replicas}:
            check_idle(directory, f"extend it: sgdsim extend {directory.path} --replicas {experiment.replicas}", say)
            with Presence(directory.watch.folder):  # on another host, those that wait watch for it
                _lay_out(opened, say)
        _drop_strays(directory)
        return opened.as_stored()
    finally:
        directory.claims.release(EXTENSION)


def grown(old: CellLayout, tiles: int, operations: float, block: int | None) -> list[int]:
    """The cuts of a cell that grows to so many tiles: the old ones up to the last full tile, and new ones then.

    - `operations`: of one replica from beginning to end.
    - `block`: replicas of a block as the experiment asks.
    """
    full = old.replicas // old.lanes
    rest = cut_tiles(range(full, tiles), old.lanes, operations, block)
    return [*(tile for tile in old.cuts if tile < full), *rest]


def trimmed(result: BlockResult, tiles: int) -> BlockResult:
    """The first tiles of a block, all of them full."""
    replicas, of = tiles * result.lanes, len(result.tiles.sup_deviation)
    arrays = {name: _first(name, array, tiles, replicas) for name, array in result.tiles.to_arrays().items()}
    return BlockResult(
        tiles=Tiles.from_arrays(arrays),
        lanes=result.lanes,
        replica_steps=result.replica_steps * replicas // of,
        wall_seconds=result.wall_seconds * replicas / of,
    )


def _first(name: str, array: np.ndarray, tiles: int, replicas: int) -> np.ndarray:
    return array[: replicas if name.partition(".")[0] in _PER_REPLICA else tiles]


def _replicas(directory: RunDirectory) -> int:
    """Replicas of every cell, as the blocks on disk are laid out."""
    return max(cell.replicas for cell in directory.read_layout())


def _claim(directory: RunDirectory) -> None:
    """Of several processes that extend a run at once, one lays it out and the others wait until it has."""
    while directory.claims.take(EXTENSION) is not None:
        time.sleep(LOOK_SECONDS)


def _lay_out(opened: OpenRun, say: Callable[[str], None]) -> None:
    directory, block = opened.directory, opened.experiment.block
    manifest = directory.read_manifest()
    before = manifest.cells
    after = []
    for old, new, ensemble in zip(before, opened.layout, opened.ensembles, strict=True):
        same = old.lanes == new.lanes
        cuts = grown(old, ensemble.n_tiles, ensemble.replica_seconds, block) if same else new.cuts
        after.append(replace(new, cuts=cuts))
    there = directory.on_disk()
    for old, new in zip(before, after, strict=True):
        if old.lanes == new.lanes:
            _keep_full_tiles(directory, old, new, there, say)
    directory.write_experiment(opened.experiment.resolved)
    directory.write_manifest(manifest.extended(opened.experiment.resolved, after))
    _drop_other_tiles(directory, before, after, say)


def _keep_full_tiles(
    directory: RunDirectory, old: CellLayout, new: CellLayout, there: set[str], say: Callable[[str], None]
) -> None:
    """Stores the full tiles of a last block that ends in a part of one as a block of their own."""
    last, full = old.blocks[-1], old.replicas // old.lanes
    if last.tiles.stop == full or last.tiles.start == full or last.name not in there:
        return
    kept = new.block(range(last.tiles.start, full))
    try:
        result, header = directory.read_block(last, old.lanes)
    except SpoiltBlock as error:
        say(directory.put_aside(last, error))
        return
    part = trimmed(result, full - last.tiles.start)
    directory.write_block(kept, part, header.origin)
    facts = {"block": kept.name, "seconds": part.wall_seconds, "replicas": len(kept.replicas)}
    facts |= {"origin": header.origin.model_dump()}
    directory.log.try_to_write(BLOCK, facts | {"diverged": int(part.tiles.diverged.sum())})


def _drop_other_tiles(
    directory: RunDirectory, before: Sequence[CellLayout], after: Sequence[CellLayout], say: Callable[[str], None]
) -> None:
    """Removes the blocks of cells whose tiles have another width now, some of which have the names of new ones."""
    there = directory.on_disk()
    changed = [old for old, new in zip(before, after, strict=True) if old.lanes != new.lanes]
    dropped = [block for old in changed for block in old.blocks if block.name in there]
    for block in dropped:
        directory.path_of(block).unlink(missing_ok=True)
    if dropped:
        say(
            f"{directory.path}: {len(changed)} of {len(after)} cells have tiles of another width with so many replicas;"
            f" the {sum(len(block.replicas) for block in dropped)} replicas that these have are made anew"
        )


def _drop_strays(directory: RunDirectory) -> None:
    """Removes blocks that have no place in the layout any more."""
    names = directory.on_disk() - {block.name for cell in directory.read_layout() for block in cell.blocks}
    for match in filter(None, map(_NAME.fullmatch, sorted(names))):
        block = Block(int(match[1]), range(0), range(int(match[2]), int(match[3])))
        directory.path_of(block).unlink(missing_ok=True)
