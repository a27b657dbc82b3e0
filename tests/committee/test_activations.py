"""Every activation's averages against quadratures that share no code with them, and what follows for the theory."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from sgdsim.committee import Custom, Erf, Linear, Quadratic, Relu
from sgdsim.committee.problem import Committee
from sgdsim.committee.risk import excess_risk
from sgdsim.committee.sections import ProblemSection
from sgdsim.committee.starts import ExplicitStart, OverlapStart
from sgdsim.committee.theory.ode import ExactODE, GradientFlow, LimitODE
from sgdsim.committee.theory.overlap_curve import errors_with_errors, errors_with_fields
from sgdsim.ensemble.theory import solve_theory
from sgdsim.errors import ArgumentError
from sgdsim.rules.overlaps import Overlaps


def bump(x):
    return jnp.sin(x) + 0.3 * jnp.exp(-x * x / 4)


SMOOTH_ERF = Custom(lambda x: jax.lax.erf(x / math.sqrt(2)), "smooth erf")
ALL = [Erf(), Linear(), Quadratic(), Relu(), Custom(jnp.tanh), Custom(bump)]
IDS = [activation.name for activation in ALL]


def slow(activation):
    """One whose program takes the compiler long."""
    return pytest.param(activation, marks=pytest.mark.slow)


def random_overlaps(k, p, seed):
    W = np.random.default_rng(seed).normal(size=(k + p, k + p + 2)) / 3
    return Overlaps.from_gram(W @ W.T, k)


def covariance_of(overlaps):
    return np.block([[overlaps.P, overlaps.M.T], [overlaps.M, overlaps.Q]])


def parts(overlaps):
    return jnp.asarray(overlaps.P), jnp.asarray(overlaps.M), jnp.asarray(overlaps.Q)


def averages(overlaps, activation, noise):
    P, M, Q = parts(overlaps)
    fields = jax.jit(errors_with_fields)(P, M, Q, activation)
    squares = jax.jit(errors_with_errors)(P, M, Q, noise, activation)
    return jax.jit(excess_risk)(P, M, Q, activation), fields, squares


def by_definition(overlaps, value, derivative, noise, nodes, weights):
    """Risk, E[E_i l_j] and E[E_i E_j] on a product grid of the independent variables of p = k = 2."""
    grid = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij")).reshape(4, -1)
    weight = np.prod(np.stack(np.meshgrid(*[weights] * 4, indexing="ij")), axis=0).ravel()
    fields = np.linalg.cholesky(covariance_of(overlaps)) @ grid
    outputs, slopes = value(fields), derivative(fields[2:])
    error = outputs[:2].mean(axis=0) - outputs[2:].mean(axis=0)
    back = slopes * error
    squares = (weight * back) @ back.T + noise * (weight * slopes) @ slopes.T
    return weight @ error**2 / 2, (weight * back) @ fields.T, squares


@pytest.mark.parametrize(
    ("activation", "value", "derivative"),
    [(Linear(), lambda x: x, np.ones_like), (Quadratic(), lambda x: x**2, lambda x: 2 * x)],
    ids=["linear", "quadratic"],
)
def test_polynomials_against_a_rule_that_is_exact_for_them(activation, value, derivative):
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    for seed in range(3):
        overlaps = random_overlaps(2, 2, seed)
        expected = by_definition(overlaps, value, derivative, 0.3, nodes, weights / weights.sum())
        for found, right in zip(averages(overlaps, activation, 0.3), expected, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("function", "value", "derivative"),
    [
        (jnp.tanh, np.tanh, lambda x: np.cosh(x) ** -2),
        pytest.param(
            bump,
            lambda x: np.sin(x) + 0.3 * np.exp(-x * x / 4),
            lambda x: np.cos(x) - 0.15 * x * np.exp(-x * x / 4),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["tanh", "bump"],
)
def test_any_function_against_the_trapezoidal_rule(function, value, derivative):
    nodes = np.linspace(-6.6, 6.6, 37)
    weights = np.exp(-(nodes**2) / 2) * (nodes[1] - nodes[0]) / math.sqrt(2 * math.pi)
    for seed in range(2):
        overlaps = random_overlaps(2, 2, seed)
        risk, fields, squares = averages(overlaps, Custom(function), 0.3)
        right = by_definition(overlaps, value, derivative, 0.3, nodes, weights)
        assert float(risk) == pytest.approx(right[0], abs=1e-8)
        np.testing.assert_allclose(fields, right[1], rtol=0, atol=1e-8)
        np.testing.assert_allclose(squares, right[2], rtol=0, atol=5e-5 * right[2].max())


@pytest.mark.parametrize(("k", "p"), [(1, 1), pytest.param(4, 4, marks=pytest.mark.slow)])
def test_the_general_route_finds_the_closed_forms_of_erf(k, p):
    overlaps = random_overlaps(k, p, 1)
    closed, general = (averages(overlaps, activation, 0.1) for activation in (Erf(), SMOOTH_ERF))
    assert float(general[0]) == pytest.approx(float(closed[0]), rel=1e-10)
    np.testing.assert_allclose(general[1], closed[1], rtol=0, atol=1e-10)
    np.testing.assert_allclose(general[2], closed[2], rtol=0, atol=1e-6)


def on_the_circle(function, power):
    """E[r^power function(angle)] of a normal vector in the plane: radius in closed form, angle by quadrature."""
    radial = 2 ** (power / 2) * math.gamma(1 + power / 2)
    corners = np.linspace(0, 2 * np.pi, 65)
    pieces = [quad(function, a, b, epsabs=1e-12, limit=200)[0] for a, b in itertools.pairwise(corners)]
    return radial * sum(pieces) / (2 * np.pi)


@pytest.mark.parametrize("seed", range(4))
def test_relu_of_two_and_three_fields_by_quadrature_over_the_angle(seed):
    """All fields under a kink are linear in two variables (u, v), and of the third only the mean given these counts."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(4, 5)) / 2
    C = loadings @ loadings.T
    i, j, a = 1, 3, 0
    plane = np.linalg.cholesky(C[np.ix_([i, a], [i, a])])
    third = np.linalg.solve(plane, C[[i, a], j])

    def field(which, angle):
        return plane[which] @ np.array([np.cos(angle), np.sin(angle)])

    def step(which, angle):
        return float(field(which, angle) > 0)

    def ramp(which, angle):
        return max(field(which, angle), 0.0)

    def mean_third(angle):
        return third @ np.array([np.cos(angle), np.sin(angle)])

    relu, covariance = Relu(), jnp.asarray(C)
    both = on_the_circle(lambda angle: step(0, angle) * step(1, angle), 0)
    outputs = on_the_circle(lambda angle: ramp(0, angle) * ramp(1, angle), 2)
    three = on_the_circle(lambda angle: step(0, angle) * mean_third(angle) * ramp(1, angle), 2)
    assert float(relu.J2(covariance, i, a)) == pytest.approx(both, abs=1e-9)
    assert float(relu.I2(covariance[i, a], covariance[i, i], covariance[a, a])) == pytest.approx(outputs, abs=1e-9)
    assert float(relu.I3(covariance, i)[j, a]) == pytest.approx(three, abs=1e-9)


def test_relu_of_equal_opposite_and_absent_fields():
    C = jnp.asarray(np.outer([1.0, 1.0, -1.0, 0.0], [1.0, 1.0, -1.0, 0.0]) * 0.7)
    relu = Relu()
    np.testing.assert_allclose(relu.I3(C, 0)[0], [0.35, 0.35, 0.0, 0.0], rtol=0, atol=1e-15)
    outputs = relu.I2(C[0], C[0, 0], jnp.diagonal(C))
    np.testing.assert_allclose(outputs, [0.35, 0.35, 0.0, 0.0], rtol=0, atol=1e-15)
    np.testing.assert_allclose([relu.J2(C, 0, j) for j in range(3)], [0.5, 0.5, 0.0], rtol=0, atol=1e-15)


def test_relu_of_four_fields_by_hand():
    """p = k = 1, independent fields of variance 1: E[H(l) (sigma(l*) - sigma(l))^2] = 3/4 - 1/pi."""
    found = Relu().I4_sums(jnp.eye(2), jnp.array([1.0, -1.0]), 1)
    assert float(found[0, 0]) == pytest.approx(0.75 - 1 / np.pi, rel=1e-8)


@pytest.mark.parametrize("activation", [*ALL[:4], slow(Custom(bump))], ids=[*IDS[:4], "bump"])
def test_drift_is_the_gradient_flow_of_the_risk(activation):
    """dw_i/dt = -A p d(risk)/dw_i: averages of three fields follow from those of two."""
    k, p = 2, 3
    W = jnp.asarray(np.random.default_rng(6).normal(size=(k + p, 7)) / 3)

    def risk(student):
        return excess_risk(W[:k] @ W[:k].T, student @ W[:k].T, student @ student.T, activation)

    step = -p * jax.jit(jax.grad(risk))(W[k:])
    overlaps = Overlaps.from_gram(W @ W.T, k)
    drift = jax.jit(errors_with_fields)(overlaps.P, overlaps.M, overlaps.Q, activation)
    np.testing.assert_allclose(drift, step @ W.T, rtol=0, atol=1e-7)


@pytest.mark.parametrize("activation", [*ALL[:3], *map(slow, ALL[3:5])], ids=IDS[:5])
def test_a_perfect_student_rests_and_everything_has_a_slope(activation):
    """Also where fields are equal (a duplicated unit) or zero (a silent one)."""
    P = random_overlaps(2, 1, 4).P
    risk, drift, squares = averages(Overlaps(P=P, M=P, Q=P), activation, 0.0)
    for part in (risk, drift, squares):
        np.testing.assert_allclose(part, 0.0, rtol=0, atol=1e-14)
    pick = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    P, M, Q = jnp.asarray(P), jnp.asarray(pick @ P), jnp.asarray(pick @ P @ pick.T)
    slopes = jax.jit(
        jax.jacfwd(
            lambda M, Q: (errors_with_fields(P, M, Q, activation), errors_with_errors(P, M, Q, 0.1, activation)), (0, 1)
        )
    )(M, Q)
    assert all(np.isfinite(slope).all() for slope in jax.tree.leaves(slopes))
    slopes = jax.jit(jax.grad(excess_risk, (1, 2)))(P, M, Q, activation)
    assert all(np.isfinite(slope).all() for slope in slopes)


@pytest.mark.parametrize("activation", ALL, ids=IDS)
def test_the_derivative_is_that_of_the_value(activation):
    at, h = jnp.asarray([-1.3, -0.2, 0.4, 2.0]), 1e-6
    difference = (activation.value(at + h) - activation.value(at - h)) / (2 * h)
    np.testing.assert_allclose(activation.derivative(at), difference, rtol=1e-8, atol=1e-9)
    for dtype in (jnp.float32, jnp.float64):
        assert activation.value(at.astype(dtype)).dtype == activation.derivative(at.astype(dtype)).dtype == dtype


def test_a_linear_unit_decays_exponentially():
    """p = k = 1: w - w* falls like exp(-A t) along the gradient flow."""
    problem = Committee(d=100, p=1, k=1, gamma=0.5, activation=Linear())
    start, times = ExplicitStart([[1.0]], [[0.3]], [[1.5]]), np.array([0.5, 2.0, 8.0])
    risk = solve_theory(problem, start, times, GradientFlow(1e-11, 1e-13))["excess_risk"]
    np.testing.assert_allclose(risk, 0.5 * (1.0 - 0.6 + 1.5) * np.exp(-2 * 0.5 * times), rtol=1e-7)


def test_a_linear_student_in_full():
    """exact, p = k = 1: d|w - w*|^2/dt = (B - 2A) |w - w*|^2 + B noise."""
    problem = Committee(d=100, p=1, k=1, gamma=0.5, noise=0.4, activation=Linear())
    start, times = ExplicitStart([[1.0]], [[0.3]], [[1.5]]), np.array([0.5, 2.0, 8.0])
    risk = solve_theory(problem, start, times, ExactODE(1e-11, 1e-13))["excess_risk"]
    rate, rest = 2 * 0.5 - 0.25, 0.25 * 0.4 / (2 * 0.5 - 0.25)
    np.testing.assert_allclose(risk, 0.5 * (rest + (1.9 - rest) * np.exp(-rate * times)), rtol=1e-7)


@pytest.mark.slow
def test_every_theory_of_a_callable_is_that_of_its_closed_form():
    start, times = OverlapStart(0.5, seed=1), np.array([0.5, 2.0])
    for theory in (ODE(rtol=1e-6, atol=1e-8) for ODE in (ExactODE, LimitODE, GradientFlow)):
        closed, general = (
            solve_theory(Committee(d=100, p=2, k=2, gamma=2.0, noise=0.1, activation=sigma), start, times, theory)
            for sigma in (Erf(), SMOOTH_ERF)
        )
        np.testing.assert_allclose(general["Q"], closed["Q"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["erf", "relu", "linear", "quadratic"])
def test_names_in_experiment_files(name):
    assert ProblemSection(d=100, k=1, p=1, gamma=1.0, activation=name).build().activation.name == name


@pytest.mark.parametrize("function", [jnp.sum, lambda x: x > 0, lambda x: x.astype(jnp.float16), lambda x: (x, x)])
def test_what_is_no_elementwise_function_is_refused(function):
    with pytest.raises(ArgumentError, match=r"`function` must map float32 \(3, 2\) to float32"):
        Custom(function)
