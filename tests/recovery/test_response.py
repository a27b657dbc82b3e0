"""The measured response: the derivative of the path with respect to a push at the first step."""

import equinox as eqx
import numpy as np
import pytest

from sgdsim.recovery.problem import Recovery
from tests.recovery.by_hand import advance, observe, started


@pytest.mark.parametrize(
    ("degree", "b"), [*(pytest.param(degree, 1.0, marks=pytest.mark.slow) for degree in (1, 2)), (1, 0.4), (2, 0.4)]
)
def test_the_tangent_is_a_finite_difference(degree, b):
    """x(1) + h v and x(1) - h v, with the same data and selections, in float64."""
    kernel, state = started(Recovery(alpha=2.5, eta=0.1, b=b, N=16, degree=degree), response=True)
    first, h = advance(kernel, state, 1), 1e-5
    pushed = [
        advance(kernel, eqx.tree_at(lambda s: s.x, first, first.x + side * h * state.probe), 6).x for side in (1, -1)
    ]
    after = advance(kernel, state, 7)
    difference = (pushed[0] - pushed[1]) / (2 * h)
    np.testing.assert_allclose(after.tangent, difference, rtol=0, atol=1e-8)
    response = (state.probe * difference).sum(0) / (state.probe**2).sum(0)
    np.testing.assert_allclose(observe(kernel, after)["R_start"], response, rtol=0, atol=1e-9)
    assert abs(response).min() > 0.01


def test_no_response_before_the_push_and_all_of_it_after():
    kernel, state = started(Recovery(alpha=2.5, eta=0.1, b=0.4, N=16), response=True)
    np.testing.assert_array_equal(observe(kernel, state)["R_start"], 0.0)
    np.testing.assert_allclose(observe(kernel, advance(kernel, state, 1))["R_start"], 1.0, rtol=1e-14)


def test_the_push_is_orthogonal_to_signal_and_start():
    _, state = started(Recovery(alpha=2.5, eta=0.1, N=16, m0=0.6), response=True)
    for other in (state.signal, state.start):
        np.testing.assert_allclose((state.probe * other).sum(0), 0.0, atol=1e-12)
    np.testing.assert_allclose((state.probe**2).sum(0), 16.0, rtol=1e-13)


def test_measuring_the_response_does_not_change_the_path():
    problem = Recovery(alpha=2.5, eta=0.1, b=0.4, N=16)
    ends = [advance(*started(problem, response=response), 8).x for response in (True, False)]
    np.testing.assert_allclose(ends[0], ends[1], rtol=0, atol=1e-12)
