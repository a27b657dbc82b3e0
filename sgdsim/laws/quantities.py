"""What a fit reads off a cell: deviations, final values, and when a level is reached."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, Num

from sgdsim.analysis.bootstrap import mean_and_sem
from sgdsim.analysis.levels import first_crossing, median_time
from sgdsim.analysis.names import BIAS, DEVIATIONS, EACH_DEVIATION, KEPT, LARGEST, PREDICTED, PREDICTED_STD, STD
from sgdsim.errors import ArgumentError

if TYPE_CHECKING:  # which needs JAX
    from sgdsim.contracts import System

RELAXATION = "relaxation_time"
COLUMNS = {"samples_to_level": "samples", "steps_to_level": "step", RELAXATION: "t"}
"""When the mean of the system's risk has fallen to a level, and what is read off there: the samples that were used, nu
times those of a step; the steps nu; or the time t = nu dt."""

ESCAPE, ESCAPED, RECOVERED = "escape_time", "escaped", "recovered"


class Median(NamedTuple):
    """When half of the replicas have done something: a median, of which those that never do are part.

    - `column`: what is read off then.
    - `share`: the observable that is the share of the replicas that have.
    - `words`: on an axis.
    """

    column: str
    share: str
    words: str


MEDIANS = {
    ESCAPE: Median("t", ESCAPED, "median time of escape"),
    "steps_to_overlap": Median("step", RECOVERED, r"median steps $\nu$ to overlap 1/2"),
    "samples_to_overlap": Median("samples", RECOVERED, "median samples to overlap 1/2"),
}
"""Of escape from a plateau, and of an overlap of 1/2 or more with a teacher."""

Point = tuple[float, float, float]
"""A quantity of a cell: its mean, the standard error, and what theory says; NaN where there is none."""


def each_replica(quantity: str, data: xr.Dataset) -> Float[np.ndarray, " replicas"] | None:
    """A quantity of every replica, where it is known: a deviation, or a scalar that the simulator keeps."""
    for name in (quantity, f"{quantity}{KEPT}"):
        if name in data and data[name].dims == ("replica",):
            return data[name].values
    return None


def is_alone(data: xr.Dataset) -> bool:
    """Whether a cell holds theory without a simulation."""
    return int(data["n_replicas"]) == 0


def quantity_of(system: "System", quantity: str, level: float | None, data: xr.Dataset) -> Point:
    """A quantity of one cell; where nothing was simulated, theory's own is the mean, without an error.

    `level` belongs to the quantities that say when one is reached.

    **Raises:** ArgumentError where a level is not reached.
    """
    if quantity.endswith(BIAS):
        return _bias(data, quantity.removesuffix(BIAS))
    if quantity.endswith(STD):
        return _std(data, quantity.removesuffix(STD))
    if quantity.endswith(LARGEST):
        return _largest(data, quantity.removesuffix(LARGEST))
    if quantity in DEVIATIONS:
        predicted = f"{quantity}{PREDICTED}"
        return *deviation(data, quantity), float(data[predicted]) if predicted in data else math.nan
    if quantity in COLUMNS:
        mean, sem, theory = _crossing(data, system.risk, level or math.nan, COLUMNS[quantity])
    elif quantity in MEDIANS:
        mean, sem, theory = _median(data, quantity)
    else:
        mean, sem, theory = final(data, quantity)
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


def _median(data: xr.Dataset, quantity: str) -> Point:
    """The median over replicas, and that of theory where it gets there.

    **Raises:** ArgumentError where half of the replicas, or theory alone, do not arrive by the last save time.
    """
    column, share, _ = MEDIANS[quantity]
    x, own = data[column].values, f"{share}_theory"
    if share not in data and own not in data:
        raise ArgumentError(quantity, f"be of a run that observes `{share}`", None)
    if is_alone(data):
        return math.nan, math.nan, median_time(x, data[own].values)[0]
    median, error = median_time(x, data[share].values, int(data["n_replicas"]))
    try:
        return median, error, median_time(x, data[own].values)[0] if own in data else math.nan
    except ArgumentError:
        return median, error, math.nan


def medians(names: Sequence[str]) -> tuple[str, ...]:
    """Those of a system with these scalars."""
    return tuple(quantity for quantity, median in MEDIANS.items() if median.share in names)


def apart(names: Sequence[str]) -> tuple[str, ...]:
    """How far the mean of a scalar observable ends from theory, and a replica from the mean, of each of these."""
    return tuple(f"{name}{ending}" for name in names for ending in (BIAS, STD))


def _bias(data: xr.Dataset, name: str) -> Point:
    """|mean - theory| at the last save time; its error is that of the mean, as theory has none."""
    mean, sem, theory = final(data, name)
    return abs(mean - theory), sem, math.nan


def largest_of(names: Sequence[str]) -> tuple[str, ...]:
    """The largest mean over the save times of each of these."""
    return tuple(f"{name}{LARGEST}" for name in names)


def _largest(data: xr.Dataset, name: str) -> Point:
    """max_t E of an observable, with the error of the mean at that time, and of theory there.

    Of means that differ by less than their errors it is the one that happens to be largest: too large by part of it.
    """
    means = data[name].values if name in data else np.array([math.nan])
    if not np.isfinite(means).any():
        return math.nan, math.nan, math.nan
    at = int(np.nanargmax(means))
    columns = (name, f"{name}_sem", f"{name}_theory")
    mean, sem, theory = (float(data[column].values[at]) if column in data else math.nan for column in columns)
    return mean, sem, theory


def _std(data: xr.Dataset, name: str) -> Point:
    """The standard deviation of one replica at the last save time, beside the predicted one.

    Its error is that of Gaussian values, std/sqrt(2 (n - 1)).
    """
    columns = (f"{name}{STD}", f"{name}{PREDICTED_STD}")
    std, predicted = (float(data[column].values[-1]) if column in data else math.nan for column in columns)
    count = int(data["n_replicas"]) - int(data["n_diverged"])
    return std, std / math.sqrt(2 * (count - 1)) if count > 1 else math.nan, predicted


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
