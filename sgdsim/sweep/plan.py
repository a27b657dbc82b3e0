"""What an experiment would take: cells, steps, memory and time, without running or writing anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax

from sgdsim.sweep.cells import Cell
from sgdsim.sweep.engine import cut, ensemble_of
from sgdsim.sweep.experiment import Experiment

OPERATIONS_PER_SECOND = {"cpu": 4e9, "gpu": 4e12, "tpu": 4e12}
"""Operations that one device (a CPU core, a GPU) does per second in a simulator's hot loop.

Rough: the core is measured on the exact chain (p = k = 4), the accelerators are a tenth of what their makers state.
Expect the true time within a factor of three.
"""
COLUMNS = ("p", "region")
"""Parameters that are shown where a system has them and the grid does not."""


@dataclass(frozen=True)
class CellPlan:
    """What one cell would take.

    - `axes`: coordinates in the grid; `parameters`: the most telling derived ones.
    - `theory`: its name, "none" where the cell is simulated on its own.
    - `steps`: steps of SGD of one replica.
    - `memory`: bytes on all devices together, for the replicas that are simulated at once.
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
    work = cell.simulator.flops_per_step(cell.problem) * ensemble.total_steps * experiment.replicas
    return CellPlan(
        axes=cell.axes,
        parameters={name: parameters[name] for name in COLUMNS if name in parameters and name not in cell.axes},
        dt=cell.problem.dt,
        theory="none" if cell.theory is None else cell.theory.name,
        steps=ensemble.total_steps,
        replicas=experiment.replicas,
        blocks=len(cut(experiment, cell, ensemble).blocks),
        memory=ensemble.bytes_per_replica * ensemble.lanes * ensemble.tiles_at_once,
        seconds=work / _speed(ensemble.n_tiles),
    )


def _speed(n_tiles: int) -> float:
    """Operations per second on the devices that have a tile to work on."""
    devices: Sequence[Any] = jax.local_devices()
    return OPERATIONS_PER_SECOND.get(devices[0].platform, 4e9) * min(len(devices), n_tiles)


def memory_text(size: int) -> str:
    """A number of bytes in words: 3.2 MB, 1.4 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} B"
