"""Is everything on disk what it says it is? Checksums and keys of all blocks, and a few of them made again."""

import importlib.metadata
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from random import Random

from sgdsim.native.used import compilers_used
from sgdsim.run.opened import OpenRun
from sgdsim.run.progress import Meter
from sgdsim.store.block_file import BlockHeader, SpoiltBlock, digest, pack
from sgdsim.store.blocks import Block
from sgdsim.store.directory import RunDirectory
from sgdsim.store.files import TEMPORARY
from sgdsim.store.worker import HOST, Worker

Found = tuple[Block, BlockHeader]


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
    sound = []
    for cell, block in blocks:
        path = directory.path_of(block)
        try:
            sound.append((block, directory.read_block(block, cell.lanes)[1]))
        except SpoiltBlock as error:
            remedy = f"sgdsim run {directory.path} moves it aside and makes it again"
            tell(f"{path}: {error}; {remedy}")
        except OSError as error:
            tell(f"{path}: cannot be read ({error.strerror or error}); mend that, or delete it to have it made again")
        meter.advance(1)
    places = {block.name: directory.path_of(block) for cell in layout for block in cell.blocks}
    for path in _strays(directory, places.values()):
        if path.name in places:
            tell(f"{path}: is in the wrong subfolder; move it to {places[path.name].parent}, or delete it")
        else:
            tell(f"{path}: is no block of this run; delete it, or move it elsewhere")
    return sound


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
            maker = _made_with(Worker.parse(header.worker).host, header.jax, header.compiler)
            here = _made_with(HOST, importlib.metadata.version("jax"), compilers_used())
            tell(
                f"{opened.directory.path_of(block)}: was made by {maker}, and comes out otherwise on {here}; on the"
                " same kind of processor with the same compilers that must not be: delete it to have it made again"
            )
    return [block for block, _ in chosen]


def _made_with(host: str, jax: str, compiler: str) -> str:
    """A host and all compilers of the loops there."""
    return f"{host} with jax {jax}" + (f" and {compiler}" if compiler else "")


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
