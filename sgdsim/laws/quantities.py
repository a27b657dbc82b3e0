"""What a fit reads off a cell: deviations, final values, and when a level is reached."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from jaxtyping import Float, Num

from sgdsim.analysis.bootstrap import mean_and_sem
from sgdsim.analysis.levels import first_crossing, first_rise, median_time
from sgdsim.analysis.names import DEVIATIONS, EACH_DEVIATION, KEPT, PREDICTED
from sgdsim.errors import ArgumentError

if TYPE_CHECKING:  # which needs JAX
    from sgdsim.contracts import System

RELAXATION = "relaxation_time"
COLUMNS = {"samples_to_level": "samples", "steps_to_level": "step", RELAXATION: "t"}
"""When the mean of the system's risk has fallen to a level, and what is read off there: the samples that were used, nu
times those of a step; the steps nu; or the time t = nu dt."""

ESCAPE, ESCAPED, HALF = "escape_time", "escaped", 0.5
"""The median over replicas of the time at which they escape, of a system that observes which of them have."""

RECOVERED = "recovered"
MEDIANS = {"samples_to_overlap": "samples", "steps_to_overlap": "step"}
"""When half of the replicas have an overlap of 1/2 or more with a teacher: the median, of which those that never do are
part. Of systems that observe `RECOVERED`, the share of these replicas."""

Point = tuple[float, float, float]
"""A quantity of a cell: its mean, the standard error, and what theory says; NaN where there is none."""


def each_replica(quantity: str, data: xr.Dataset) -> Float[np.ndarray, " replicas"] | None:
    """A quantity of every replica, where it is known: a deviation, or a scalar that the simulator keeps."""
    for name in (quantity, f"{quantity}{KEPT}"):
        if name in data and data[name].dims == ("replica",):
            return data[name].values
    return None


def escapes(names: Sequence[str]) -> tuple[str, ...]:
    """The time of escape, of a system with these scalars that observes it."""
    return (ESCAPE,) * (ESCAPED in names)


def is_alone(data: xr.Dataset) -> bool:
    """Whether a cell holds theory without a simulation."""
    return int(data["n_replicas"]) == 0


def quantity_of(system: "System", quantity: str, level: float | None, data: xr.Dataset) -> Point:
    """A quantity of one cell; where nothing was simulated, theory's own is the mean, without an error.

    `level` belongs to the quantities that say when one is reached.

    **Raises:** ArgumentError where a level is not reached.
    """
    if quantity in DEVIATIONS:
        predicted = f"{quantity}{PREDICTED}"
        return *deviation(data, quantity), float(data[predicted]) if predicted in data else math.nan
    if quantity == ESCAPE:
        mean, sem, theory = _escape(data)
        return (theory, math.nan, theory) if is_alone(data) else (mean, sem, theory)
    read: Callable[[], Point] = (
        (lambda: _crossing(data, system.risk, level or math.nan, COLUMNS[quantity]))
        if quantity in COLUMNS
        else (lambda: final(data, quantity))
    )
    if quantity in MEDIANS:
        return _median(data, MEDIANS[quantity])
    mean, sem, theory = read()
    return (theory, math.nan, theory) if is_alone(data) else (mean, sem, theory)


def _crossing(data: xr.Dataset, risk: str, level: float, column: str) -> Point:
    """Where in the column (samples, step or t) the mean risk, and that of theory, is down to the level."""
    x: Num[np.ndarray, " times"] = data[column].values
    if is_alone(data):
        return math.nan, math.nan, first_crossing(x, data[f"{risk}_theory"].values, level)[0]
    # The curve of the mean, not the mean of crossings: a replica that never crosses would have none.
    crossing, error = first_crossing(x, data[risk].values, level, data[f"{risk}_sem"].values)
    if f"{risk}_theory" not in data:
        return crossing, error, math.nan
    try:
        return crossing, error, first_crossing(x, data[f"{risk}_theory"].values, level)[0]
    except ArgumentError:
        return crossing, error, math.nan


def _escape(data: xr.Dataset) -> Point:
    """When half of the replicas have escaped; those that never do count as not yet. Theory's own, where it gets there.

    **Raises:** ArgumentError where half of them have not escaped by the last save time.
    """
    t, alone = data["t"].values, is_alone(data)
    if ESCAPED not in data and f"{ESCAPED}_theory" not in data:
        raise ArgumentError(ESCAPE, f"be of a run that observes `{ESCAPED}`", None)
    mean, sem = (math.nan,) * 2 if alone else first_rise(t, data[ESCAPED].values, HALF, data[f"{ESCAPED}_sem"].values)
    if f"{ESCAPED}_theory" not in data:
        return mean, sem, math.nan
    try:
        return mean, sem, first_rise(t, data[f"{ESCAPED}_theory"].values, HALF)[0]
    except ArgumentError:
        if alone:
            raise
        return mean, sem, math.nan


def _median(data: xr.Dataset, column: str) -> Point:
    """The median in the column over replicas, and that of theory from their starts."""
    if RECOVERED not in data and f"{RECOVERED}_theory" not in data:
        raise ArgumentError(
            "quantity", "be of cells whose overlaps are observed: of no plain network", "steps_to_overlap"
        )
    x, own = data[column].values, f"{RECOVERED}_theory"
    if is_alone(data):
        theory = median_time(x, data[own].values)[0]
        return theory, math.nan, theory
    median, error = median_time(x, data[RECOVERED].values, int(data["n_replicas"]))
    try:
        return median, error, median_time(x, data[own].values)[0] if own in data else math.nan
    except ArgumentError:
        return median, error, math.nan


def medians(names: Sequence[str]) -> tuple[str, ...]:
    """The medians that a system with these scalars has."""
    return tuple(MEDIANS) if RECOVERED in names else ()


def final(data: xr.Dataset, name: str) -> Point:
    """A scalar observable at the last save time."""
    columns = (name, f"{name}_sem", f"{name}_theory")
    mean, sem, theory = (float(data[column][-1]) if column in data else math.nan for column in columns)
    return mean, sem, theory


def deviation(data: xr.Dataset, name: str) -> tuple[float, float]:
    """One of `DEVIATIONS`: its mean over replicas and the standard error; NaN without a theory."""
    if name in EACH_DEVIATION:
        return mean_and_sem(data[name].values)
    return (float(data[name]), float(data[f"{name}_sem"])) if name in data else (math.nan, math.nan)
