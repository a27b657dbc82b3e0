"""Results of a sweep: results.nc and summary.json, from the blocks on disk alone."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from sgdsim.analysis.dataset import DEVIATIONS, merge_cells, to_dataset
from sgdsim.analysis.fits import PowerLaw, fit_power_law, fit_power_law_to_means
from sgdsim.analysis.moments import merge
from sgdsim.ensemble.contracts import System
from sgdsim.ensemble.tiles import Tiles
from sgdsim.errors import ArgumentError
from sgdsim.sweep.cells import Cell
from sgdsim.sweep.engine import Sweep
from sgdsim.sweep.experiment import Experiment, Fit
from sgdsim.sweep.files import atomic, write_text
from sgdsim.sweep.groups import groups
from sgdsim.sweep.provenance import versions
from sgdsim.sweep.store import CellLayout, RunDirectory


@dataclass(frozen=True)
class CellResult:
    """One cell, merged: its numbers, and apart from them the work they took."""

    data: xr.Dataset
    replica_steps: int
    wall_seconds: float


def write_results(sweep: Sweep) -> dict[str, Any]:
    """Merges the blocks in order, writes results.nc and summary.json, and returns the summary.

    The numbers in results.nc depend on the experiment only; times and speeds are in the summary.
    """
    experiment, directory = sweep.experiment, sweep.directory
    cells = [
        _merge_cell(experiment, cell, layout, directory)
        for cell, layout in zip(experiment.cells, sweep.layout, strict=True)
    ]
    data = merge_cells([cell.data for cell in cells], [cell.axes for cell in experiment.cells])
    data = data.assign_attrs(title=experiment.title, experiment=experiment.name)
    with atomic(directory.results) as temporary:
        data.to_netcdf(temporary, engine="h5netcdf")
    summary = _finite(_summarise(experiment, cells))
    write_text(directory.summary, json.dumps(summary, indent=2, allow_nan=False) + "\n")
    return summary


def _merge_cell(experiment: Experiment, cell: Cell, layout: CellLayout, directory: RunDirectory) -> CellResult:
    blocks = [directory.read_block(block) for block in layout.blocks]
    tiles = Tiles.concatenate([block.tiles for block in blocks])
    steps = cell.problem.steps(cell.times)
    return CellResult(
        data=to_dataset(experiment.system, cell.problem, cell.times, steps, merge(tiles), tiles),
        replica_steps=sum(block.replica_steps for block in blocks),
        wall_seconds=sum(block.wall_seconds for block in blocks),
    )


def _summarise(experiment: Experiment, cells: Sequence[CellResult]) -> dict[str, Any]:
    fits: dict[str, Any] = {}
    for name, fit in experiment.fits.items():
        for label, members in groups(experiment.cells, fit.against):
            fits[f"{name}[{label}]" if label else name] = _fit(experiment, fit, members, cells)
    wall_seconds = sum(cell.wall_seconds for cell in cells)
    return {
        "experiment": experiment.name,
        "title": experiment.title,
        "system": experiment.system.name,
        "versions": versions(),
        "wall_seconds": wall_seconds,
        "steps_per_second": sum(cell.replica_steps for cell in cells) / wall_seconds,
        "n_replicas": sum(int(cell.data.n_replicas) for cell in cells),
        "n_diverged": sum(int(cell.data.n_diverged) for cell in cells),
        "cells": [
            _summarise_cell(experiment.system, cell, result)
            for cell, result in zip(experiment.cells, cells, strict=True)
        ],
        "fits": fits,
    }


def _summarise_cell(system: System, cell: Cell, result: CellResult) -> dict[str, Any]:
    parameters = cell.problem.parameters()
    final = {name: _final(result.data, name) for name in _scalars(system) if name in result.data}
    return {
        "cell": cell.index,
        "axes": cell.axes,
        "parameters": parameters,
        "region": parameters.get("region"),
        "dt": cell.problem.dt,
        "theory": None if cell.theory is None else cell.theory.name,
        "n_replicas": int(result.data.n_replicas),
        "n_diverged": int(result.data.n_diverged),
        **{name: _mean_and_sem(result.data[name].values) for name in DEVIATIONS},
        "final": final,
        **{
            f"final_{name}": {"mean": value["mean"], "sem": value["sem"], "ode": value["theory"]}
            for name, value in final.items()
        },
        "steps_per_second": result.replica_steps / result.wall_seconds,
        "wall_seconds": result.wall_seconds,
    }


def _scalars(system: System) -> list[str]:
    """Names of the observables that are single numbers."""
    return [name for name, variable in system.variables.items() if not variable.dims]


def _final(data: xr.Dataset, name: str) -> dict[str, float]:
    """Mean, standard error and theory of a scalar observable at the last save time."""
    keys = {"mean": name, "sem": f"{name}_sem", "theory": f"{name}_theory"}
    return {key: float(data[column][-1]) if column in data else math.nan for key, column in keys.items()}


def _mean_and_sem(values: Float[np.ndarray, " replicas"]) -> dict[str, float]:
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return {"mean": float(finite[0]) if len(finite) else math.nan, "sem": math.nan}
    return {"mean": float(finite.mean()), "sem": float(finite.std(ddof=1) / math.sqrt(len(finite)))}


def _fit(experiment: Experiment, fit: Fit, members: Sequence[int], cells: Sequence[CellResult]) -> dict[str, Any]:
    """One power law over some of the cells; without one, the `problem` says why."""
    problems = [experiment.cells[index].problem for index in members]
    x = [float(problem.parameters()[fit.against]) for problem in problems]
    data = [cells[index].data for index in members]
    law, problem = _try_fit(fit.quantity, x, data)
    slope = experiment.system.expected_slope
    values = [_point(fit.quantity, cell) for cell in data]
    entry = {"quantity": fit.quantity, "against": fit.against, **_law(law)}
    entry["expected_slope"] = slope(fit.quantity, fit.against, problems) if slope else None
    entry["points"] = [[abscissa, value["mean"], value["sem"]] for abscissa, value in zip(x, values, strict=True)]
    return entry | ({"problem": problem} if problem else {})


def _law(law: PowerLaw | None) -> dict[str, float | None]:
    return {field.name: None if law is None else getattr(law, field.name) for field in dataclasses.fields(PowerLaw)}


def _try_fit(quantity: str, x: list[float], data: list[xr.Dataset]) -> tuple[PowerLaw | None, str | None]:
    try:
        if quantity in DEVIATIONS:
            return fit_power_law(x, [cell[quantity].values for cell in data]), None
        points = [_point(quantity, cell) for cell in data]
        means, sems = (np.array([point[key] for point in points]) for key in ("mean", "sem"))
        return fit_power_law_to_means(x, means, sems), None
    except ArgumentError as error:
        return None, f"no fit: `{error.argument}` must {error.must}"


def _point(quantity: str, data: xr.Dataset) -> Mapping[str, float]:
    return _mean_and_sem(data[quantity].values) if quantity in DEVIATIONS else _final(data, quantity)


def _finite(value: Any) -> Any:
    """The same tree with None for every number that JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
