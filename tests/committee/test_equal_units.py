"""The ODE of equal units against that of all units one by one."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee.averages.activations import Erf, Linear, Quadratic, Relu
from sgdsim.committee.equal_start import EqualStart
from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import ExplicitStart
from sgdsim.committee.theory import equal_units as module
from sgdsim.committee.theory.equal_units import equal_units, pair_velocity
from sgdsim.committee.theory.ode import ExactODE, GradientFlow, LimitODE
from sgdsim.contracts import Curve
from sgdsim.ensemble.theory import solve_theory
from sgdsim.errors import ArgumentError
from sgdsim.rules.overlaps import Overlaps


def state_of(overlaps):
    units = equal_units(overlaps)
    assert units is not None
    return units.state


TIMES = np.array([0.0, 0.25, 1.0, 3.0])


def one(start, problem):
    start.check(problem)
    return jax.tree.map(lambda part: jnp.asarray(part[0]), start.draw(problem, np.random.default_rng(), 1))


def problem(p=8, k=2, **options):
    return Committee(**{"d": 400, "p": p, "k": k, "gamma": 0.7 * p, "noise": 0.1} | options)


# Different overlaps with the teachers, and units that repel each other or share more than the teacher.
CASES = [
    (Erf(), 4, 3, (0.3, -0.2, 0.5), 0.45),
    pytest.param(Erf(), 8, 2, (0.5, -0.3), 0.3, marks=pytest.mark.slow),
    pytest.param(Erf(), 16, 1, 0.5, 0.25, marks=pytest.mark.slow),
    (Linear(), 4, 3, (0.3, -0.2, 0.5), 0.45),
    (Quadratic(), 8, 2, (0.5, -0.3), 0.3),
]


@pytest.mark.parametrize(("activation", "p", "k", "M0", "off_diagonal"), CASES)
def test_the_velocity_is_that_of_all_units(activation, p, k, M0, off_diagonal):
    curve = ExactODE().bind(problem(p, k, activation=activation))
    initial = one(EqualStart(M0, 0.9, off_diagonal), problem(p, k))
    P = jnp.array([[1.0, 0.2, 0.1], [0.2, 1.1, -0.3], [0.1, -0.3, 0.9]])[:k, :k]
    dM, dQ = eqx.filter_jit(curve.velocity)(P, initial.M, initial.Q)
    state = state_of(Overlaps(P=P, M=initial.M, Q=initial.Q))
    reduced = eqx.filter_jit(curve.of_equal_units().velocity)(P, state)
    np.testing.assert_allclose(reduced[:k], dM[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(reduced[k:], dQ[0, :2], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dM, np.tile(dM[0], (p, 1)), rtol=0, atol=1e-13)
    risk = eqx.filter_jit(curve.risk)(P, initial.M, initial.Q)
    np.testing.assert_allclose(eqx.filter_jit(curve.of_equal_units().risk)(P, state), risk, rtol=1e-13)


def test_the_velocity_of_relu_is_that_of_all_units():
    """To the error of the one integral in its averages of four fields."""
    curve = ExactODE().bind(problem(5, 1, activation=Relu()))
    initial = one(EqualStart(0.5, 1.0, 0.3), problem(5, 1))
    dM, dQ = eqx.filter_jit(curve.velocity)(initial.P, initial.M, initial.Q)
    reduced = eqx.filter_jit(curve.of_equal_units().velocity)(initial.P, state_of(initial))
    np.testing.assert_allclose(reduced[:1], dM[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(reduced[1:], dQ[0, :2], rtol=0, atol=1e-6 * np.abs(dQ).max())


@pytest.mark.parametrize("theory", [ExactODE(), LimitODE(), GradientFlow()])
def test_the_solution_is_that_of_all_units(theory):
    curve, initial = theory.bind(problem()), one(EqualStart((0.5, -0.3), 1.0, 0.4), problem())
    reduced, each = curve.solve(initial, TIMES), Curve.solve(curve, initial, TIMES)
    assert set(reduced) == set(each)
    for name, value in each.items():
        assert reduced[name].shape == value.shape
        np.testing.assert_allclose(reduced[name], value, rtol=0, atol=1e-9)


def test_one_compilation_serves_every_width_in_no_time(monkeypatch):
    traces = []

    def counted(*args):
        traces.append(1)
        return pair_velocity(*args)

    monkeypatch.setattr(module, "pair_velocity", counted)
    start = EqualStart((0.3, 0.4, 0.0), 1.0, 0.25)  # k = 3 is of this test alone
    solve_theory(problem(4, 3), start, TIMES, ExactODE())
    first, before = len(traces), time.process_time()
    for p in (7, 64, 256):
        solved = solve_theory(problem(p, 3), start, TIMES, ExactODE())
        assert solved["Q"].shape == (4, p, p)
    assert len(traces) == first > 0
    assert time.process_time() - before < 2


def test_units_that_differ_in_the_last_bit_are_not_taken_as_equal():
    initial = one(EqualStart(0.5, 1.0, 0.5), problem())
    assert equal_units(initial) is not None
    for name, place in (("M", (3, 1)), ("Q", (2, 2)), ("Q", (5, 1))):
        changed = {part: np.array(getattr(initial, part)) for part in ("P", "M", "Q")}
        changed[name][place] = np.nextafter(changed[name][place], 2.0)
        assert equal_units(Overlaps(**changed)) is None
    assert equal_units(one(EqualStart(0.5, 1.0, 0.5), problem(3))) is None


def test_equal_units_are_found_in_any_start():
    """An oblique teacher, which only explicit overlaps can have; p = 3, where each is solved."""
    for p in (3, 8):
        start = ExplicitStart([[1.0, 0.3], [0.3, 2.0]], np.tile([0.5, 0.2], (p, 1)), 0.3 + 0.7 * np.eye(p))
        solved = solve_theory(problem(p), start, TIMES, ExactODE())
        np.testing.assert_allclose(solved["M"], np.tile(solved["M"][:, :1], (1, p, 1)), rtol=0, atol=1e-9)
        assert solved["Q"].shape == (4, p, p)


def test_a_solution_that_grows_without_bound_ends_in_an_error():
    """Quadratic at a large learning rate."""
    wild = problem(8, 2, activation=Quadratic(), gamma=16.0)
    with pytest.raises(ArgumentError, match="`gamma` must be smaller to reach t = 50"):
        solve_theory(wild, EqualStart(0.5, 1.0, 0.5), np.array([0.1, 50.0]), ExactODE())


def test_wider_students_tend_to_a_limit():
    """At fixed gamma/p the averages over others depend on 1/p alone: the distance of p and 2p halves."""
    risks = [
        solve_theory(problem(p, 2, gamma=p / 2, d=4000), EqualStart(0.5, 1.0, 0.5), TIMES, ExactODE())["excess_risk"][
            -1
        ]
        for p in (500, 1000, 2000)
    ]
    assert (risks[0] - risks[1]) / (risks[1] - risks[2]) == pytest.approx(2, rel=0.02)
    assert jnp.isfinite(risks[0])
