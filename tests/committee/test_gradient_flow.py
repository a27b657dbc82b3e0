"""Gradient flow: what it must share with the other theories, and what it alone has."""

import time

import jax
import numpy as np
import pytest
from scipy.integrate import quad

from sgdsim.committee.averages.activations import Erf
from sgdsim.committee.problem import Committee
from sgdsim.committee.sections import TheorySection
from sgdsim.committee.starts import ExplicitStart, OverlapStart, SphereStart
from sgdsim.committee.system import SYSTEM
from sgdsim.committee.theory.ode import ExactODE, GradientFlow, LimitODE
from sgdsim.committee.theory.overlap_curve import velocity
from sgdsim.ensemble.theory import solve_theory

TIMES = np.concatenate([np.linspace(0.1, 5, 50), np.geomspace(5.5, 500, 40)])


@pytest.mark.parametrize(("k", "p", "seed"), [(2, 3, 1), (2, 3, 2), (3, 1, 3)])
def test_the_risk_never_increases_and_label_noise_has_no_influence(k, p, seed):
    start = SphereStart(seed=seed)
    clean, noisy = (
        solve_theory(Committee(d=1000, p=p, k=k, gamma=4.0, noise=noise), start, TIMES, GradientFlow())
        for noise in (0.0, 1.0)
    )
    risk = clean["excess_risk"]
    assert (np.diff(risk) < 1e-9).all()  # the solver's error at rest
    assert risk[-1] < 0.7 * risk[0]
    for name, value in clean.items():
        np.testing.assert_array_equal(value, noisy[name])


def test_with_the_noise_term_the_risk_can_increase():
    """The property above is one of the theory, not of the start."""
    problem, perfect = Committee(d=1000, p=2, k=2, gamma=2.0, noise=1.0), ExplicitStart(*[np.eye(2)] * 3)
    risk = solve_theory(problem, perfect, TIMES[:5], ExactODE())["excess_risk"]
    assert (np.diff(risk) > 1e-3).all()


@pytest.mark.parametrize(("kappa", "delta"), [(0.0, 0.5), (0.5, 0.25)])
def test_in_green_it_is_the_limit(kappa, delta):
    problem = Committee.from_scaling(d=256, k=2, p0=0.1875 if kappa else 3.0, kappa=kappa, delta=delta, noise=0.1)
    assert GradientFlow().coefficients(problem) == pytest.approx(LimitODE().coefficients(problem), rel=1e-13)
    flow, limit = (solve_theory(problem, OverlapStart(), TIMES, theory) for theory in (GradientFlow(), LimitODE()))
    np.testing.assert_allclose(flow["Q"], limit["Q"], rtol=0, atol=1e-8)


def test_bias_and_spread_have_known_powers_where_gamma_alone_falls():
    def problems(**axes):
        rows = [dict(zip(axes, row, strict=True)) for row in zip(*axes.values(), strict=True)]
        return [Committee.from_scaling(**({"d": 100, "k": 2, "p0": 3.0, "noise": 0.1} | row)) for row in rows]

    slopes = SYSTEM.expectations["power"]
    alike = problems(delta=[0.5, 1.0])
    for against in ("gamma", "dt"):
        assert slopes.slope("excess_risk_bias", against, alike) == 1
        assert slopes.slope("excess_risk_std", against, alike) == 0.5
    assert "above what noise leaves" in slopes.assumes("excess_risk_std", "gamma", alike)
    for others in (problems(delta=[0.0, 0.5]), problems(delta=[0.5, 0.5], d=[50, 100])):
        assert slopes.slope("excess_risk_bias", "gamma", others) is None
    assert slopes.slope("excess_risk_bias", "d", alike) is None


def test_exact_tends_to_it_linearly_in_gamma():
    """At the same gamma nu, that is at times in 1/gamma."""

    def deviation(gamma):
        problem, times = Committee(d=1000, p=3, k=2, gamma=gamma, noise=0.1), np.array([0.5, 1.0, 4.0]) / gamma
        exact, flow = (solve_theory(problem, OverlapStart(), times, theory) for theory in (ExactODE(), GradientFlow()))
        return max(np.abs(exact[name] - flow[name]).max() for name in ("M", "Q"))

    far, near = deviation(1e-2), deviation(1e-3)
    assert far > 1e-4
    assert far / near == pytest.approx(10, rel=0.02)


def test_one_unit_along_the_teacher():
    """p = k = 1 and w = m w*: dm/dt = A f(m), so that A t is the integral of dm/f(m)."""

    def inverse_speed(m):
        force = 1 / np.sqrt(2 + m * m) - m / np.sqrt(1 + 2 * m * m)
        return np.pi / 2 * (1 + m * m) / force

    problem, start = Committee(d=100, p=1, k=1, gamma=0.5), ExplicitStart([[1.0]], [[0.2]], [[0.04]])
    times = np.array([1.0, 4.0, 10.0])
    solved = solve_theory(problem, start, times, GradientFlow())
    for at, m in zip(times, solved["M"][:, 0, 0], strict=True):
        assert quad(inverse_speed, 0.2, m, epsabs=1e-13)[0] == pytest.approx(0.5 * at, rel=1e-8)
    # At the ends of steps this holds to 1e-12; between them values are interpolated, here with errors up to 6e-9.
    np.testing.assert_allclose(solved["Q"][:, 0, 0], solved["M"][:, 0, 0] ** 2, rtol=1e-8)
    assert solved["Q"][-1, 0, 0] == pytest.approx(solved["M"][-1, 0, 0] ** 2, rel=1e-11)


def test_the_table_theory_names_it():
    assert TheorySection(kind="gradient_flow").build() == GradientFlow()


def test_what_it_does_not_need_is_not_computed():
    """p = 40: E[E_i E_j] is some 1.6 million arcsines, which a right-hand side without noise term skips."""
    compiled = jax.jit(velocity)
    initial = OverlapStart().draw(Committee(d=100, p=40, k=2, gamma=1.0), np.random.default_rng(0), 1)

    def seconds(B):
        arguments = (initial.P[0], initial.M[0], initial.Q[0], 1.0, B, 0.1, Erf())
        jax.block_until_ready(compiled(*arguments))
        begin = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        return time.perf_counter() - begin

    assert 4 * min(seconds(0.0) for _ in range(3)) < min(seconds(1.0) for _ in range(3))


@pytest.mark.slow
def test_wide_students_are_solved():
    """p = 150: with E[E_i E_j] this would take an hour."""
    problem = Committee.from_scaling(d=1000, k=2, p0=150, delta=0.5)
    solved = solve_theory(problem, OverlapStart(), np.array([0.1, 0.2]), LimitODE())
    assert solved["excess_risk"][1] < solved["excess_risk"][0]
