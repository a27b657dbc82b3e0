"""t = 0 is a save time like any other: simulation and theory are at the start there, without scatter."""

import numpy as np
import pytest

import sgdsim
from sgdsim.classification import Classification, RandomStart
from sgdsim.committee import Chain, Committee, ExactODE, OverlapStart, Weights
from sgdsim.meanfield import LawStart, MeanField, Sde
from sgdsim.recovery import ExactStart, Recovery
from tests.meanfield.test_reproducible import THREE

COMMITTEE = Committee.from_scaling(d=100, k=2, p0=2, noise=0.01)
TIMES = np.array([0.0, 0.02, 0.1])


def at_start(data, name):
    """Mean, theory, scatter and error of the mean, at t = 0."""
    return [data[f"{name}{end}"].to_numpy()[0] for end in ("", "_theory", "_std", "_sem")]


@pytest.mark.parametrize(("simulator", "rounding"), [(Chain(), 1e-15), (Weights(block=4), 1e-6)])
def test_the_committee_is_at_its_start(simulator, rounding):
    start = OverlapStart(0.5, 1)
    data = sgdsim.simulate(
        COMMITTEE, start, TIMES, replicas=16, simulator=simulator, theory=ExactODE(fluctuations=True)
    )
    assert data["step"].values.tolist() == [0, 2, 10]
    given = start.draw(COMMITTEE, np.random.default_rng(0), 1)
    for name, value in (("M", given.M[0]), ("Q", given.Q[0])):
        mean, theory, std, sem = at_start(data, name)
        np.testing.assert_allclose(mean, value, atol=rounding)
        np.testing.assert_allclose(theory, value, atol=1e-15)
        np.testing.assert_allclose([std, sem], 0, atol=1e-15)
        np.testing.assert_array_equal(data[f"{name}_predicted_std"][0], 0)
        assert (data[f"{name}_predicted_std"][1] > 0).all()
    mean, theory, *_ = at_start(data, "excess_risk")
    assert mean == pytest.approx(theory, abs=rounding)
    assert (data["sup_deviation"] > 1e-3).all()
    alone = sgdsim.solve(COMMITTEE, start, TIMES)
    np.testing.assert_array_equal(alone["M"], data["M_theory"])


@pytest.mark.slow
def test_recovery_is_at_its_overlaps():
    problem = Recovery(alpha=2, eta=0.05, m0=0.3, C00=1.2, N=30, waiting=(0.1,))
    data = sgdsim.simulate(problem, ExactStart(), np.array([0.0, 0.1]), replicas=10)
    for name, value in (("m", 0.3), ("C", 1.2), ("C_start", 1.2), ("C_waiting", 1.2), ("distance", 1.6)):
        mean, theory, std, _ = at_start(data, name)
        np.testing.assert_allclose([mean, theory], value, rtol=1e-6)
        np.testing.assert_allclose(std, 0, atol=1e-6)
    mean, theory, _, sem = at_start(data, "loss")
    assert abs(mean - theory) < 5 * sem + 2 / problem.N


@pytest.mark.slow
def test_particles_are_drawn_from_their_law():
    problem = MeanField(model=THREE, N=50, gamma=0.1, beta=0.5, dynamics=Sde())
    data = sgdsim.simulate(problem, LawStart(), np.array([0.0, 0.1]), replicas=64)
    mean, theory, std, sem = at_start(data, "m")
    assert (std > 0).all()
    assert (abs(mean - theory) < 5 * sem).all()


def test_networks_know_nothing_yet():
    problem = Classification(N=12, gamma=0.5, beta=1, bins=20)
    data = sgdsim.simulate(problem, RandomStart(), np.array([0.0, 3.0]), replicas=4)
    assert data["step"].values.tolist() == [0, 6]
    assert float(data["train_loss"][0]) == pytest.approx(np.log(10), abs=0.05)
    assert float(data["histogram"][0].sum()) == pytest.approx(1)
