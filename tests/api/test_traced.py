"""solve within JAX's transformations: its slopes are those of finite differences, and jit and vmap change no number."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sgdsim
from sgdsim.committee import Committee, EqualStart, ExactODE, ExplicitStart, OverlapStart
from sgdsim.errors import ArgumentError
from sgdsim.rules.schedule import Piecewise, PowerSchedule
from sgdsim.tracing import any_traced
from tests.extending.guests import example as of_docs

TIMES = np.array([0.5, 2.0])
M0 = np.array([[0.3, 0.1], [0.2, 0.4]])
PLAIN = {"gamma": 1.5, "noise": 0.1, "M0": M0}
"""What the plain network is a function of."""
TIMED = {"gamma": 1.5, "power": 0.5, "factors": np.array([0.8, 0.4]), "slope": 0.3}
"""What one with schedules is a function of; each of them is used in turn."""


def risk(problem, start):
    return sgdsim.solve(problem, start, TIMES)["excess_risk"].data[-1]


def plain(at):
    problem = Committee(d=100, p=2, k=2, gamma=at["gamma"], noise=at["noise"])
    return risk(problem, ExplicitStart(np.eye(2), at["M0"], np.eye(2)))


def timed(at, kind):
    schedules = {
        "power": lambda: PowerSchedule(1.0, at["power"]),
        "factors": lambda: Piecewise([1.0], list(at["factors"])),
        "slope": lambda: lambda t: jnp.exp(-at["slope"] * t),
    }
    problem = Committee(d=100, p=2, k=2, gamma=at["gamma"], noise=0.1, schedule=schedules[kind]())
    return risk(problem, OverlapStart(0.3))


def leaves(at):
    return [(name, index) for name, value in at.items() for index in np.ndindex(np.shape(value))]


def moved(at, name, index, by):
    """The same arguments, one number of them moved."""
    value = np.array(at[name], float)
    value[index] += by
    return at | {name: value if value.ndim else float(value)}


def slope(function, at, name, index, step=1e-3):
    """By central differences of order 4, of solutions that nothing traces."""
    left2, left, right, right2 = (float(function(moved(at, name, index, by * step))) for by in (-2, -1, 1, 2))
    return (left2 - 8 * left + 8 * right - right2) / (12 * step)


def check_slopes(function, at):
    value, slopes = jax.jit(jax.value_and_grad(function))(at)
    assert float(value) == pytest.approx(float(function(at)), rel=1e-8)
    for name, index in leaves(at):
        expected = slope(function, at, name, index)
        assert float(slopes[name][index]) == pytest.approx(expected, rel=2e-6, abs=1e-9), (name, index)
    return slopes


def test_what_is_traced_is_solved_as_traced():
    """Shapes alone: nothing is compiled."""
    for function, at in ((plain, PLAIN), (lambda at: timed(at, "slope"), TIMED)):
        found = jax.eval_shape(function, at)
        assert (found.shape, found.dtype) == ((), np.float64)


def test_the_dataset_holds_traced_arrays():
    def shapes(overlap):
        found = sgdsim.solve(Committee(d=100, p=2, k=1, gamma=1.0), OverlapStart(overlap), TIMES)
        assert found["M"].dims == ("time", "student", "teacher")
        assert found.attrs["system"] == "committee"
        assert "gamma" not in found.attrs
        return {name: values.data for name, values in found.data_vars.items()}

    found = jax.eval_shape(shapes, 0.3)
    assert {name: value.shape for name, value in found.items()} == {"M": (2, 2, 1), "Q": (2, 2, 2), "excess_risk": (2,)}


def test_what_cannot_be_traced_is_told():
    problem = Committee(d=100, p=2, k=1, gamma=1.0)
    with pytest.raises(ArgumentError, match=r"`start` must have numbers where .* Take an ExplicitStart"):
        jax.eval_shape(lambda m: risk(problem, EqualStart(m, 1.0, 0.3)), 0.1)
    with pytest.raises(ArgumentError, match="`fluctuations` must be false"):
        jax.eval_shape(
            lambda gamma: (
                sgdsim.solve(
                    Committee(d=100, p=2, k=1, gamma=gamma),
                    OverlapStart(0.3),
                    TIMES,
                    theory=ExactODE(fluctuations=True),
                )["M"].data
            ),
            1.0,
        )


def test_traced_values_are_found():
    def function(x):
        hidden = [lambda t: x * t, {"a": (1, [x])}, OverlapStart(x), Committee(d=9, p=1, k=1, gamma=x)]
        assert all(map(any_traced, hidden))
        assert any_traced(Committee(d=9, p=1, k=1, gamma=1.0, schedule=hidden[0]))

        def itself():
            return itself, x

        assert any_traced(itself)
        return x

    jax.eval_shape(function, 0.5)

    def itself():
        return itself

    assert not any_traced(itself, 0.5, OverlapStart(0.5), Committee(d=9, p=1, k=1, gamma=1.0, schedule=lambda t: 1 / t))


@pytest.mark.slow
def test_slopes_of_the_plain_network():
    slopes = check_slopes(plain, PLAIN)
    assert abs(slopes["M0"] - slopes["M0"].T).max() > 1e-3  # no symmetry could hide a transpose


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["power", "factors", "slope"])
def test_slopes_of_schedules(kind):
    slopes = check_slopes(lambda at: timed(at, kind), {name: TIMED[name] for name in ("gamma", kind)})
    assert np.all(np.abs(slopes[kind]) > 1e-4)


@pytest.mark.slow
def test_vmap_is_one_by_one():
    gammas = [1.0, 1.5, 2.0]
    together = jax.jit(jax.vmap(lambda gamma: plain(PLAIN | {"gamma": gamma})))(jnp.array(gammas))
    np.testing.assert_allclose(together, [plain(PLAIN | {"gamma": gamma}) for gamma in gammas], rtol=1e-8)


@pytest.mark.slow
def test_the_optimal_schedule(monkeypatch):
    example = of_docs(monkeypatch, "optimal_schedule")
    constant = example.best_constant()
    path, found = example.descend(jnp.full(example.INTERVALS, constant), steps=10)
    assert all(after < before for before, after in pairwise(path))
    assert path[-1] < 0.98 * path[0]
    mean, error, theory = example.simulated(found, replicas=64)
    assert theory == pytest.approx(path[-1], rel=0.02)
    assert abs(mean - theory) < 5 * error
