"""Schedules: those with a name, any function of t, and those of optax."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sgdsim.rules.schedule import Constant, Cosine, FunctionSchedule, Piecewise, PowerSchedule, WarmUp, as_schedule


def test_schedules():
    t = np.array([0.0, 1.0, 2.0, 3.0, 8.0])
    np.testing.assert_allclose(PowerSchedule(2.0, 1.5).value(t), (1 + t / 2) ** -1.5)
    np.testing.assert_allclose(Cosine(4.0, 0.2).value(t), 0.2 + 0.4 * (1 + np.cos(np.pi * np.minimum(t, 4) / 4)))
    np.testing.assert_array_equal(Piecewise([1.0, 3.0], [1.0, 0.5, 0.25]).value(t), [1, 0.5, 0.5, 0.25, 0.25])
    np.testing.assert_allclose(WarmUp(2.0, PowerSchedule(1.0, 1.0)).value(t), np.minimum(t / 2, 1) / (1 + t))
    np.testing.assert_array_equal(Constant().value(t), 1)


def test_a_function_of_time_is_a_schedule():
    """With jnp.where and jnp.minimum, of one time or many."""
    t = np.array([0.0, 1.0, 2.0, 3.0, 8.0])

    def given(count):
        return jnp.where(count < 2, 0.5 * count, 1.0 - 0.1 * jnp.minimum(count - 2, 6))

    made = as_schedule(given)
    assert isinstance(made, FunctionSchedule)
    assert made.name == "given"
    np.testing.assert_allclose(made.value(t), [0, 0.5, 1, 0.9, 0.4])
    assert FunctionSchedule(given, label="tent").name == "tent"


def test_a_function_of_one_number_is_asked_for_every_time():
    """A sum over times would be another factor for each number of lanes."""
    t = np.array([[0.0, 1.0], [2.0, 5.0]])
    np.testing.assert_array_equal(FunctionSchedule(lambda t: 0.5).value(t), np.full((2, 2), 0.5))
    np.testing.assert_array_equal(FunctionSchedule(lambda t: jnp.sum(t) / 4).value(t), t / 4)
    table = jnp.array([4.0, 7.0])
    np.testing.assert_array_equal(FunctionSchedule(lambda t: jnp.sum(t > table)).value(t), [[0, 0], [0, 1]])


OPTAX = {
    "constant": optax.constant_schedule(0.5),
    "linear": optax.linear_schedule(1.0, 0.1, 3),
    "cosine": optax.cosine_decay_schedule(1.0, 4),
    "stairs": optax.exponential_decay(1.0, 2, 0.5, staircase=True),
    "warm-up": optax.warmup_cosine_decay_schedule(0.0, 1.0, 1, 4),
    "piecewise": optax.piecewise_constant_schedule(1.0, {1: 0.5, 2: 0.3}),
    "interpolated": optax.piecewise_interpolate_schedule("linear", 1.0, {1: 0.5, 2: 0.3}),
    "joined": optax.join_schedules([optax.constant_schedule(1.0), optax.exponential_decay(1.0, 1, 0.5)], [1]),
}


@pytest.mark.parametrize("name", OPTAX)
def test_a_schedule_of_optax(name):
    """Its count is t, which need not be whole."""
    t = np.linspace(0, 5, 12).reshape(6, 2)
    for dtype in (np.float32, np.float64):
        found = as_schedule(OPTAX[name]).value(jnp.asarray(t, dtype))
        assert found.dtype == dtype
        one_by_one = [[float(OPTAX[name](dtype(time))) for time in row] for row in t]
        np.testing.assert_allclose(found, one_by_one, rtol=1e-6, atol=1e-7)
