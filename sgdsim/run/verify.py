"""Is everything on disk what it says it is? Checksums and keys of all blocks, and a few of them made again."""

import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import xarray as xr

from sgdsim.errors import ExperimentError
from sgdsim.run.opened import OpenRun
from sgdsim.run.progress import Meter
from sgdsim.run.results import merge_blocks
from sgdsim.store.block_file import BlockHeader, SpoiltBlock, digest, pack
from sgdsim.store.blocks import Block
from sgdsim.store.directory import RunDirectory
from sgdsim.store.files import TEMPORARY
from sgdsim.store.origin import origin_here
from sgdsim.store.stored import read_results
from sgdsim.store.summary import Summary
from sgdsim.store.worker import HOST

Found = tuple[Block, BlockHeader]
ROUNDING = 1e-6
"""Relative size of what is taken for rounding where numbers are made again."""
_BESIDE = {"digest", "results", "versions"}
"""Fields of a summary that are not of its blocks."""


def check_blocks(directory: RunDirectory, meter: Meter, tell: Callable[[str], None]) -> list[Found]:
    """Reads every block on disk; returns those that are whole, and the blocks of this run that their names say.

    - `tell`: called with a line for everything that is wrong, and its remedy.

    **Raises:** ExperimentError where the folder is not a run.
    """
    layout = directory.read_layout()
    there = directory.on_disk()
    blocks = [(cell, block) for cell in layout for block in cell.blocks if block.name in there]
    meter.unit = "blocks"
    meter.start(len(blocks), 0)
    sound, remedy = [], f"sgdsim run {directory.path} moves it aside and makes it again"
    for cell, block in blocks:
        path = directory.path_of(block)
        try:
            sound.append((block, directory.read_block(block, cell.lanes)[1]))
        except SpoiltBlock as error:
            tell(f"{path}: {error}; {remedy}")
        except OSError as error:
            tell(f"{path}: cannot be read ({error.strerror or error}); mend that, or delete it to have it made again")
        meter.advance(1)
    for block in (block for cell in layout for block in cell.blocks if block.name not in there):
        if os.path.lexists(path := directory.path_of(block)):
            tell(f"{path}: is no file; {remedy}")
    places = {block.name: directory.path_of(block) for cell in layout for block in cell.blocks}
    for path in _strays(directory, places.values()):
        if path.name in places:
            tell(f"{path}: is in the wrong subfolder; move it to {places[path.name].parent}, or delete it")
        else:
            tell(f"{path}: is no block of this run; delete it, or move it elsewhere")
    return sound


def check_results(opened: OpenRun, found: Sequence[Found], tell: Callable[[str], None]) -> str:
    """Merges the blocks again and compares with results.nc and summary.json; returns whether that could be done.

    - `found`: the blocks that are sound.
    - `tell`: called with a line for everything that is wrong, and its remedy.
    """
    directory = opened.directory
    if not directory.results.exists() and not directory.summary.exists():
        return "no results yet"
    remedy = f"write it anew: sgdsim run {directory.path}"
    try:
        summary = Summary.load(directory.summary)
        stored = read_results(directory.results, summary)
    except ExperimentError as error:
        for problem in error.problems:
            tell(problem)
        return "results not compared"
    failed = {cell.cell: cell.error for cell in summary.cells if cell.error is not None}
    missing = {block.name for block in opened.blocks if block.cell not in failed} - {block.name for block, _ in found}
    if missing or summary.manifest != directory.read_manifest().digest:
        return "results not compared, as they are of other blocks"
    merged = merge_blocks(opened.experiment, directory, opened.layout, failed)
    if names := differing(merged.data, stored):
        tell(f"{directory.results}: {', '.join(names)}: not what the blocks give; {remedy}")
    if differs(merged.summary.model_dump(exclude=_BESIDE), summary.model_dump(exclude=_BESIDE)):
        tell(f"{directory.summary}: not what the blocks give; {remedy}")
    return "results compared"


def differing(one: xr.Dataset, two: xr.Dataset) -> list[str]:
    """The variables in which two datasets differ by more than the rounding of another processor, or that one lacks."""
    names = [str(name) for name in dict.fromkeys([*one.variables, *two.variables])]
    return [name for name in names if not (name in one and name in two and _alike(one[name], two[name]))]


def _alike(one: xr.DataArray, two: xr.DataArray) -> bool:
    if (one.dims, one.shape) != (two.dims, two.shape):
        return False
    if not np.issubdtype(one.dtype, np.number) or not np.issubdtype(two.dtype, np.number):
        return bool((one.values == two.values).all())
    # Theory beside the blocks, e.g. predicted fluctuations, is solved anew, and sums on another processor are rounded
    # otherwise; both by far less than this.
    size = float(np.abs(two.values).max(initial=0.0, where=np.isfinite(two.values)))
    return bool(np.allclose(one.values, two.values, rtol=ROUNDING, atol=1e-12 * size, equal_nan=True))


def differs(one: Any, two: Any) -> bool:
    """Whether two trees of records differ by more than rounding."""
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return one.keys() != two.keys() or any(differs(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(two, list | tuple):
        return len(one) != len(two) or any(map(differs, one, two))
    if isinstance(one, float) and isinstance(two, float):
        return not math.isclose(one, two, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return one != two


def recompute(
    opened: OpenRun, found: Sequence[Found], count: int, random: Random, meter: Meter, tell: Callable[[str], None]
) -> list[Block]:
    """Makes some blocks again and compares all their bits; returns those that were chosen, spread over the cells.

    - `tell`: called with a line for every block that came out otherwise.
    """
    chosen = choose(found, count, random)
    meter.unit = opened.unit
    meter.start(sum(opened.work(block) for block, _ in chosen), 0)
    for block, header in chosen:
        meter.cell(block.name)
        tiles = opened.ensembles[block.cell].run(block.tiles, meter.advance)
        if digest(*pack(tiles)) != header.digest:
            maker, here = f"{header.host} with {header.origin.words}", f"{HOST} with {origin_here(opened.code).words}"
            tell(
                f"{opened.directory.path_of(block)}: was made by {maker}, and comes out otherwise on {here}; on the"
                " same kind of processor with the same compilers that must not be: delete it to have it made again"
            )
    return [block for block, _ in chosen]


def choose(found: Sequence[Found], count: int, random: Random) -> list[Found]:
    """Some blocks at random: from as many cells as there are, and of every cell as many, give or take one."""
    cells: dict[int, list[Found]] = {}
    for block, header in random.sample(found, len(found)):
        cells.setdefault(block.cell, []).append((block, header))
    rounds = sorted((place, turn) for turn, cell in enumerate(cells) for place in range(len(cells[cell])))
    turns = list(cells)
    return [cells[turns[turn]][place] for place, turn in rounds[:count]]


def _strays(directory: RunDirectory, places: Collection[Path]) -> Iterator[Path]:
    """Files among the blocks that have no business there; those that are being written have."""
    expected = {directory.index, *places}
    for folder, subfolders, files in os.walk(directory.blocks):
        subfolders.sort()
        for path in (Path(folder) / name for name in sorted(files)):
            if path not in expected and not TEMPORARY.match(path.name):
                yield path
