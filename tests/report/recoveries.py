"""Made-up runs of a recovery: theory alone, correlations with waiting times, and laws as a summary holds them."""

import json

import numpy as np
import tomli_w
import xarray as xr

from sgdsim.laws.bias import FittedBias
from sgdsim.laws.finite_size import FittedFiniteSize
from sgdsim.laws.onset import FittedOnset
from sgdsim.laws.threshold import FittedThreshold
from sgdsim.store.stored import Stored, store_results
from sgdsim.store.summary import CellSummary, End, Summary

TIMES = np.geomspace(0.1, 300, 80)
WAITING = (1.0, 4.0, 16.0, 64.0)
DT = 0.3
REPLICAS = 50


def _dataset(cells, simulated, theory):
    """Distances that relax at the rate of their cell, and C_waiting(t) = (1 + (t - t_w)/t_w)^-rate."""
    rates = np.array([cell.get("b", 1.0) for cell in cells])[:, None]
    distance = 2 * np.exp(-np.log(20) * rates * TIMES / 20)
    since = np.maximum(TIMES - np.rint(np.array(WAITING)[:, None] / DT) * DT, 0) / np.array(WAITING)[:, None]
    waiting = ((1 + since.T) ** -rates[..., None]) * np.ones((len(cells), 1, 1))
    length = 1 + 0.3 * TIMES**0.2 * np.ones((len(cells), 1))
    shapes = {
        "distance": (("cell", "time"), distance, "distance from the signal", r"\Delta"),
        "m": (("cell", "time"), 1 - distance / 2, "overlap with the signal", "m"),
        "C": (("cell", "time"), length, "squared length", "C(t,t)"),
        "C_waiting": (("cell", "time", "waiting"), waiting, "correlation with an earlier time", "C(t,t_w)"),
        "chi_waiting": (("cell", "time", "waiting"), 2 - 2 * waiting, "integrated response", r"\chi(t,t_w)"),
    }
    data = {}
    for name, (dims, values, words, symbol) in shapes.items():
        parts = {"": values * 1.01, "_sem": values * 0.02, "_std": values * 0.1} if simulated else {}
        parts |= {"_theory": values} if theory else {}
        for part, numbers in parts.items():
            text = words + {"_theory": ", theory", "_sem": ", standard error of the mean"}.get(part, "")
            data[f"{name}{part}"] = (dims, numbers, {"long_name": text, "symbol": symbol})
    data["t"] = (("cell", "time"), np.tile(TIMES, (len(cells), 1)))
    data["step"] = (("cell", "time"), np.tile(np.rint(TIMES / DT), (len(cells), 1)))
    for name, count in (("n_replicas", REPLICAS * simulated), ("n_diverged", 0)):
        data[name] = ("cell", np.full(len(cells), count))
    return xr.Dataset(data, {"time": TIMES})


def recovery(cells=({"b": 1.0}, {"b": 0.2}), fits=None, figures=(), simulated=False, theory=True):
    """A finished run with the grid coordinates of every cell, the given fits, and both or either of two parts."""
    results = _dataset(cells, simulated, theory)
    rows = []
    for index, axes in enumerate(cells):
        last = results.isel(cell=index, time=-1)
        end = {part: float(last[f"distance{key}"]) for part, key in _PARTS if f"distance{key}" in last}
        rows.append(
            CellSummary(
                cell=index,
                axes=axes,
                parameters={"eta": DT, "dt": DT, **axes},
                n_replicas=REPLICAS * simulated,
                final={"distance": End(**end)},
            )
        )
    summary = Summary(
        experiment="recovery_law",
        title="Recovery of a signal",
        system="recovery",
        wall_seconds=12.0,
        n_replicas=REPLICAS * simulated * len(cells),
        cells=rows,
        fits=fits or {},
    )
    experiment = tomli_w.dumps({"problem": {"waiting": list(WAITING)}, "report": {"figures": list(figures)}})
    return Stored(results, summary, {"seed": 0}, experiment)


def canyon(grid=((0.5, 1.0), (1.0, 1.0), (1.2, 1.0), (0.5, 0.5), (1.0, 0.5), (1.2, 0.5))):
    """A run of restarts at these alpha and b: flat modes by counting, and losses that rise with alpha from 0 on."""
    run = recovery([{"alpha": alpha, "b": b} for alpha, b in grid], simulated=True, theory=False)
    alpha, b = np.array(grid).T[:, :, None] * np.ones(len(TIMES))
    losses = np.where(alpha < 1, 0.0, 0.01 * alpha * b)
    values = {"zero_modes": np.maximum(1 - alpha, 0), "loss": losses, "ground": 0.1 * losses, "perfect": alpha < 1}
    for name, value in values.items():
        for part, factor in (("", 1.0), ("_sem", 0.02), ("_std", 0.1)):
            run.results[f"{name}{part}"] = (("cell", "time"), factor * value, {"long_name": name, "symbol": name})
    return run


_PARTS = (("mean", ""), ("sem", "_sem"), ("theory", "_theory"))


def threshold(at, exponent=1.5, missed=(1.2, 1.5)):
    """A fitted threshold with points on its law and a range of 0.03 to either side."""
    points = [[x, 10 * (x - at) ** -exponent] for x in np.geomspace(at + 0.05, 4.0, 9).tolist()]
    return FittedThreshold(
        quantity="relaxation_time",
        against="alpha",
        level=0.1,
        threshold=at,
        threshold_low=at - 0.03,
        threshold_high=at + 0.03,
        exponent=exponent,
        exponent_low=exponent - 0.03,
        exponent_high=exponent + 0.03,
        prefactor=10.0,
        longest=points[0][1],
        points=points,
        missed=missed,
    )


def bias(quantity="distance", intercept=0.001, coefficient=1.5):
    """A fitted bias with points half an error above its line."""
    return FittedBias(
        quantity=quantity,
        against="N",
        intercept=intercept,
        intercept_error=0.0012,
        coefficient=coefficient,
        coefficient_error=0.2,
        chi2=0.75,
        dof=1,
        points=[[n, intercept + coefficient / n + 5e-4, 1e-3] for n in (100, 200, 400)],
    )


def onset(at, expected=None):
    """An onset between two neighbours 5 % below and above."""
    return FittedOnset(
        quantity="distance",
        against="eta",
        level=1e-3,
        onset=at,
        low=0.95 * at,
        high=1.05 * at,
        expected=expected,
        points=[[0.95 * at, 1e-5], [1.05 * at, 0.1]],
    )


def write(run, directory):
    """The files of such a run, in a directory."""
    store_results(directory, run.results, run.summary)
    (directory / "provenance.json").write_text(json.dumps(run.provenance))
    (directory / "experiment.toml").write_text(run.experiment)
    return directory


def finite_size(at, b=1.0):
    """Two sizes with this midpoint and widths of 0.2 and 0.1, which cross there, with points on their functions."""
    sizes = {50: 0.2, 100: 0.1}
    points = [
        [alpha, N, 0.0 if alpha == 1.2 else 1 / (1 + np.exp(-(alpha - at) / width)), 100]
        for N, width in sizes.items()
        for alpha in (1.2, 1.4, 1.6)
    ]
    return FittedFiniteSize(
        quantity="m",
        against="alpha",
        second="N",
        where={"b": [b]},
        expected=1.54,
        midpoint=at,
        midpoint_error=0.01,
        width=0.1,
        width_error=0.01,
        crossing=at,
        crossing_error=0.02,
        sizes=[[N, at, 0.01, width, 0.01, 1.0, 1] for N, width in sizes.items()],
        crossings=[[50, 100, at, 0.02, 0.5]],
        points=points,
    )
