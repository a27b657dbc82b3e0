"""Results as tidy tables of pandas: one row for each observation, with the parameters of its cell beside it."""

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, get_args

import pandas as pd
import xarray as xr

from sgdsim.analysis.axes import numbered
from sgdsim.analysis.names import EACH_DEVIATION, KEPT, PREDICTED_STD
from sgdsim.errors import ArgumentError
from sgdsim.laws.quantities import deviation, final
from sgdsim.store.curves import DEVIATION, DEVIATIONS, Curves
from sgdsim.store.finished import Run, open_run

Per = Literal["time", "replica", "cell"]
_ENDINGS = {"mean": "", "sem": "_sem", "std": "_std", "theory": "_theory", "predicted_std": PREDICTED_STD}
"""Columns of a table over time, by the endings of the variables that they come from."""
_CLOCK = ("t", "step", "samples")


def to_dataframe(
    results: xr.Dataset | Run | str | PathLike[str], per: Per = "time", observables: Sequence[str] | None = None
) -> pd.DataFrame:
    """A Dataset of `simulate` or `solve`, or a finished run, as a tidy table.

    - `per`: "time" for a row to each cell, save time, observable and component of it (student, teacher, ...), with
      columns mean, sem, std, theory, predicted_std as far as there are such; "replica" for a row to each replica: its
      deviations, and its last value of every scalar that the simulator keeps; "cell" for a row to each cell: counts,
      deviations and final values with their errors.
    - `observables`: of a table over time; by default all of them, the deviation among them.

    The axes of the grid stand in front, and all parameters that differ from cell to cell; those that do not are in
    `frame.attrs`. Where p is smaller in one cell than in another, the units that it lacks have no row.

    **Raises:** ArgumentError for an observable that there is not.
    """
    if per not in get_args(Per):
        raise ArgumentError("per", f"be {' or '.join(get_args(Per))}", per)
    curves = _curves(results)
    known = (*curves.observables, *((DEVIATION,) if DEVIATION in curves.results else ()))
    names = known if observables is None else tuple(observables)
    if strange := [name for name in names if name not in known]:
        raise ArgumentError("observables", f"be among {', '.join(known)}", strange[0])
    parameters = curves.parameters
    differing = [name for name in parameters[0] if len({row[name] for row in parameters}) > 1]
    first = dict.fromkeys(curves.varying) | dict.fromkeys(differing)
    frames = []
    for cell, row in enumerate(parameters):
        data = curves.results.isel(cell=cell)
        for frame in _rows(data, per, names, curves.scalars):
            for place, name in enumerate(first):
                frame.insert(place, name, row[name])
            frame.insert(0, "cell", cell)
            frames.append(frame)
    whole = _ordered(pd.concat(frames, ignore_index=True))
    whole.attrs = {name: value for name, value in parameters[0].items() if name not in first}
    return whole if len(parameters) > 1 else whole.drop(columns="cell")


def _curves(results: Any) -> Curves:
    if isinstance(results, str | PathLike):
        results = open_run(results)
    if isinstance(results, Run):
        return results.stored
    if not isinstance(results, xr.Dataset):
        raise ArgumentError("results", "be a Dataset or a finished run", type(results).__name__)
    return Curves.of(results)


def _rows(data: xr.Dataset, per: Per, names: Sequence[str], scalars: Sequence[str]) -> Iterator[pd.DataFrame]:
    """The rows of one cell, in one table or more."""
    if per == "cell":
        yield pd.DataFrame([_summary(data, scalars)])
    elif per == "replica":
        kept = [f"{name}{KEPT}" for name in scalars]
        found = {name: data[name].values for name in (*EACH_DEVIATION, *kept) if name in data}
        size = int(data.sizes.get("replica", 0))
        yield pd.DataFrame({"replica": range(size), **found})
    else:
        for name in names:
            yield _over_time(data, name)


def _summary(data: xr.Dataset, scalars: Sequence[str]) -> Mapping[str, Any]:
    row: dict[str, Any] = {name: int(data[name]) for name in ("n_replicas", "n_diverged") if name in data}
    for name in DEVIATIONS if "sup_deviation" in data else ():
        row[name], row[f"{name}_sem"] = deviation(data, name)
    for name in scalars:
        row |= dict(zip((name, f"{name}_sem", f"{name}_theory"), final(data, name), strict=True))
    return row


def _over_time(data: xr.Dataset, name: str) -> pd.DataFrame:
    """An observable of one cell: its components one below the other."""
    columns = {column: f"{name}{ending}" for column, ending in _ENDINGS.items() if f"{name}{ending}" in data}
    part = numbered(data[list(columns.values())].rename({variable: column for column, variable in columns.items()}))
    axes = [str(dim) for dim in part.dims if dim != "time"]
    frame = part.drop_vars([str(one) for one in part.coords if one not in part.dims]).to_dataframe(["time", *axes])
    if axes:  # units that another cell has, and this one lacks
        frame = frame.dropna(how="all")
    frame = frame.reset_index()
    clock = data[[one for one in _CLOCK if one in data]].drop_vars("cell", errors="ignore").reset_coords(drop=True)
    frame = frame.merge(clock.to_dataframe().reset_index(), on="time", how="left")
    frame.insert(0, "observable", name)
    # Numbers that an observable without this axis lacks, and that stay whole numbers beside it.
    return frame.astype(dict.fromkeys(axes, "Int64"))


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """What says which row it is stands first, then the numbers."""
    last = [name for name in ("time", *_CLOCK, *_ENDINGS) if name in frame]
    return frame.reindex(columns=[name for name in frame if name not in last] + last)
