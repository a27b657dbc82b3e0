"""Simulation against its ODE in every region: the finite-size law with its constant, and the mean path."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from sgdsim.analysis.fits import fit_power_law
from sgdsim.committee import Chain, Committee, ExactODE, OverlapStart
from sgdsim.ensemble.times import linear_times
from tests.helpers import run, worst, z_from_theory

KNOWN = tomllib.loads((Path(__file__).parents[1] / "known_answers" / "finite_size.toml").read_text())


@pytest.mark.slow
def test_the_finite_size_law_has_its_known_slope_and_constant():
    """d = 100 ... 10^4: every point, the slope 1/2 and the constant 0.237."""
    samples, dts = [], []
    for cell, (d, mean, sem) in enumerate(zip(KNOWN["d"], KNOWN["mean"], KNOWN["sem"], strict=True)):
        problem = Committee.from_scaling(d=d, k=4, p0=4, gamma0=1.0, noise=1e-3)
        tiles = run(problem, OverlapStart(0.5, 1), Chain(), linear_times(5.0, 50), 512, 0, ExactODE(), cell=cell)
        error = np.hypot(tiles.sup_deviation.std(ddof=1) / 512**0.5, sem)
        assert abs(tiles.sup_deviation.mean() - mean) < 5 * error
        samples.append(tiles.sup_deviation)
        dts.append(problem.dt)
    law = fit_power_law(dts, samples)
    assert abs(law.slope - KNOWN["slope"]) < 0.01
    assert abs(law.slope - KNOWN["slope"]) < 4 * law.slope_error
    assert abs(law.constant - KNOWN["constant"]) < 4 * law.constant_error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("region", "d", "delta", "time"),
    [("green", 1000, 0.3, 1.0), ("blue", 10_000, 0.0, 1.0), ("orange", 10**6, -0.2, 1.0)],
)
def test_the_mean_path_is_the_ode(region, d, delta, time):
    """The bias of the mean is O(dt), the scatter O(sqrt(dt)): with 512 replicas only the second is seen."""
    problem = Committee.from_scaling(d=d, k=2, p0=3, delta=delta, noise=1e-2)
    assert problem.region == region
    tiles = run(problem, OverlapStart(0.5, 1), Chain(), linear_times(time, 3), 512, 0, ExactODE())
    assert tiles.diverged.sum() == 0
    assert worst({name: z_from_theory(tiles, name) for name in tiles.theory}) < 5
