"""An opened run: an experiment, and the folder that it is run into. Whoever takes part in a run opens it here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sgdsim.ensemble.evolution import Evolution
from sgdsim.errors import ExperimentError
from sgdsim.experiment.experiment import Experiment, load_experiment
from sgdsim.run.ensembles import cut_all, ensemble_of, naming
from sgdsim.store.blocks import Block, CellLayout
from sgdsim.store.code import Code, code_of_system
from sgdsim.store.directory import OTHER_FOLDER, RunDirectory
from sgdsim.store.identity import REPLICAS, differing_keys
from sgdsim.store.manifest import Manifest


@dataclass(frozen=True)
class OpenRun:
    """An experiment with the ensemble of each cell, the run directory, and how the cells are cut into blocks."""

    experiment: Experiment
    ensembles: Sequence[Evolution]
    directory: RunDirectory
    layout: Sequence[CellLayout]

    @classmethod
    def of(cls, experiment: Experiment, directory: RunDirectory) -> "OpenRun":
        """As this machine would begin it; the folder is neither read nor written.

        **Raises:** ExperimentError where a cell does not fit into memory.
        """
        ensembles = [ensemble_of(experiment, cell) for cell in experiment.cells]
        for cell, ensemble in zip(experiment.cells, ensembles, strict=True):
            with naming(experiment, cell):
                ensemble.check_memory()
        layout = cut_all(experiment, ensembles)
        return cls(experiment, ensembles, directory, layout)

    def as_stored(self) -> "OpenRun":
        """With the layout that the blocks on disk have.

        **Raises:** ExperimentError where this machine's tiles do not fit into it, or there is none.
        """
        return replace(self, layout=_stored_layout(self.directory, self.layout))

    @cached_property
    def code(self) -> Code:
        """The code that simulates in this process. **Raises:** ExperimentError where it cannot be known."""
        return code_of_system(self.experiment.system, (cell.problem for cell in self.experiment.cells))

    @property
    def manifest(self) -> Manifest:
        """That of a run that begins here."""
        return Manifest.of(self.experiment.name, self.experiment.resolved, self.code, self.layout)

    @property
    def blocks(self) -> list[Block]:
        """All blocks, in order."""
        return [block for cell in self.layout for block in cell.blocks]

    @property
    def missing(self) -> list[Block]:
        """The blocks that are not on disk, in order."""
        there = self.directory.on_disk()
        return [block for block in self.blocks if block.name not in there]

    @property
    def unit(self) -> str:
        """What work is counted in."""
        return self.ensembles[0].unit

    def work(self, block: Block) -> int:
        """The work in a block, as the meter counts it."""
        return self.ensembles[block.cell].work(block.tiles)

    def cost(self, block: Block) -> float:
        """Seconds that a plan expects of the block on one core: to be compared with those of other blocks alone."""
        return self.layout[block.cell].cost_of(block)


def open_run(experiment: Experiment, path: Path, accept_code: bool = False) -> OpenRun:
    """The run of an experiment in a folder: a new one, or the one that was begun there.

    - `accept_code`: whether blocks of this process's code may stand beside those of another that began the run.

    **Raises:** ExperimentError where the folder holds a different experiment or was simulated by other code, or cannot
    be written, or a cell does not fit into memory; then nothing has been changed in it.
    """
    directory = RunDirectory(path)
    opened = OpenRun.of(experiment, directory)
    begun = directory.exists or directory.index.exists()
    if begun:
        _check_begun(opened, accept_code)
    manifest = opened.manifest
    directory.make()
    if not directory.create_experiment(experiment.resolved):
        check_same(experiment, directory)
        if directory.read_experiment() != experiment.resolved:
            directory.write_experiment(experiment.resolved)
    if directory.create_manifest(manifest):
        return opened
    opened = opened.as_stored()
    accept(opened, accept_code)
    return opened


def join_run(directory: RunDirectory) -> OpenRun:
    """The run that another process conducts, or has conducted, in a folder; nothing is written.

    **Raises:** ExperimentError where there is none, or this machine, or its code, cannot take part in it.
    """
    opened = look_into(directory)
    check_code(opened)
    return opened


def look_into(directory: RunDirectory) -> OpenRun:
    """A run as it lies in a folder, whatever code has made it.

    **Raises:** ExperimentError where there is none, or this machine could not have made it.
    """
    return OpenRun.of(load_run(directory), directory).as_stored()


def load_run(directory: RunDirectory, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a run that was begun in a folder, under the name that it was begun with.

    - `overrides`: `key=value` options on top.

    **Raises:** ExperimentError where there is none, or experiment.toml was changed since.
    """
    name = directory.checked_manifest().name
    return replace(load_experiment(directory.experiment, overrides), name=name)


def check_code(opened: OpenRun) -> None:
    """**Raises:** ExperimentError where other code than this process's has begun the run, naming the files."""
    manifest, code = opened.directory.read_manifest(), opened.code
    if not manifest.accepts(code):
        path, files = opened.directory.path, code.difference(manifest.codes[-1])
        remedy = f"go on with that code, {OTHER_FOLDER}, or let blocks of both stand together: --accept-code"
        raise ExperimentError([f"{path}: was simulated by other code (differing: {files}); {remedy}"])


def accept(opened: OpenRun, accept_code: bool) -> None:
    """Lets this process's code simulate in the run, if it is asked to, or the run has accepted it before.

    **Raises:** ExperimentError where it does not.
    """
    if accept_code:
        before = opened.directory.read_manifest()
        after = before.accepting(opened.code)
        if after is not before:
            opened.directory.write_manifest(after)
    check_code(opened)


def check_same(experiment: Experiment, directory: RunDirectory) -> None:
    """**Raises:** ExperimentError where a folder holds another experiment."""
    keys = differing_keys(directory.read_experiment(), experiment.resolved)
    remedy = OTHER_FOLDER
    if keys == [REPLICAS]:
        path = directory.path
        remedy = f"to add replicas: sgdsim extend {path} --replicas N; to go on as begun: sgdsim run {path}"
    if keys:
        raise ExperimentError(
            [f"{directory.path}: holds a different experiment (differing: {', '.join(keys)}); {remedy}"]
        )


def _check_begun(opened: OpenRun, accept_code: bool) -> None:
    """Whether a run that was begun can be taken up, before anything is changed in its folder."""
    directory = opened.directory
    begun = directory.index.exists()
    if not directory.exists:
        # Without experiment.toml the manifest says what was begun here.
        if keys := directory.read_manifest().differing(opened.experiment.resolved):
            raise ExperimentError(
                [f"{directory.path}: holds a different experiment (differing: {', '.join(keys)}); {OTHER_FOLDER}"]
            )
    else:
        if begun:
            # First whether the folder agrees with itself: else what was asked for would be called different.
            directory.checked_manifest()
        check_same(opened.experiment, directory)
    if begun:
        opened.as_stored()
        if not accept_code:
            check_code(opened)


def _stored_layout(directory: RunDirectory, layout: Sequence[CellLayout]) -> list[CellLayout]:
    """The layout that the blocks on disk have, once it is certain that this machine's tiles fit into it."""
    stored = directory.read_layout()
    replicas = [sorted({cell.replicas for cell in cells}) for cells in (stored, layout)]
    if replicas[0] != replicas[1]:
        again = f"finish that first: sgdsim extend {directory.path} --replicas {replicas[1][0]}"
        raise ExperimentError([f"{directory.path}: was being extended to {replicas[1][0]} replicas; {again}"])
    if [cell.lanes for cell in stored] != [cell.lanes for cell in layout]:
        lanes = [sorted({cell.lanes for cell in cells}) for cells in (stored, layout)]
        raise ExperimentError(
            [f"{directory.path}: was begun with tiles of {lanes[0]} replicas, here they are {lanes[1]}; {OTHER_FOLDER}"]
        )
    return stored
