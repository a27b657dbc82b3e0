"""Made-up runs of a classification: histograms that every seed has, and accuracies and losses."""

import numpy as np
import tomli_w
import xarray as xr

from sgdsim.store.stored import Stored
from sgdsim.store.summary import CellSummary, End, Summary

BINS, WINDOW = 40, (-1.0, 1.0)
SEEDS = 5
SCALARS = (
    "test_loss",
    "train_loss",
    "train_accuracy",
    "test_accuracy",
    "fit_accuracy",
    "weight_norm",
    "dead_fraction",
    "seed_distance",
)


def _masses(mean):
    """A hump of half-width 1/4 about a mean, in every bin."""
    middles = np.linspace(*WINDOW, 2 * BINS + 1)[1::2]
    hump = np.maximum(1 - ((middles - mean) / 0.25) ** 2, 0)
    return hump / hump.sum()


def shift(axes, seed):
    """By how much a seed's histogram is shifted: by gamma/4 at beta = 1, with a sign of its own; else hardly."""
    return (0.25 * axes["gamma"] if axes["beta"] == 1 else 0.001) * (-1) ** seed


def _final(name, axes):
    return {
        "test_loss": 0.3 - 0.1 * axes["beta"],
        "train_loss": 0.1 + 0.05 * axes["beta"],
        "train_accuracy": 0.98 - 0.01 * axes["beta"],
        "test_accuracy": 0.90 + 0.02 * axes["beta"],
        "fit_accuracy": 0.99,
        "weight_norm": 20.0 if axes["random_labels"] else 5.0,
        "dead_fraction": 0.0,
        "seed_distance": 0.02,
    }[name]


def classification(cells, keys, lost=(), bins=BINS, times=None):
    """A finished run of cells with the given parameters (N, beta, gamma, ...), of which `keys` are axes of the grid.

    In the cells `lost` all replicas have diverged; the first replica has in all. `times` are the save times of each
    cell, at which values grow by 0.001 each; 30 alone by default.
    """
    times = np.full((len(cells), 1), 30.0) if times is None else np.array(times)
    usual = {"N": 100, "gamma": 1.0, "beta": 0.5, "random_labels": 0, "weight_decay": 0.0}
    cells = [usual | {"dt": 0.5, "batch": 100, "train_images": 1297} | cell for cell in cells]
    humps = np.array([[_masses(shift(axes, seed)) for seed in range(SEEDS)] for axes in cells])
    humps[:, 0], humps[list(lost)] = np.nan, np.nan
    data = {f"{name}_final": (("cell", "replica", "bin"), humps) for name in ("histogram", "active_histogram")}
    for name in SCALARS:
        values = np.array([[_final(name, axes)] for axes in cells]) + 0.001 * np.arange(times.shape[1])
        values[list(lost)] = np.nan
        words = {"long_name": name.replace("_", " "), "symbol": "x"}
        data |= {
            f"{name}{part}": (("cell", "time"), scale * values, words) for part, scale in (("", 1), ("_sem", 0.01))
        }
    finals = np.array([_final("test_accuracy", axes) + 0.001 * np.arange(SEEDS) for axes in cells])
    finals[:, 0], finals[list(lost)] = np.nan, np.nan
    data["test_accuracy_final"] = (("cell", "replica"), finals)
    data["t"] = (("cell", "time"), times)
    data["n_replicas"] = ("cell", np.full(len(cells), SEEDS))
    data["n_diverged"] = ("cell", np.array([SEEDS if cell in lost else 1 for cell in range(len(cells))]))
    rows = []
    for index, axes in enumerate(cells):
        final = {
            name: End(mean=None if index in lost else _final(name, axes), sem=0.01 * _final(name, axes))
            for name in SCALARS
        }
        counts = {name: int(data[name][1][index]) for name in ("n_replicas", "n_diverged")}
        own = {key: axes[key] for key in keys}
        rows.append(CellSummary(cell=index, axes=own, parameters=axes, final=final, **counts))
    experiment = tomli_w.dumps({"problem": {"bins": bins, "window": list(WINDOW)} if bins else {}})
    summary = Summary(
        experiment="classification",
        title="Classification",
        system="classification",
        n_diverged=int(data["n_diverged"][1].sum()),
        cells=rows,
    )
    return Stored(xr.Dataset(data), summary, {"seed": 0}, experiment)
