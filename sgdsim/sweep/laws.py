"""The power laws of a sweep: [fits.NAME] over the cells, as they stand in summary.json."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from sgdsim.analysis.dataset import DEVIATIONS, PREDICTED
from sgdsim.analysis.fits import PowerLaw, fit_power_law, fit_power_law_to_means, weighted_law
from sgdsim.analysis.levels import first_crossing
from sgdsim.ensemble.contracts import System
from sgdsim.errors import ArgumentError
from sgdsim.sweep.experiment import Experiment, Fit

Point = tuple[float, float, float]
"""A quantity of a cell: its mean, the standard error, and what theory says; NaN where there is none."""


def fit_law(experiment: Experiment, fit: Fit, members: Sequence[int], cells: Sequence[xr.Dataset]) -> dict[str, Any]:
    """One power law over some of the cells; without one, the `problem` says why.

    `expected_slope` is the exponent as d -> infinity (None for a law with a logarithm); `theory_slope` and
    `theory_constant` are those of the same fit, with the same weights, to theory's own values at the same points,
    `theory_points`. Of a deviation from theory these are the predicted means (None without predicted fluctuations).
    """
    problems = [experiment.cells[index].problem for index in members]
    x = [float(problem.parameters()[fit.against]) for problem in problems]
    samples, points, failed = _points(experiment.system, fit, x, [cells[index] for index in members])
    mean, sem, theory = np.array(points).T
    law, problem = (
        (None, f"{failed[0]} ({len(failed)} of {len(x)} cells)") if failed else _try_law(x, mean, sem, samples)
    )
    slope = experiment.system.expected_slope
    theory_slope, theory_constant = (None, None) if law is None else _theory_law(x, mean, sem, theory)
    return {
        **dataclasses.asdict(fit),
        **{field.name: None if law is None else getattr(law, field.name) for field in dataclasses.fields(PowerLaw)},
        "expected_slope": slope(fit.quantity, fit.against, problems) if slope and not fit.log else None,
        "theory_slope": theory_slope,
        "theory_constant": theory_constant,
        "theory_points": theory.tolist(),
        "points": [[abscissa, *point[:2]] for abscissa, point in zip(x, points, strict=True)],
        **({"problem": problem} if problem else {}),
    }


def _points(
    system: System, fit: Fit, x: Sequence[float], cells: Sequence[xr.Dataset]
) -> tuple[list[np.ndarray], list[Point], list[str]]:
    """What is fitted at every x: the replicas' values (of a deviation only), the points, and why some are missing."""
    samples, points, failed = [], [], []
    for abscissa, cell in zip(x, cells, strict=True):
        divisor = abs(math.log(abscissa)) or math.nan if fit.log else 1.0
        if fit.quantity in DEVIATIONS:
            samples.append(cell[fit.quantity].values / divisor)
        try:
            mean, sem, theory = quantity_of(system, fit, cell)
        except ArgumentError as error:
            mean, sem, theory = (math.nan,) * 3
            failed.append(_reason(error))
        points.append((mean / divisor, sem / divisor, theory / divisor))
    return samples, points, failed


def _try_law(
    x: list[float], mean: np.ndarray, sem: np.ndarray, samples: list[np.ndarray]
) -> tuple[PowerLaw | None, str | None]:
    """The law, or why there is none."""
    try:
        return (fit_power_law(x, samples) if samples else fit_power_law_to_means(x, mean, sem)), None
    except ArgumentError as error:
        return None, _reason(error)


def _reason(error: ArgumentError) -> str:
    return f"no fit: `{error.argument}` must {error.must}"


def quantity_of(system: System, fit: Fit, data: xr.Dataset) -> Point:
    """The fitted quantity of one cell. **Raises:** ArgumentError where a level is not reached."""
    if fit.quantity in DEVIATIONS:
        predicted = f"{fit.quantity}{PREDICTED}"
        return *mean_and_sem(data[fit.quantity].values), float(data[predicted]) if predicted in data else math.nan
    if fit.level is not None:
        return _samples(data, scalars(system)[0], fit.level)
    return final(data, fit.quantity)


def _samples(data: xr.Dataset, risk: str, level: float) -> Point:
    """Steps until the mean risk is down to the level."""
    steps = data["step"].values
    crossing, error = first_crossing(steps, data[risk].values, level, data[f"{risk}_sem"].values)
    if f"{risk}_theory" not in data:
        return crossing, error, math.nan
    try:
        return crossing, error, first_crossing(steps, data[f"{risk}_theory"].values, level)[0]
    except ArgumentError:
        return crossing, error, math.nan


def _theory_law(
    x: list[float], mean: np.ndarray, sem: np.ndarray, theory: np.ndarray
) -> tuple[float | None, float | None]:
    try:
        return weighted_law(x, mean, sem, theory)
    except ArgumentError:
        return None, None


def scalars(system: System) -> list[str]:
    """Names of the observables that are single numbers."""
    return [name for name, variable in system.variables.items() if not variable.dims]


def final(data: xr.Dataset, name: str) -> Point:
    """A scalar observable at the last save time."""
    columns = (name, f"{name}_sem", f"{name}_theory")
    mean, sem, theory = (float(data[column][-1]) if column in data else math.nan for column in columns)
    return mean, sem, theory


def mean_and_sem(values: Float[np.ndarray, " replicas"]) -> tuple[float, float]:
    """Mean and standard error of the finite values."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return float(finite[0]) if len(finite) else math.nan, math.nan
    return float(finite.mean()), float(finite.std(ddof=1) / math.sqrt(len(finite)))
