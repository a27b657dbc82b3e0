"""From cells to what is simulated: the ensemble of each cell, and how it is cut into blocks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sgdsim.ensemble.evolution import Evolution
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.theory_alone import TheoryAlone
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.cells import Cell
from sgdsim.experiment.experiment import Experiment
from sgdsim.store.blocks import MAX_BLOCKS, CellLayout, count_blocks, cut_tiles, describe


def ensemble_of(experiment: Experiment, cell: Cell) -> Evolution:
    """The ensemble of one cell of an experiment, or where nothing is simulated, its theory alone."""
    if cell.simulator is None:
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


def cut_all(experiment: Experiment, ensembles: Sequence[Evolution]) -> list[CellLayout]:
    """How the cells are cut into blocks.

    **Raises:** ExperimentError where there would be more than a run can hold; then nothing has been cut.
    """
    counts = [count_blocks(*_whole(ensemble), experiment.block) for ensemble in ensembles]
    if sum(counts) > MAX_BLOCKS:
        most = max(1, MAX_BLOCKS // len(ensembles))
        least = max(-(-ensemble.n_tiles // most) * ensemble.lanes for ensemble in ensembles)
        asked = "of the size that was chosen" if experiment.block is None else f"of {experiment.block} replicas"
        problem = f"ensemble.block: gives {sum(counts)} blocks {asked}, and a run has at most {MAX_BLOCKS}"
        raise ExperimentError([f"{experiment.file or experiment.name}: {problem}; write `block = {least}`, or more"])
    return [cut(experiment, cell, ensemble) for cell, ensemble in zip(experiment.cells, ensembles, strict=True)]


def cut(experiment: Experiment, cell: Cell, ensemble: Evolution) -> CellLayout:
    """How a cell is cut into blocks."""
    cuts = cut_tiles(*_whole(ensemble), experiment.block)
    return CellLayout(cell.index, cell.axes, ensemble.replicas, ensemble.lanes, cuts, ensemble.cost)


def _whole(ensemble: Evolution) -> tuple[range, int, float]:
    """What of a cell is cut, and by which costs."""
    return range(ensemble.n_tiles), ensemble.lanes, ensemble.replica_seconds


def named(experiment: Experiment, cell: Cell, error: object) -> str:
    """What went wrong in a cell, with its name and that of the file."""
    where = f"cell {cell.index} ({describe(cell.axes)})" if cell.axes else f"cell {cell.index}"
    return f"{experiment.file or experiment.name}: {where}: {error}"


@contextmanager
def naming(experiment: Experiment, cell: Cell) -> Iterator[None]:
    """What a cell cannot do, e.g. solve its theory up to the last time, is told with its name and the file's."""
    try:
        yield
    except ArgumentError as error:
        raise ExperimentError([named(experiment, cell, error)]) from error
