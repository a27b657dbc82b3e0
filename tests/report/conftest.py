"""A finished run of a small made-up system, in the layout that every run directory has."""

import json
from unittest.mock import Mock

import numpy as np
import pytest
import tomli_w
from pydantic import BaseModel

from sgdsim.analysis.dataset import merge_cells, to_dataset
from sgdsim.analysis.fits import fit_power_law
from sgdsim.analysis.moments import merge
from sgdsim.contracts import Problem, Simulator, System, Theory, Variable
from sgdsim.ensemble.tiles import Tiles
from sgdsim.laws.power import FittedPower
from sgdsim.store.stored import Stored, store_results
from sgdsim.store.summary import CellSummary, End, Mean, Summary
from tests.report.runs import run_committee

REPLICAS, TIMES = 512, np.linspace(0.1, 5.0, 50)
VARIABLES = {
    "risk": Variable("excess risk", r"\mathcal{E}"),
    "M": Variable("teacher-student overlaps", "M", ("student", "teacher")),
    "Q": Variable("student overlaps", "Q", ("student", "student_2")),
    "P": Variable("teacher overlaps", "P", ("teacher", "teacher_2")),
}


class Relaxation(Problem):
    """Overlaps that relax to the identity, with fluctuations of size sqrt(dt)."""

    system = "relaxation"
    d: int
    p: int
    noise: float

    @property
    def dt(self):
        return 1 / self.d

    @property
    def samples_per_step(self):
        return 4

    def parameters(self):
        return {"d": self.d, "p": self.p, "kappa": 0.0, "noise": self.noise, "dt": self.dt, "region": "blue"}


def _curves(problem):
    decay = np.exp(-TIMES)[:, None, None]
    start = np.random.default_rng(1).uniform(-0.4, 0.4, (problem.p, problem.p))
    M = np.eye(problem.p) + (start - np.eye(problem.p)) * decay
    Q = M @ M.swapaxes(1, 2)
    P = np.broadcast_to(np.eye(problem.p), M.shape)
    return {"risk": 0.1 * np.exp(-2 * TIMES) + problem.noise, "M": M, "Q": Q, "P": P}


def _tiles(problem, cell, diverged):
    rng = np.random.default_rng([7, cell])
    theory, size, count = _curves(problem), np.sqrt(problem.dt), REPLICAS - diverged
    mean, m2 = {}, {}
    for name, curve in theory.items():
        spread = 0.2 * size * np.abs(curve) * (name != "P")
        mean[name] = (curve + spread / np.sqrt(count) * rng.standard_normal())[None]
        m2[name] = (spread**2 * (count - 1) * np.ones_like(curve))[None]
    sup = 0.237 * size * (1 + 0.25 * rng.standard_normal(REPLICAS))
    sup[:diverged] = np.nan
    each = {name: curve[None] for name, curve in theory.items()}
    return Tiles(np.array([count]), np.array([diverged]), mean, m2, each, sup, 0.6 * sup)


def _mean_and_error(values):
    finite = values.dropna("replica")
    return Mean(mean=float(finite.mean()), sem=float(finite.std(ddof=1) / finite.size**0.5))


def _stored_cell(index, problem, axes, data):
    last = data.isel(time=-1)
    risk = End(mean=float(last["risk"]), sem=float(last["risk_sem"]), theory=float(last["risk_theory"]))
    return CellSummary(
        cell=index,
        axes=axes,
        parameters=problem.parameters(),
        n_replicas=REPLICAS,
        n_diverged=int(data["n_diverged"]),
        sup_deviation=_mean_and_error(data["sup_deviation"]),
        final_deviation=_mean_and_error(data["final_deviation"]),
        final={"risk": risk},
        steps_per_second=1.2e7,
        wall_seconds=1.5,
    )


def _stored_fit(datasets, problems):
    x = [problem.dt for problem in problems]
    law = fit_power_law(x, [data["sup_deviation"].to_numpy() for data in datasets], resamples=50)
    errors = [_mean_and_error(data["sup_deviation"]) for data in datasets]
    points = [[dt, error.mean, error.sem] for dt, error in zip(x, errors, strict=True)]
    return FittedPower(quantity="sup_deviation", against="dt", expected_slope=0.5, points=points, **vars(law))


def write_run(
    directory, dims=(100, 300, 1000, 3000, 10000, 30000), noises=(1e-3,), figures=("scaling", "trajectories")
):
    """Writes a finished run with one cell for each d and noise into `directory`."""
    system = System("relaxation", VARIABLES, "risk", *[BaseModel] * 4, Mock(spec=Simulator), Mock(spec=Theory))
    grid = [{"noise": noise, "d": d} for noise in noises for d in dims]
    problems = [Relaxation(d=axes["d"], p=4, noise=axes["noise"]) for axes in grid]
    cells = [_tiles(problem, index, diverged=3 if index == 1 else 0) for index, problem in enumerate(problems)]
    datasets = [
        to_dataset(system, problem, TIMES, problem.steps(TIMES), merge(tiles), tiles)
        for problem, tiles in zip(problems, cells, strict=True)
    ]
    fits = {}
    for noise in noises if len(dims) > 1 else ():
        group = [index for index, axes in enumerate(grid) if axes["noise"] == noise]
        name = "scaling" if len(noises) == 1 else f"scaling[noise={noise}]"
        fits[name] = _stored_fit([datasets[index] for index in group], [problems[index] for index in group])
    rows = [_stored_cell(i, *row) for i, row in enumerate(zip(problems, grid, datasets, strict=True))]
    summary = Summary(
        experiment="relaxation_law",
        title="Deviation from <theory> & its law",
        system="relaxation",
        wall_seconds=125.0,
        steps_per_second=1.23e7,
        n_replicas=REPLICAS * len(grid),
        n_diverged=3,
        cells=rows,
        fits=fits,
    )
    directory.mkdir(exist_ok=True)
    store_results(directory, merge_cells(datasets, grid), summary)
    provenance = {
        "versions": {"sgdsim": "0.1.0", "jax": "0.10.2"},
        "devices": ["cpu:0", "cpu:1"],
        "seed": 0,
        "commit": None,
    }
    (directory / "provenance.json").write_text(json.dumps(provenance))
    experiment = {"title": summary.title, "grid": {"d": list(dims)}, "report": {"figures": list(figures)}}
    (directory / "experiment.toml").write_text(tomli_w.dumps(experiment))
    return directory


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory):
    """A finished scaling run, without a report."""
    return write_run(tmp_path_factory.mktemp("runs") / "law")


@pytest.fixture(scope="module")
def directory(request, tmp_path_factory):
    """A finished run of the committee with the TABLES of the test module."""
    return run_committee(tmp_path_factory.mktemp("real"), request.module.TABLES)


@pytest.fixture
def run(directory):
    """A fresh copy of what that run holds, which a test may change."""
    return Stored.load(directory)
