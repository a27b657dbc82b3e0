"""Theory is compared at the times that steps realise, nu dt, and not at those that were asked for."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import xarray as xr

import sgdsim.api as api
from sgdsim.contracts import Spread, Start
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.theory_alone import TheoryAlone
from tests.helpers import finish
from tests.toy import DecayTheory, Origin, Walk, Walker, make_experiment

PROBLEM = Walk(d=3, noise=0.0)
ASKED = np.array([0.1, 0.55, 1.1, 2.4])
STEPS = np.array([0, 2, 3, 7])
REALISED = STEPS / 3


@dataclasses.dataclass(frozen=True)
class Scattered(Start):
    """x(0) of each replica is normal, about 1."""

    per_replica: ClassVar[bool] = True

    def check(self, problem):
        pass

    def draw(self, problem, rng, size):
        return 1 + rng.normal(size=(size, problem.p))


class Told(DecayTheory):
    """A theory that predicts for all what it was asked: the time."""

    def spread(self, problem, start, times):
        wide = np.asarray(times)
        std = {"x": np.stack([wide, wide], axis=1), "risk": wide}
        return Spread(std, deviation=wide, sup_deviation=float(wide[-1]))


def walked(height):
    """x after the steps: it falls by a factor 2/3 in each."""
    return height * (2 / 3) ** STEPS[:, None]


@pytest.mark.parametrize("start", [Origin(2.0), Scattered()])
def test_of_an_ensemble_with_a_shared_start_and_with_one_for_each(start):
    ensemble = Ensemble(PROBLEM, start, Walker(), DecayTheory(), ASKED, 4, 0)
    tiles = ensemble.run()
    np.testing.assert_array_equal(ensemble.steps, STEPS)
    initial = np.asarray(ensemble.begin(range(1)).initials).reshape(-1, 2)
    height = initial.mean(axis=0)[None]
    np.testing.assert_allclose(tiles.mean["x"][0], walked(height), rtol=1e-12)
    np.testing.assert_allclose(tiles.theory["x"][0], height * np.exp(-REALISED)[:, None], rtol=1e-12)
    apart = abs(walked(1.0) - np.exp(-REALISED)[:, None]).max(axis=1)
    largest = np.broadcast_to(abs(initial).max(axis=1), (4,))
    np.testing.assert_allclose(tiles.sup_deviation, largest * apart.max(), rtol=1e-12)
    np.testing.assert_allclose(tiles.final_deviation, largest * apart[-1], rtol=1e-12)


def test_of_a_theory_alone():
    tiles = TheoryAlone(PROBLEM, Origin(), DecayTheory(), ASKED).run()
    np.testing.assert_allclose(tiles.theory["x"][0, :, 0], np.exp(-REALISED), rtol=1e-12)


def test_of_what_is_predicted_of_the_scatter(tmp_path):
    """From Python and in a sweep; `solve` alone takes times as they are."""
    data = api.simulate(PROBLEM, Origin(), ASKED, replicas=4, theory=Told())
    experiment = make_experiment(d=(3,), replicas=4)
    cells = tuple(dataclasses.replace(cell, theory=Told(), asked=ASKED, times=ASKED) for cell in experiment.cells)
    finish(dataclasses.replace(experiment, cells=cells, fits={}), tmp_path)
    with xr.open_dataset(tmp_path / "results.nc", engine="netcdf4") as swept:
        for found in (data, swept.isel(cell=0)):
            np.testing.assert_allclose(found["x_predicted_std"][:, 0], REALISED, rtol=1e-15)
            np.testing.assert_allclose(found["t"], REALISED, rtol=1e-15)
            np.testing.assert_array_equal(found["time"], ASKED)
            assert float(found["final_deviation_predicted"]) == pytest.approx(REALISED[-1], rel=1e-14)
    solved = api.solve(PROBLEM, Origin(), ASKED, theory=Told())
    np.testing.assert_array_equal(solved["x_predicted_std"][:, 0], ASKED)
    np.testing.assert_allclose(solved["x"][:, 0], np.exp(-ASKED), rtol=1e-12)
