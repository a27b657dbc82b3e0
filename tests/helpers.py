"""Comparisons in units of the error bar, and whole sweeps, used by the tests of every room."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.tiles import Tiles
from sgdsim.experiment.experiment import Experiment
from sgdsim.run.local import LocalRun
from sgdsim.run.opened import OpenRun, open_run
from sgdsim.run.outcomes import RunOutcome
from sgdsim.run.progress import Meter
from sgdsim.run.results import write_results
from sgdsim.run.stop import Stop
from sgdsim.store.blocks import CellLayout
from sgdsim.store.code import Code
from sgdsim.store.directory import RunDirectory
from sgdsim.store.manifest import Manifest
from sgdsim.store.origin import Origin
from sgdsim.store.presence import Presence


def z_between(left: Tiles, right: Tiles) -> dict[str, np.ndarray]:
    """Differences of the means of two ensembles over their standard error, for every observable with scatter."""
    scores = {}
    for name in left.mean:
        (a, sem_a), (b, sem_b) = mean_of(left, name), mean_of(right, name)
        scores[name] = _ratio(a - b, np.hypot(sem_a, sem_b))
    return scores


def z_of_variances(left: Tiles, right: Tiles) -> dict[str, np.ndarray]:
    """The same for variances; their standard error comes from the scatter between tiles, so no law is assumed."""
    scores = {}
    for name in left.mean:
        (a, error_a), (b, error_b) = _variance(left, name), _variance(right, name)
        scores[name] = _ratio(a - b, np.hypot(error_a, error_b))
    return scores


def z_from_theory(tiles: Tiles, name: str) -> np.ndarray:
    """(mean - theory) over the standard error of the mean."""
    mean, sem = mean_of(tiles, name)
    return _ratio(mean - tiles.theory[name][0], sem)


def run(problem, start, simulator, times, replicas, seed=0, theory=None, **options) -> Tiles:
    """All tiles of an ensemble."""
    return Ensemble(problem, start, simulator, theory, np.asarray(times, float), replicas, seed, **options).run()


def finish(experiment: Experiment, directory: Path) -> dict[str, Any]:
    """The summary of a whole sweep, run into the directory without a display."""
    sweep = make_blocks(experiment, directory)
    return write_results(experiment, sweep.directory, sweep.layout)


def make_blocks(experiment: Experiment, directory: Path, meter: Meter | None = None) -> OpenRun:
    """A sweep with every block on disk."""
    sweep = open_run(experiment, directory)
    outcome = make_some(sweep, meter)
    assert not outcome.stopped
    assert not outcome.failed, outcome.failed
    return sweep


def make_some(sweep: OpenRun, meter: Meter | None = None) -> RunOutcome:
    """What comes of making the missing blocks of a sweep here."""
    with Stop() as stop, Presence(sweep.directory.watch.folder) as presence:
        return LocalRun(sweep, meter or Meter(), stop, presence).run(sweep.blocks)


def worst(scores: dict[str, np.ndarray]) -> float:
    """The largest |z| of all."""
    return max(float(np.nanmax(np.abs(score))) for score in scores.values())


def mean_of(tiles: Tiles, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error over all replicas of equally filled tiles."""
    assert len(set(tiles.count.tolist())) == 1, "the tiles of a test are full, and no replica diverges"
    mean, n = tiles.mean[name].mean(axis=0), tiles.count.sum()
    spread = tiles.m2[name].sum(axis=0) + tiles.count[0] * ((tiles.mean[name] - mean) ** 2).sum(axis=0)
    return mean, np.sqrt(spread / (n - 1) / n)


def _variance(tiles: Tiles, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Variance between replicas, and its standard error from the scatter of the tiles' variances."""
    variances = tiles.m2[name] / (tiles.count[0] - 1)
    return variances.mean(axis=0), variances.std(axis=0, ddof=1) / np.sqrt(len(variances))


def _ratio(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """difference/error; 0 where both are rounding."""
    return np.where(error > 1e-12, difference / np.where(error > 1e-12, error, 1), difference / 1e-9)


def printed_by(script: Path) -> Any:
    """What a script prints as JSON, in a process without the checks of types that tests have."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)


ORIGIN = Origin(code=Code({}).digest, jax="0.10", platform="cpu")
"""Of blocks that a test makes up."""


def begin(directory: RunDirectory, resolved: dict[str, Any], layout: Sequence[CellLayout] = ()) -> None:
    """Makes a folder the run of an experiment, for blocks of `ORIGIN`."""
    directory.make()
    directory.write_experiment(resolved)
    directory.write_manifest(Manifest.of("made-up", resolved, Code({}), layout))


def lay_out(directory: RunDirectory, layout: Sequence[CellLayout]) -> None:
    """Cuts the cells of a run otherwise."""
    directory.write_manifest(dataclasses.replace(directory.read_manifest(), cells=layout))
