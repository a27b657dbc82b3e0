"""How far a run is, from what is on disk. Fast: neither JAX nor the experiment's system is imported."""

from dataclasses import dataclass
from typing import Any

from sgdsim.store.blocks import CellLayout
from sgdsim.store.directory import RunDirectory


@dataclass(frozen=True)
class CellStatus:
    """One cell: blocks and replicas done, and how many of these diverged.

    `theory_diverged`: whether a theory that is solved alone is not finite at some save time.
    """

    axes: dict[str, Any]
    blocks_done: int
    blocks: int
    replicas_done: int
    replicas: int
    diverged: int
    theory_diverged: bool


def read_status(directory: RunDirectory) -> list[CellStatus]:
    """The status of every cell of a run.

    **Raises:** ExperimentError where the folder is not a run.
    """
    return [_cell_status(directory, cell) for cell in directory.read_layout()]


def _cell_status(directory: RunDirectory, cell: CellLayout) -> CellStatus:
    done = [directory.read_block(block, cell.lanes)[0].tiles for block in cell.blocks if directory.done(block)]
    diverged = sum(int(tiles.diverged.sum()) for tiles in done)
    return CellStatus(
        axes=dict(cell.axes),
        blocks_done=len(done),
        blocks=len(cell.blocks),
        replicas_done=sum(int(tiles.count.sum()) for tiles in done) + diverged,
        replicas=cell.replicas,
        diverged=diverged,
        theory_diverged=cell.replicas == 0 and not all(tiles.finite_theory for tiles in done),
    )
