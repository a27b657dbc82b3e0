"""Full weights: the blocked loop against plain SGD on the same inputs, exact starts, and p > d."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import ExplicitStart, OverlapStart, SphereStart
from sgdsim.committee.weights import Weights, weights_kernel
from sgdsim.ensemble.inputs import draw_inputs
from sgdsim.ensemble.random import replica_keys
from tests.committee.test_chain import sgd_by_hand
from tests.compiled import advance, begin, folded, observe
from tests.helpers import run, worst, z_from_theory

inputs_of = jax.jit(lambda kernel, key: draw_inputs(key, kernel.segment * kernel.batch, kernel.d, kernel.dtype))


def started(problem, dtype="float64", lanes=2, steps=8):
    kernel = weights_kernel(problem, dtype, lanes, steps)
    initial = OverlapStart(0.5, 1).draw(problem, np.random.default_rng(0), lanes)
    return kernel, begin(kernel, initial, replica_keys(3, 0, 0, lanes))


@pytest.mark.parametrize(
    ("batch", "block"),
    [pytest.param(1, 8, marks=pytest.mark.slow), (3, 8), pytest.param(1, 18, marks=pytest.mark.slow)],
)
def test_blocks_are_the_step_by_step_loop(batch, block):
    """21 steps against plain SGD on the same inputs: two blocks of 8 and five steps of a third, or 18 steps and 3.

    18 are more than are unrolled at once: those before pull on the last two by a matrix product.
    """
    problem = Committee(d=51, p=3, k=2, gamma=0.8, noise=0.05, batch=batch)
    kernel, state = started(problem, steps=block)
    after = advance(kernel, state, jnp.asarray(21))
    for lane in range(2):
        inputs, noises = [], []
        for first in range(0, 21, block):
            drawn = inputs_of(kernel, folded(state.keys, first))
            left, right, zeta = (np.asarray(part)[lane] for part in drawn)
            inputs += list(np.hstack([left, right]).reshape(block, batch, 51))
            noises += list(zeta.reshape(block, batch))
        W = sgd_by_hand(np.asarray(state.W[lane]), np.asarray(state.teacher[lane]), inputs[:21], noises[:21], problem)
        np.testing.assert_allclose(after.W[lane], W, rtol=0, atol=1e-12)
    assert int(after.step) == 21


def test_the_start_has_exactly_the_given_overlaps():
    problem = Committee(d=40, p=3, k=2, gamma=1.0)
    kernel, state = started(problem)
    initial = OverlapStart(0.5, 1).draw(problem, np.random.default_rng(0), 2)
    seen = observe(kernel, state)
    np.testing.assert_allclose(seen["M"][..., 0], initial.M[0], atol=1e-13)
    np.testing.assert_allclose(seen["Q"][..., 0], initial.Q[0], atol=1e-13)


@pytest.mark.slow
def test_more_neurons_than_dimensions():
    """p > d, as on the kappa > 1 side of the phase diagram: it runs, stays finite, and Q keeps rank d."""
    problem = Committee(d=6, p=10, k=2, gamma=1.0, noise=1e-3)
    tiles = run(problem, SphereStart(seed=1), Weights(block=4), [1.0, 5.0], 64)
    assert tiles.diverged.sum() == 0
    kernel = weights_kernel(problem, "float64", 1, 4)
    initial = SphereStart(seed=1).draw(problem, np.random.default_rng(0), 1)
    state = advance(kernel, begin(kernel, initial, replica_keys(0, 0, 0, 1)), jnp.asarray(20))
    Q = np.asarray(observe(kernel, state)["Q"])[..., 0]
    assert np.linalg.matrix_rank(Q, tol=1e-10) <= 6


@pytest.mark.slow
def test_full_weights_follow_the_ode_within_the_finite_size_bias():
    """d = 1000: the bias of the mean is O(1/d), far below the scatter of one replica."""
    from sgdsim.committee.theory.ode import ExactODE

    problem = Committee.from_scaling(d=1000, k=2, p0=2, noise=1e-2)
    start = ExplicitStart(np.eye(2), 0.3 * np.eye(2), np.eye(2))
    tiles = run(problem, start, Weights(), [0.5, 1.0], 256, theory=ExactODE())
    scores = {name: z_from_theory(tiles, name) for name in ("M", "Q", "excess_risk")}
    assert worst(scores) < 5


def test_memory_grows_with_p_d():
    small, large = (Weights().bytes_per_replica(Committee(d=d, p=4, k=4, gamma=1.0)) for d in (1000, 2000))
    assert large == 2 * small
