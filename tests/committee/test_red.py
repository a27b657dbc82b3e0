"""The red region: steps too large for an ODE, where the chain is the law of SGD all the same."""

import numpy as np
import pytest

from sgdsim.committee import Chain, Committee, ExactODE, LimitODE, OverlapStart, Weights
from tests.helpers import run, worst, z_between

START = OverlapStart(0.5, 1)


@pytest.mark.slow
@pytest.mark.parametrize("delta", [-0.5, -1.0])
def test_chain_and_full_weights_agree_in_law(delta):
    problem = Committee.from_scaling(d=40, k=2, p0=2, delta=delta, noise=0.01)
    assert (problem.region, problem.dt) == ("red", 1.0)
    chain, weights = (
        run(problem, START, simulator, [1.0, 2.0, 5.0, 20.0], 8192, seed, batch=512)
        for seed, simulator in enumerate((Chain("float64"), Weights("float64", block=4)))
    )
    assert worst(z_between(chain, weights)) < 4.5


def test_the_student_grows_without_bound_and_faster_at_larger_d():
    times, final = [1.0, 10.0, 100.0, 1000.0], []
    for d in (100, 1000):
        problem = Committee.from_scaling(d=d, k=2, p0=2, delta=-1, noise=0.01)
        tiles = run(problem, START, Chain("float64"), times, 512)
        assert tiles.diverged.sum() == 0
        size = np.trace(tiles.mean["Q"].mean(axis=0), axis1=1, axis2=2)
        assert (np.diff(size) > 0).all()
        final.append(size[-1])
    assert final[1] > 3 * final[0]


@pytest.mark.parametrize("theory", [ExactODE(), LimitODE()])
def test_no_ode_exists_there(theory):
    exponents = {-0.5: False, -0.75: False, -0.499: True, 0.0: True, 0.5: True}
    problems = {delta: Committee.from_scaling(d=100, k=2, p0=2, delta=delta) for delta in exponents}
    assert {delta: theory.exists(problem) for delta, problem in problems.items()} == exponents
