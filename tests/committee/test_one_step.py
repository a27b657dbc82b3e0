"""The mean of one step of a simulator is the ODE's right-hand side: no constant of either can be off alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee.chain import Chain
from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import OverlapStart
from sgdsim.committee.theory.ode import ExactODE
from sgdsim.committee.theory.overlap_curve import velocity
from sgdsim.committee.weights import Weights
from tests.helpers import run


def one_step_scores(problem, simulator, replicas, wrong=1.0):
    """z of the measured (Omega^1 - Omega^0)/dt against the velocity of the exact ODE, and against `wrong` times it."""
    start = OverlapStart(0.5, 1)
    tiles = run(problem, start, simulator, [problem.dt], replicas, seed=4)
    initial = start.draw(problem, np.random.default_rng(0), 1)
    A, B = ExactODE().coefficients(problem)
    overlaps = (jnp.asarray(part[0]) for part in (initial.P, initial.M, initial.Q))
    expected = jax.jit(velocity)(*overlaps, A, B, problem.noise, problem.activation)
    scores = {1.0: [], wrong: []}
    for name, origin, rate in (("M", initial.M[0], expected[0]), ("Q", initial.Q[0], expected[1])):
        mean = np.average(tiles.mean[name][:, 0], axis=0)
        m2 = tiles.m2[name][:, 0].sum(0) + tiles.count[0] * ((tiles.mean[name][:, 0] - mean) ** 2).sum(0)
        sem = np.sqrt(m2) / tiles.count.sum()
        for scale, found in scores.items():
            found.append(((mean - origin) / problem.dt - scale * np.asarray(rate)).ravel() / (sem / problem.dt).ravel())
    return [np.concatenate(scores[scale]) for scale in (1.0, wrong)]


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "gamma0"), [(1, 4.0), (1, 12.0), (3, 12.0)])
def test_mean_of_one_step_is_the_velocity_of_the_ode(batch, gamma0):
    """d = 10^6, where the O(1/d) corrections are far below the error bar."""
    problem = Committee.from_scaling(d=10**6, k=2, p0=3, gamma0=gamma0, noise=0.1, batch=batch)
    scores, wrong = one_step_scores(problem, Chain(), 2**19 if batch == 1 else 2**17, wrong=1.02)
    assert np.abs(scores).max() < 5
    if batch == 1:
        assert np.abs(wrong).max() > 5


@pytest.mark.slow
def test_mean_of_one_step_of_the_weights():
    """d = 2000: corrections of order 1/d, hidden in the error bar of 2^13 replicas."""
    problem = Committee.from_scaling(d=2000, k=2, p0=3, noise=0.1)
    assert np.abs(one_step_scores(problem, Weights(block=4), 2**13)[0]).max() < 5
