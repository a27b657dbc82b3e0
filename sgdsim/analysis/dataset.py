"""Results as xarray datasets: one cell, and all cells of a sweep side by side."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int

from sgdsim.analysis.moments import Moments
from sgdsim.analysis.names import DEVIATIONS, EACH_DEVIATION, KEPT, MAX_DEVIATION, PREDICTED, PREDICTED_STD
from sgdsim.contracts import Problem, Scalar, Spread, System, Variable
from sgdsim.ensemble.statistics import DEVIATION
from sgdsim.ensemble.tiles import Tiles

DISTANCE = Variable("distance from theory", r"|\Omega - \bar\Omega|_\infty")
"""How the `deviation` is named and drawn, in every system."""


def to_dataset(
    system: System,
    problem: Problem,
    times: Float[np.ndarray, " times"],
    steps: Int[np.ndarray, " times"],
    moments: Moments,
    tiles: Tiles,
    spread: Spread | None = None,
    bound: float | None = None,
) -> xr.Dataset:
    """The ensemble of one problem as a Dataset.

    - `time` (coordinate): the requested save times; `t`: the realised ones, step * dt; `step`: steps of SGD done;
      `samples`: data used, step * samples_per_step.
    - for each observable V, dims (time, *dims of V): `V` the mean over replicas, `V_sem` its standard error, `V_std`
      the standard deviation of one replica, `V_theory` the theory (absent without one). Of an observable that theory
      alone has, `V_theory` alone.
    - with a theory `deviation`, `deviation_sem`, `deviation_std` (time): mean, its error and spread over replicas of
      |Omega - Omega_bar|_inf; `max_deviation`, `max_deviation_sem` (no dims): the same at the time where it is largest,
      of which the theorem speaks.
    - `sup_deviation`, `final_deviation` (replica): that distance of every replica, its maximum over the save times and
      its value at the last; NaN where it diverged.
    - for the observables that the simulator keeps: `V_final`, dims (replica, *dims of V), at the last save time.
    - with a predicted `spread`: `V_predicted_std` beside V_std, the predicted means `deviation_predicted` (time) and
      `max_deviation_predicted`, `sup_deviation_predicted`, `final_deviation_predicted` (no dims).
    - without replicas, the theory alone: `V_theory`.
    - `n_replicas`: replicas simulated, of which `n_diverged` are in no average: at a save time they were not finite, or
      an order parameter was beyond the `bound`, which is the variable `divergence_bound` then.

    All have `long_name` and `units`; observables also `symbol`. The problem's parameters are the attributes.
    """
    words = {
        "t": _attrs("realised time, step * dt", "t"),
        "step": _attrs("steps of SGD", "nu"),
        "samples": _attrs("samples used, step * samples_per_step"),
    }
    data: dict[str, tuple] = {name: ("time", values, words[name]) for name, values in clock(problem, steps).items()}
    for name in dict.fromkeys([*moments.mean, *moments.theory]):
        data |= _observable(name, DISTANCE if name == DEVIATION else system.variables[name], moments)
    if DEVIATION in moments.mean:
        data |= _largest(moments)
    for name, values in tiles.kept.items():
        variable = system.variables[name]
        attrs = _attrs(f"{variable.long_name}, each replica's at the last save time", variable.symbol, variable.units)
        data[f"{name}{KEPT}"] = (("replica", *variable.dims), values, attrs)
    for name, long_name in EACH_DEVIATION.items() if moments.mean else ():
        data[name] = ("replica", getattr(tiles, name), _attrs(long_name))
    data |= _predicted(system, spread)
    data["n_replicas"] = ((), moments.count + moments.diverged, _attrs("replicas simulated"))
    data["n_diverged"] = ((), moments.diverged, _attrs("replicas left out: not finite, or beyond the divergence bound"))
    if bound is not None:
        data["divergence_bound"] = ((), bound, _attrs("size of an order parameter that counts as diverged"))
    time = ("time", np.asarray(times, np.float64), _attrs("requested save time", "t"))
    return xr.Dataset(data, {"time": time}, {"system": system.name, **problem.parameters()})


def clock(problem: Problem, steps: Int[np.ndarray, " times"]) -> dict[str, np.ndarray]:
    """What has passed after these steps: the time t, the steps themselves, and the samples that were used."""
    return {"t": steps * problem.dt, "step": steps, "samples": steps * float(problem.samples_per_step)}


def theory_dataset(
    system: System,
    parameters: Mapping[str, Scalar],
    times: Float[np.ndarray, " times"],
    curve: Mapping[str, Float[np.ndarray | Array, "times ..."]],
    spread: Spread | None = None,
) -> xr.Dataset:
    """The theory of one problem as a Dataset: every observable V, dims (time, *dims of V), against `time`.

    The `parameters` of the problem are the attributes. With a predicted `spread` also `V_predicted_std`,
    `deviation_predicted` (time), `max_deviation_predicted`,
    `sup_deviation_predicted` and `final_deviation_predicted`.
    """
    data = _predicted(system, spread)
    for name, values in curve.items():
        variable = system.variables[name]
        attrs = _attrs(variable.long_name, variable.symbol, variable.units)
        data[name] = (("time", *variable.dims), values, attrs)
    time = ("time", np.asarray(times, np.float64), _attrs("time", "t"))
    return xr.Dataset(data, {"time": time}, {"system": system.name, **parameters})


def _observable(name: str, variable: Variable, moments: Moments) -> dict[str, tuple]:
    """The mean of an observable with its error, its spread, and the theory."""
    dims = ("time", *variable.dims)
    long_name = variable.long_name
    parts = {
        name: (moments.mean, long_name, {"cell_methods": "replica: mean"}),
        f"{name}_sem": (moments.sem, f"{long_name}, standard error of the mean", {}),
        f"{name}_std": (moments.std, f"{long_name}, spread", {"cell_methods": "replica: standard_deviation"}),
        f"{name}_theory": (moments.theory, f"{long_name}, theory", {}),
    }
    return {
        key: (dims, values[name], _attrs(text, variable.symbol, variable.units) | extra)
        for key, (values, text, extra) in parts.items()
        if name in values
    }


def _largest(moments: Moments) -> dict[str, tuple]:
    """max_t E |Omega - Omega_bar|_inf, with the error of the mean at that time; NaN where no replica is finite."""
    mean, sem = moments.mean[DEVIATION], moments.sem[DEVIATION]
    # A mean is never below 0: -1 loses against every number, and wins where there is none.
    at = int(np.argmax(np.nan_to_num(mean, nan=-1.0)))
    text = DEVIATIONS[MAX_DEVIATION]
    return {
        MAX_DEVIATION: ((), mean[at], _attrs(text)),
        f"{MAX_DEVIATION}_sem": ((), sem[at], _attrs(f"{text}, standard error")),
    }


def _predicted(system: System, spread: Spread | None) -> dict[str, tuple]:
    """What theory says of the scatter of the replicas."""
    if spread is None:
        return {}
    data: dict[str, tuple] = {}
    for name, values in spread.std.items():
        variable = system.variables[name]
        attrs = _attrs(f"{variable.long_name}, predicted spread", variable.symbol, variable.units)
        data[f"{name}{PREDICTED_STD}"] = (("time", *variable.dims), values, attrs)
    attrs = _attrs(f"{DISTANCE.long_name}, predicted mean", DISTANCE.symbol)
    data[f"{DEVIATION}{PREDICTED}"] = ("time", spread.deviation, attrs)
    for name, long_name in DEVIATIONS.items():
        data[f"{name}{PREDICTED}"] = ((), getattr(spread, name), _attrs(f"{long_name}, predicted mean"))
    return data


def _attrs(long_name: str, symbol: str | None = None, units: str = "1") -> dict[str, str]:
    return {"long_name": long_name, "units": units} | ({"symbol": symbol} if symbol else {})


def merge_cells(datasets: Sequence[xr.Dataset], axes: Sequence[Mapping[str, Scalar]]) -> xr.Dataset:
    """The datasets of all cells of a sweep along a new leading dimension `cell`.

    Every parameter, and every axis of the grid, becomes a coordinate over `cell`; attributes common to all the cells
    stay attributes. Where a dimension is longer in one cell than in another (the width p), the shorter is padded with
    NaN, and a variable that only some cells have (a theory) is NaN in the others. The names of the axes are in the
    attribute `axes`.

    - `axes`: for each cell, its coordinates in the grid by name.
    """
    sizes = {dim: max(data.sizes[dim] for data in datasets) for dim in datasets[0].dims}
    padded = [_padded(data, sizes).drop_attrs(deep=False) for data in datasets]
    variables = {name: variable for data in padded for name, variable in data.data_vars.items()}
    merged = xr.concat(
        [_completed(data, variables) for data in padded],
        dim="cell",
        data_vars="all",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="override",
    )
    table = [{**data.attrs, **cell} for data, cell in zip(datasets, axes, strict=True)]
    # A parameter of the cells is a coordinate; the system is one for all of them.
    system = {row.pop("system") for row in table}.pop()
    columns = {name: ("cell", np.array([row[name] for row in table]), _attrs(name)) for name in table[0]}
    cells = {"cell": ("cell", np.arange(len(datasets)), _attrs("point of the grid"))}
    return merged.assign_coords(cells | columns).assign_attrs(system=system, axes=" ".join(axes[0]))


def _completed(data: xr.Dataset, variables: Mapping[Hashable, xr.DataArray]) -> xr.Dataset:
    """The dataset with NaN for each of the variables that it does not have."""
    return data.assign(
        {name: xr.full_like(like, np.nan) for name, like in variables.items() if name not in data.data_vars}
    )


def _padded(data: xr.Dataset, sizes: Mapping[Hashable, int]) -> xr.Dataset:
    """The dataset with NaN appended along every dimension that is shorter than in `sizes`."""
    return data.pad({dim: (0, size - data.sizes[dim]) for dim, size in sizes.items() if size > data.sizes[dim]})


def final_means(data: xr.Dataset, names: Iterable[str]) -> dict[str, float]:
    """The means of those scalar observables that were simulated at the last save time, where they are numbers."""
    means = {name: float(data[name][-1]) for name in names if name in data}
    return {name: mean for name, mean in means.items() if math.isfinite(mean)}
