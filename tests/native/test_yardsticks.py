"""The loops in C++ that speed is held against make the steps that they are said to make."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.c_loops import chain_in_c, started, weights_in_c
from benchmarks.forms import committee
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.committee.weights import Weights, weights_kernel
from sgdsim.native.build import find_compiler
from tests.compiled import advance

pytestmark = pytest.mark.skipif(find_compiler() is None, reason="there is no C++ compiler")


def test_the_chain_in_c_is_the_chain():
    problem = committee(1000, 4)
    loop = chain_in_c(problem, 16)
    assert loop is not None
    m, S = loop(250)
    kernel = chain_lanes(problem, np.float32, 16)
    state, _ = started(kernel, problem)
    after = advance(kernel, state, jnp.asarray(250))
    assert np.abs(m - np.asarray(state.m).reshape(16, 16)).max() > 0.01
    np.testing.assert_allclose(m, np.asarray(after.m).reshape(16, 16), rtol=0, atol=1e-6)
    np.testing.assert_allclose(S, np.asarray(after.S)[np.tril_indices(4)], rtol=0, atol=1e-6)


def test_the_weights_in_c_are_the_weights():
    problem = committee(64, 4)
    loop = weights_in_c(problem, 2)
    assert loop is not None
    kernel = weights_kernel(problem, "float32", 2, Weights().block)
    state, _ = started(kernel, problem)
    after = advance(kernel, state, jnp.asarray(40))
    W = loop(40)
    assert np.abs(W - np.asarray(state.W)).max() > 0.1
    np.testing.assert_allclose(W, after.W, rtol=0, atol=1e-4)
