"""Running a sweep: the blocks that are not on disk yet, in order, on this machine's devices."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.theory_alone import TheoryAlone
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.sweep.blocks import Block, BlockResult, describe, partition
from sgdsim.sweep.cells import Cell
from sgdsim.sweep.experiment import Experiment, differing_keys
from sgdsim.sweep.interrupt import Interrupt
from sgdsim.sweep.progress import Meter
from sgdsim.sweep.store import OTHER_FOLDER, CellLayout, RunDirectory


def ensemble_of(experiment: Experiment, cell: Cell) -> Ensemble | TheoryAlone:
    """The ensemble of one cell of an experiment, or where nothing is simulated, its theory alone."""
    if cell.simulator is None:
        if cell.theory is None:
            raise ArgumentError("theory", "be given where nothing is simulated", None)
        return TheoryAlone(problem=cell.problem, start=cell.start, theory=cell.theory, times=cell.times)
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
    ensembles: Sequence[Ensemble | TheoryAlone]
    directory: RunDirectory
    layout: Sequence[CellLayout]

    @property
    def blocks(self) -> list[Block]:
        """All blocks, in order."""
        return [block for cell in self.layout for block in cell.blocks]

    def work(self, block: Block) -> int:
        """The work in a block, as the meter counts it."""
        return self.ensembles[block.cell].work(block.tiles)

    def run(self, meter: Meter) -> bool:
        """Simulates every block that is not on disk, and returns whether all are.

        The first Ctrl-C (or SIGTERM) lets the block in hand finish, then this returns False; a second one raises
        KeyboardInterrupt at once. Either way the same sweep can be taken up again.
        """
        missing = [block for block in self.blocks if not self.directory.done(block)]
        total = sum(self.work(block) for block in self.blocks)
        meter.unit = self.ensembles[0].unit
        meter.start(total, total - sum(self.work(block) for block in missing))
        with Interrupt(lambda: meter.message("Finishing the block in hand; Ctrl-C again stops at once.")) as interrupt:
            for block in missing:
                if interrupt.requested:
                    return False
                meter.cell(
                    f"cell {block.cell + 1}/{len(self.layout)} {describe(self.layout[block.cell].axes)}".rstrip()
                )
                with naming(self.experiment, self.experiment.cells[block.cell]):
                    self._simulate(block, meter, interrupt)
        return True

    def _simulate(self, block: Block, meter: Meter, interrupt: Interrupt) -> None:
        def advance(work: int) -> None:
            interrupt.check()
            meter.advance(work)

        ensemble = self.ensembles[block.cell]
        # Theory and compilation, which happen once, are not counted as the simulation's time.
        ensemble.compile(block.tiles)
        meter.resume()
        began = time.perf_counter()
        tiles = ensemble.run(block.tiles, advance)
        result = BlockResult(
            tiles=tiles,
            lanes=ensemble.lanes,
            replica_steps=ensemble.replica_steps(block.tiles),
            wall_seconds=time.perf_counter() - began,
        )
        self.directory.write_block(block, result)


@contextmanager
def naming(experiment: Experiment, cell: Cell) -> Iterator[None]:
    """What a cell cannot do, e.g. solve its theory up to the last time, is told with its name and the file's."""
    try:
        yield
    except ArgumentError as error:
        where = f"cell {cell.index} ({describe(cell.axes)})" if cell.axes else f"cell {cell.index}"
        raise ExperimentError([f"{experiment.file or experiment.name}: {where}: {error}"]) from error


def open_sweep(experiment: Experiment, path: Path) -> Sweep:
    """The sweep of an experiment in a folder: a new one, or the one that was begun there.

    **Raises:** ExperimentError where the folder holds a different experiment or cannot be written, or a cell does not
    fit into memory; then nothing has been changed in it.
    """
    directory = RunDirectory(path)
    ensembles = [ensemble_of(experiment, cell) for cell in experiment.cells]
    for cell, ensemble in zip(experiment.cells, ensembles, strict=True):
        with naming(experiment, cell):
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


def cut(experiment: Experiment, cell: Cell, ensemble: Ensemble | TheoryAlone) -> CellLayout:
    """How a cell is cut into blocks."""
    blocks = partition(cell.index, ensemble.n_tiles, ensemble.lanes, ensemble.total_steps, experiment.block)
    return CellLayout(axes=cell.axes, replicas=ensemble.replicas, lanes=ensemble.lanes, blocks=blocks)


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
