"""Running a sweep: the blocks that are not on disk yet, in order, on this machine's devices."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sgdsim.ensemble.replicas import Ensemble
from sgdsim.errors import ExperimentError
from sgdsim.sweep.blocks import Block, BlockResult, describe, partition
from sgdsim.sweep.cells import Cell
from sgdsim.sweep.experiment import Experiment, differing_keys
from sgdsim.sweep.interrupt import Interrupt
from sgdsim.sweep.progress import Meter
from sgdsim.sweep.store import OTHER_FOLDER, CellLayout, RunDirectory


def ensemble_of(experiment: Experiment, cell: Cell) -> Ensemble:
    """The ensemble of one cell of an experiment."""
    return Ensemble(
        problem=cell.problem,
        start=cell.start,
        simulator=cell.simulator,
        theory=cell.theory,
        times=cell.times,
        replicas=experiment.replicas,
        seed=experiment.seed,
        cell=cell.index,
        batch=experiment.batch,
    )


@dataclass(frozen=True)
class Sweep:
    """An experiment and the run directory it is simulated into."""

    experiment: Experiment
    ensembles: Sequence[Ensemble]
    directory: RunDirectory
    layout: Sequence[CellLayout]

    @property
    def blocks(self) -> list[Block]:
        """All blocks, in order."""
        return [block for cell in self.layout for block in cell.blocks]

    def replica_steps(self, block: Block) -> int:
        """The work in a block: steps of SGD, summed over its replicas."""
        ensemble = self.ensembles[block.cell]
        return ensemble.replicas_of(block.tiles) * ensemble.total_steps

    def run(self, meter: Meter) -> bool:
        """Simulates every block that is not on disk, and returns whether all are.

        The first Ctrl-C (or SIGTERM) lets the block in hand finish, then this returns False; a second one raises
        KeyboardInterrupt at once. Either way the same sweep can be taken up again.
        """
        missing = [block for block in self.blocks if not self.directory.done(block)]
        total = sum(self.replica_steps(block) for block in self.blocks)
        meter.start(total, total - sum(self.replica_steps(block) for block in missing))
        with Interrupt(lambda: meter.message("Finishing the block in hand; Ctrl-C again stops at once.")) as interrupt:
            for block in missing:
                if interrupt.requested:
                    return False
                meter.cell(
                    f"cell {block.cell + 1}/{len(self.layout)} {describe(self.layout[block.cell].axes)}".rstrip()
                )
                self._simulate(block, meter, interrupt)
        return True

    def _simulate(self, block: Block, meter: Meter, interrupt: Interrupt) -> None:
        def advance(replica_steps: int) -> None:
            interrupt.check()
            meter.advance(replica_steps)

        ensemble = self.ensembles[block.cell]
        # Theory and compilation, which happen once, are not counted as the simulation's time.
        _ = ensemble.theory_curve
        ensemble.compile(block.tiles)
        meter.resume()
        began = time.perf_counter()
        tiles = ensemble.run(block.tiles, advance)
        result = BlockResult(
            tiles=tiles,
            lanes=ensemble.lanes,
            replica_steps=self.replica_steps(block),
            wall_seconds=time.perf_counter() - began,
        )
        self.directory.write_block(block, result)


def open_sweep(experiment: Experiment, path: Path) -> Sweep:
    """The sweep of an experiment in a folder: a new one, or the one that was begun there.

    **Raises:** ExperimentError where the folder holds a different experiment, or cannot be written; then nothing has
    been changed in it.
    """
    directory = RunDirectory(path)
    ensembles = [ensemble_of(experiment, cell) for cell in experiment.cells]
    for ensemble in ensembles:
        ensemble.check_memory()
    layout = [cut(experiment, cell, ensemble) for cell, ensemble in zip(experiment.cells, ensembles, strict=True)]
    begun = directory.exists
    if begun:
        _check_same(experiment, directory)
        layout = _stored_layout(directory, layout)
    directory.make()
    directory.write_experiment(experiment.resolved)
    if not begun:
        directory.write_layout(layout)
    return Sweep(experiment=experiment, ensembles=ensembles, directory=directory, layout=layout)


def cut(experiment: Experiment, cell: Cell, ensemble: Ensemble) -> CellLayout:
    """How a cell is cut into blocks."""
    blocks = partition(cell.index, ensemble.n_tiles, ensemble.lanes, ensemble.total_steps, experiment.block)
    return CellLayout(axes=cell.axes, replicas=experiment.replicas, lanes=ensemble.lanes, blocks=blocks)


def _check_same(experiment: Experiment, directory: RunDirectory) -> None:
    keys = differing_keys(directory.read_experiment(), experiment.resolved)
    if keys:
        raise ExperimentError(
            [f"{directory.path}: holds a different experiment (differing: {', '.join(keys)}); {OTHER_FOLDER}"]
        )


def _stored_layout(directory: RunDirectory, layout: Sequence[CellLayout]) -> list[CellLayout]:
    """The layout that the blocks on disk have, once it is certain that this machine's tiles fit into it."""
    stored = directory.read_layout()
    if [(cell.replicas, cell.lanes) for cell in stored] != [(cell.replicas, cell.lanes) for cell in layout]:
        lanes = [sorted({cell.lanes for cell in cells}) for cells in (stored, layout)]
        raise ExperimentError(
            [f"{directory.path}: was begun with tiles of {lanes[0]} replicas, here they are {lanes[1]}; {OTHER_FOLDER}"]
        )
    return stored
