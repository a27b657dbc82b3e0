"""Results of a run: results.nc and summary.json, from the blocks on disk alone."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import xarray as xr

from sgdsim.analysis.dataset import clock, final_means, merge_cells, to_dataset
from sgdsim.analysis.moments import merge
from sgdsim.analysis.names import DEVIATIONS, PREDICTED
from sgdsim.analysis.plateau import Plateau, find_plateau
from sgdsim.contracts import System
from sgdsim.ensemble.statistics import divergence_bound
from sgdsim.ensemble.theory import predicted_spread
from sgdsim.ensemble.tiles import Tiles
from sgdsim.experiment.cells import Cell
from sgdsim.experiment.experiment import Experiment
from sgdsim.experiment.groups import groups
from sgdsim.laws.catalogue import fit_law
from sgdsim.laws.law import Fit, Fitted, Members
from sgdsim.laws.quantities import deviation, final, is_alone
from sgdsim.run.against import read_points
from sgdsim.run.ensembles import naming
from sgdsim.run.further import further
from sgdsim.run.versions import versions
from sgdsim.store.block_file import BlockHeader, BlockResult, SpoiltBlock
from sgdsim.store.blocks import CellLayout
from sgdsim.store.directory import RunDirectory
from sgdsim.store.origin import Origin, shares
from sgdsim.store.stored import store_results
from sgdsim.store.summary import CellSummary, End, Mean, Predicted, Summary

NO_FAILURE: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True)
class CellResult:
    """One cell, merged: its numbers, and apart from them the work they took."""

    data: xr.Dataset
    finite_theory: bool
    replica_steps: int
    wall_seconds: float
    origins: Sequence[tuple[Origin, int]] = ()


class SpoiltBlocks(Exception):
    """Blocks that could not be merged were put aside, and are to be done again; what to tell of each."""


def write_results(
    experiment: Experiment,
    directory: RunDirectory,
    layout: Sequence[CellLayout],
    failed: Mapping[int, str] = NO_FAILURE,
) -> Summary:
    """Merges the blocks in order, writes results.nc and summary.json, and returns the summary.

    The numbers in results.nc depend on the experiment only; times and speeds are in the summary.

    - `failed`: the error of every cell that failed for good, not of all: its numbers are NaN, its replicas none.

    **Raises:** SpoiltBlocks where a block was damaged or did not belong here.
    """
    merged = merge_blocks(experiment, directory, layout, failed)
    return store_results(directory.path, merged.data, merged.summary)


@dataclass(frozen=True)
class Merged:
    """What the blocks of a run give: all numbers, and what is said of them."""

    data: xr.Dataset
    summary: Summary


def merge_blocks(
    experiment: Experiment, directory: RunDirectory, layout: Sequence[CellLayout], failed: Mapping[int, str]
) -> Merged:
    """Merges the blocks in order; the arguments are those of `write_results`.

    **Raises:** SpoiltBlocks where a block was damaged or did not belong here.
    """
    manifest = directory.read_manifest()
    results = _merge_all(experiment, directory, layout, failed)
    cells = [results.get(cell.index) or _lost(results, cell) for cell in experiment.cells]
    data = merge_cells([cell.data for cell in cells], [cell.axes for cell in experiment.cells])
    data = data.assign_attrs(title=experiment.title, experiment=experiment.name, manifest=manifest.source)
    origins = shares(pair for cell in cells for pair in cell.origins)
    summary = _summarise(experiment, cells, failed)
    return Merged(data, summary.model_copy(update={"manifest": manifest.digest, "origins": origins}))


def _merge_all(
    experiment: Experiment, directory: RunDirectory, layout: Sequence[CellLayout], failed: Mapping[int, str]
) -> dict[int, CellResult]:
    """The cells that did not fail, merged; all their spoilt blocks are put aside before the first is complained of."""
    results, spoilt = {}, []
    for cell, cut in zip(experiment.cells, layout, strict=True):
        if cell.index in failed:
            continue
        blocks = []
        for block in cut.blocks:
            try:
                blocks.append(directory.read_block(block, cut.lanes))
            except SpoiltBlock as error:
                spoilt.append(directory.put_aside(block, error))
            except FileNotFoundError:
                spoilt.append(f"{directory.path_of(block)}: is gone")
        if not spoilt:
            results[cell.index] = _merge_cell(experiment, cell, blocks)
    if spoilt:
        raise SpoiltBlocks("\n".join(spoilt))
    return results


def _merge_cell(experiment: Experiment, cell: Cell, found: Sequence[tuple[BlockResult, BlockHeader]]) -> CellResult:
    blocks = [block for block, _ in found]
    tiles = Tiles.concatenate([block.tiles for block in blocks])
    steps = cell.problem.steps(cell.times)
    with naming(experiment, cell):
        spread = predicted_spread(cell.problem, cell.start, steps * cell.problem.dt, cell.theory)
    bound = None if cell.simulator is None else divergence_bound(cell.problem, cell.start, int(steps[-1]))
    return CellResult(
        data=to_dataset(experiment.system, cell.problem, cell.asked, steps, merge(tiles), tiles, spread, bound),
        finite_theory=tiles.finite_theory,
        replica_steps=sum(block.replica_steps for block in blocks),
        wall_seconds=sum(block.wall_seconds for block in blocks),
        origins=[(header.origin, header.replicas[1] - header.replicas[0]) for _, header in found],
    )


def _lost(results: Mapping[int, CellResult], cell: Cell) -> CellResult:
    """A cell that failed, in the form of one that did not: no replicas, and NaN for every number."""
    like = next(iter(results.values())).data
    data = like.map(lambda values: xr.full_like(values, np.nan, float), keep_attrs=True)
    steps = cell.problem.steps(cell.times)
    known = {**clock(cell.problem, steps), "n_replicas": 0, "n_diverged": 0}
    data = data.assign({name: like[name].copy(data=np.asarray(values)) for name, values in known.items()})
    data.attrs = {"system": like.attrs["system"], **cell.problem.parameters()}
    return CellResult(data=data, finite_theory=False, replica_steps=0, wall_seconds=0.0)


def _summarise(experiment: Experiment, cells: Sequence[CellResult], failed: Mapping[int, str]) -> Summary:
    data = [cell.data for cell in cells]
    wall_seconds = sum(cell.wall_seconds for cell in cells)
    return Summary(
        experiment=experiment.name,
        title=experiment.title,
        system=experiment.system.name,
        risk=experiment.system.risk,
        versions=versions(experiment),
        wall_seconds=wall_seconds,
        steps_per_second=_rate(sum(cell.replica_steps for cell in cells), wall_seconds),
        n_replicas=sum(int(cell.data.n_replicas) for cell in cells),
        n_diverged=sum(int(cell.data.n_diverged) for cell in cells),
        divergence=_divergence(experiment.cells[0].problem.order_parameters, data),
        cells=[
            _summarise_cell(experiment.system, cell, result, failed.get(cell.index))
            for cell, result in zip(experiment.cells, cells, strict=True)
        ],
        fits=_fit_all(experiment, data, failed),
        against=[read_points(experiment.system, experiment.cells, data, asked, failed) for asked in experiment.against],
    )


def _fit_all(experiment: Experiment, data: Sequence[xr.Dataset], failed: Collection[int]) -> dict[str, Fitted]:
    """Every fit, over each group of cells that it is made for; the cells that failed are in none."""
    fits: dict[str, Fitted] = {}
    for name, fit in experiment.fits.items():
        for label, members in _groups(experiment.cells, fit):
            whole = [index for index in members if index not in failed]
            if not whole:
                continue
            problems = [experiment.cells[index].problem for index in whole]
            found = fit_law(fit, Members(experiment.system, problems, [data[index] for index in whole]))
            more = {"cells": whole} | further(experiment, fit, whole)
            fits[f"{name}[{label}]" if label else name] = found.model_copy(update=more)
    return fits


def _groups(cells: Sequence[Cell], fit: Fit) -> list[tuple[str, list[int]]]:
    """The cells of each law that a fit asks for, by a label."""
    where = fit.where or {}
    kept = [at for at, cell in enumerate(cells) if all(cell.axes[axis] in values for axis, values in where.items())]
    if fit.undivided:
        return [("", kept)]
    against, *second = fit.parameters.values()
    found = groups([cells[at] for at in kept], against, *second, along=fit.along, apart=where)
    return [(label, [kept[member] for member in members]) for label, members in found]


def _summarise_cell(system: System, cell: Cell, result: CellResult, error: str | None) -> CellSummary:
    data, alone = result.data, is_alone(result.data)
    names = [name for name in system.scalars if name in data or f"{name}_theory" in data]
    ends = {name: End(**dict(zip(("mean", "sem", "theory"), final(data, name), strict=True))) for name in names}
    return CellSummary(
        cell=cell.index,
        axes=cell.axes,
        parameters=cell.problem.parameters(),
        theory=None if cell.theory is None else cell.theory.name,
        theory_diverged=not result.finite_theory if alone else None,
        n_replicas=int(data.n_replicas),
        n_diverged=int(data.n_diverged),
        divergence_bound=float(data["divergence_bound"]) if "divergence_bound" in data else None,
        **({} if alone else _deviations(data)),
        predicted=_predicted(data),
        final=ends,
        plateau=_plateau(data, system.risk),
        plateau_theory=_plateau(data, f"{system.risk}_theory"),
        steps_per_second=_rate(result.replica_steps, result.wall_seconds),
        wall_seconds=result.wall_seconds,
        doubts=cell.problem.doubts(final_means(data, names)),
        error=error,
    )


def _divergence(order_parameters: Sequence[str], cells: Sequence[xr.Dataset]) -> str | None:
    """What counts as diverged, in words: "not finite, or |M| or |Q| > 1e+06"; None where nothing was simulated."""
    bounds = [float(cell["divergence_bound"]) for cell in cells if "divergence_bound" in cell]
    bounds = [bound for bound in bounds if math.isfinite(bound)]  # not that of a cell that failed
    if not bounds:
        return None
    least, most = (f"{bound:.2g}" for bound in (min(bounds), max(bounds)))
    sizes = " or ".join(f"|{name}|" for name in order_parameters)
    return f"not finite, or {sizes} > {least if least == most else f'{least} to {most}'}"


def _rate(replica_steps: int, wall_seconds: float) -> float | None:
    """Steps per second; None where nothing was simulated."""
    return replica_steps / wall_seconds if replica_steps else None


def _deviations(data: xr.Dataset) -> dict[str, Mean]:
    """Mean and error of the deviations from theory."""
    return {name: Mean(**dict(zip(("mean", "sem"), deviation(data, name), strict=True))) for name in DEVIATIONS}


def _predicted(data: xr.Dataset) -> Predicted | None:
    """The predicted means of the deviations, where the theory predicts fluctuations."""
    found = {name: float(data[f"{name}{PREDICTED}"]) for name in DEVIATIONS if f"{name}{PREDICTED}" in data}
    return Predicted(**found) if found else None


def _plateau(data: xr.Dataset, column: str) -> Plateau | None:
    """The plateau of a scalar observable or of its theory, None where there is none."""
    return find_plateau(data["t"].values, data[column].values) if column in data else None
