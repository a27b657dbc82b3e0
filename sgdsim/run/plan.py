"""What an experiment would take: cells, steps, memory and time, without running, solving or writing anything."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from sgdsim.cost import FIGURE, KEPT, PAGE, PER_CELL, START
from sgdsim.ensemble.evolution import Evolution
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.experiment.cells import Cell
from sgdsim.experiment.experiment import Experiment
from sgdsim.printable import alike
from sgdsim.run.ensembles import cut_all, ensemble_of
from sgdsim.run.machine import slowness
from sgdsim.store.summary import Summary

SHOWN = 6
"""Cells named in a caution at most."""


@dataclass(frozen=True)
class CellPlan:
    """What one cell would take.

    - `axes`: coordinates in the grid; `parameters`: the most telling derived ones.
    - `theory`: its name, "none" where the cell is simulated on its own.
    - `steps`: steps of SGD of one replica.
    - `memory`: bytes on all devices together, for the replicas that are simulated at once and for solving the theory.
    - `seconds`: estimated time of simulation and theory, were it the only cell; what cells share is not in it.
    """

    axes: dict[str, Any]
    parameters: dict[str, Any]
    dt: float
    theory: str
    steps: int
    replicas: int
    blocks: int
    memory: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What a run would take, in seconds of this machine, part by part.

    - `start`: Python, JAX, and reading the experiment.
    - `compile`: with an empty cache of compiled programs; `kept`: what is left of it once they are in the cache.
    - `theory`: curves, limits, and predicted fluctuations; `simulate`: the steps of SGD; `report`: figures and page.
    """

    cells: list[CellPlan]
    start: float
    compile: float
    kept: float
    theory: float
    simulate: float
    report: float

    @property
    def parts(self) -> dict[str, float]:
        """The parts of a first run by name, in the order in which they come."""
        return {name: getattr(self, name) for name in ("start", "compile", "theory", "simulate", "report")}

    @property
    def first(self) -> float:
        """A run with an empty cache."""
        return sum(self.parts.values())

    @property
    def again(self) -> float:
        """A run whose programs are kept."""
        return self.first - self.compile + self.kept


def make_plan(experiment: Experiment) -> Plan:
    """What an experiment would take on this machine.

    **Raises:** ExperimentError where it has more blocks than a run can hold.
    """
    ensembles = [ensemble_of(experiment, cell) for cell in experiment.cells]
    once = {work.key: work for ensemble in ensembles for work in ensemble.once()}.values()
    slow = slowness()
    compiling = slow * sum(work.compile for work in once)
    alone = sum(work.solve for work in once) + sum(ensemble.theory_seconds for ensemble in ensembles)
    drawing = PAGE + FIGURE * (len(experiment.figures) + len(experiment.fits)) + PER_CELL * len(ensembles)
    layout = cut_all(experiment, ensembles)
    parts = zip(experiment.cells, ensembles, layout, strict=True)
    return Plan(
        cells=[_plan_cell(experiment, cell, ensemble, len(cut.cuts) - 1) for cell, ensemble, cut in parts],
        start=slow * START,
        compile=compiling,
        kept=KEPT * compiling,
        theory=slow * alone,
        simulate=_simulation(ensembles),
        report=slow * drawing,
    )


def _plan_cell(experiment: Experiment, cell: Cell, ensemble: Evolution, blocks: int) -> CellPlan:
    parameters = cell.problem.parameters()
    return CellPlan(
        axes=cell.axes,
        parameters={name: parameters[name] for name in experiment.system.telling if name not in cell.axes},
        dt=cell.problem.dt,
        theory="none" if cell.theory is None else cell.theory.name,
        steps=ensemble.total_steps,
        replicas=ensemble.replicas,
        blocks=blocks,
        memory=ensemble.memory,
        seconds=_simulation([ensemble]) + slowness() * ensemble.theory_seconds,
    )


def _simulation(ensembles: Iterable[Evolution]) -> float:
    """Seconds of simulation of some cells; those whose kernels are of one shape are simulated together."""
    groups = defaultdict[Hashable, list[Ensemble]](list)
    for ensemble in ensembles:
        if isinstance(ensemble, Ensemble):
            groups[ensemble.program].append(ensemble)
    devices: Sequence[Any] = jax.local_devices()
    together = _on_cores if devices[0].platform == "cpu" else _on_accelerators
    return float(sum(together(group, len(devices)) for group in groups.values()))


def _on_cores(group: Sequence[Ensemble], cores: int) -> float:
    """Tile after tile on every core, and no sooner than the longest tile."""
    work = sum(ensemble.tile_seconds * ensemble.n_tiles for ensemble in group)
    longest = max(ensemble.tile_seconds for ensemble in group)
    return slowness() * max(longest, work / cores)


def _on_accelerators(group: Sequence[Ensemble], devices: int) -> float:
    """All at once: the steps of the longest cell one after another, and the operations of all."""
    latency = max(ensemble.step_cost.latency * ensemble.total_steps for ensemble in group)
    work = sum(ensemble.step_cost.accelerated * ensemble.total_steps * ensemble.replicas for ensemble in group)
    return latency + work / devices


def cautions(experiment: Experiment) -> list[str]:
    """What a user should know before running: a line for each caution, with the cells it concerns.

    Cautions that differ in their numbers only are one; the words are those of the first.
    """
    return _told((text, cell.index) for cell in experiment.cells for text in cell.problem.cautions())


def doubts(summary: Summary) -> list[str]:
    """What a user should know once it has been run, in the same form; see `Problem.doubts`."""
    return _told((text, cell.cell) for cell in summary.cells for text in cell.doubts)


def _told(texts: Iterable[tuple[str, int]]) -> list[str]:
    return [f"caution: {text} ({_which(cells)})" for text, cells in alike(texts)]


def _which(cells: Sequence[int]) -> str:
    """Numbers of cells in words: "cell 3", "cells 0, 1 and 2", "cells 0, 1, 2 and 38 more"."""
    if len(cells) == 1:
        return f"cell {cells[0]}"
    shown = [str(cell) for cell in (cells if len(cells) <= SHOWN else cells[:SHOWN])]
    last = [f"{len(cells) - SHOWN} more"] if len(cells) > SHOWN else [shown.pop()]
    return f"cells {', '.join(shown)} and {last[0]}"
