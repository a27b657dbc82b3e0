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
    np.testing.assert_allclose(after.tangents[0], difference, rtol=0, atol=1e-8)
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


@pytest.mark.parametrize("constant", [False, True])
def test_responses_to_a_waiting_time_are_finite_differences(constant):
    """A push at step 3 alone, R(t,t_w), or a force from step 3 on, chi(t,t_w): of paired runs, in float64."""
    problem = Recovery(alpha=2.5, eta=0.1, b=0.4, N=12, waiting=(0.2, 0.3))
    kernel, state = started(problem, response=True)
    h, ends = 1e-5, []
    for side in (1, -1):
        moved = state
        for step in range(7):
            moved = advance(kernel, moved, 1)
            if step == 3 or (constant and step > 3):
                moved = eqx.tree_at(lambda s: s.x, moved, moved.x + side * h * state.probe)
        ends.append(moved.x)
    response = (state.probe * (ends[0] - ends[1])).sum(0) / (2 * h * (state.probe**2).sum(0))
    seen = observe(kernel, advance(kernel, state, 7))
    name, unit = ("chi_waiting", problem.eta) if constant else ("R_waiting", 1.0)
    np.testing.assert_allclose(seen[name][1], unit * response, rtol=0, atol=1e-8)
    assert (abs(seen[name][0] - seen[name][1]) > 1e-4).all()


def test_a_waiting_time_has_no_response_before_it():
    kernel, state = started(Recovery(alpha=2.5, eta=0.1, b=0.4, N=12, waiting=(0.2, 0.3)), response=True)
    seen = observe(kernel, advance(kernel, state, 3))
    np.testing.assert_array_equal(seen["R_waiting"][1], 0.0)
    np.testing.assert_array_equal(seen["chi_waiting"][1], 0.0)
    np.testing.assert_allclose(seen["R_waiting"][0], 1.0, rtol=1e-14)
    np.testing.assert_allclose(seen["chi_waiting"][0], 0.1, rtol=1e-14)
