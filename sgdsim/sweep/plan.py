"""What an experiment would take: cells, steps, memory and time, without running or writing anything."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax

from sgdsim.sweep.cells import Cell
from sgdsim.sweep.ensembles import cut, ensemble_of
from sgdsim.sweep.experiment import Experiment

OPERATIONS_PER_SECOND = {"cpu": 4e9, "gpu": 4e12, "tpu": 4e12}
"""Operations that one device (a CPU core, a GPU) does per second in a simulator's hot loop.

Rough: the core is measured on the exact chain (p = k = 4), the accelerators are a tenth of what their makers state.
Expect the true time within a factor of three.
"""
SHOWN = 6
"""Cells named in a caution at most."""
COLUMNS = ("p", "region")
"""Parameters that are shown where a system has them and the grid does not."""


@dataclass(frozen=True)
class CellPlan:
    """What one cell would take.

    - `axes`: coordinates in the grid; `parameters`: the most telling derived ones.
    - `theory`: its name, "none" where the cell is simulated on its own.
    - `steps`: steps of SGD of one replica.
    - `memory`: bytes on all devices together, for the replicas that are simulated at once and for solving the theory.
    - `seconds`: estimated time.
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


def make_plan(experiment: Experiment) -> list[CellPlan]:
    """What every cell of an experiment would take on this machine."""
    return [_plan_cell(experiment, cell) for cell in experiment.cells]


def _plan_cell(experiment: Experiment, cell: Cell) -> CellPlan:
    ensemble = ensemble_of(experiment, cell)
    parameters = cell.problem.parameters()
    return CellPlan(
        axes=cell.axes,
        parameters={name: parameters[name] for name in COLUMNS if name in parameters and name not in cell.axes},
        dt=cell.problem.dt,
        theory="none" if cell.theory is None else cell.theory.name,
        steps=ensemble.total_steps,
        replicas=ensemble.replicas,
        blocks=len(cut(experiment, cell, ensemble).blocks),
        memory=ensemble.memory,
        seconds=ensemble.operations / _speed(ensemble.n_tiles) + ensemble.theory_operations / _speed(1),
    )


def cautions(experiment: Experiment) -> list[str]:
    """What a user should know before running: a line for each caution, with the cells it concerns.

    Cautions that differ in their numbers only are one; the words are those of the first.
    """
    found: dict[str, list[tuple[str, int]]] = {}
    for cell in experiment.cells:
        for text in cell.problem.cautions():
            found.setdefault(re.sub(r"\d+(\.\d+)?(e[-+]?\d+)?", "#", text), []).append((text, cell.index))
    return [f"caution: {members[0][0]} ({_which([cell for _, cell in members])})" for members in found.values()]


def _which(cells: Sequence[int]) -> str:
    """Numbers of cells in words: "cell 3", "cells 0, 1 and 2", "cells 0, 1, 2 and 38 more"."""
    if len(cells) == 1:
        return f"cell {cells[0]}"
    shown = [str(cell) for cell in (cells if len(cells) <= SHOWN else cells[:SHOWN])]
    last = [f"{len(cells) - SHOWN} more"] if len(cells) > SHOWN else [shown.pop()]
    return f"cells {', '.join(shown)} and {last[0]}"


def _speed(n_tiles: int) -> float:
    """Operations per second on the devices that have a tile to work on."""
    devices: Sequence[Any] = jax.local_devices()
    return OPERATIONS_PER_SECOND.get(devices[0].platform, 4e9) * min(len(devices), n_tiles)
