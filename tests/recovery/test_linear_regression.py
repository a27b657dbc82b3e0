"""The closed form of linear regression: moments of Marchenko and Pastur, and what follows from them."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from sgdsim.ensemble.theory import solve_theory
from sgdsim.errors import ArgumentError
from sgdsim.recovery import ExactStart, LinearRegression, Recovery, SignalOverlaps
from sgdsim.recovery.linear_regression import moments


def solved(times, **parameters):
    problem = Recovery(**{"alpha": 2.0, "eta": 0.1, "m0": 0.3, "C00": 1.2, "degree": 1} | parameters)
    return solve_theory(problem, ExactStart(), np.asarray(times, float), LinearRegression())


@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.0])
def test_low_moments(alpha):
    """E l = alpha, E l^2 = alpha + alpha^2, E l^3 = alpha + 3 alpha^2 + alpha^3, E l^4 = ... (Narayana numbers)."""
    first, second = alpha, alpha + alpha**2
    third, fourth = alpha + 3 * alpha**2 + alpha**3, alpha + 6 * alpha**2 + 6 * alpha**3 + alpha**4
    eta = 0.2
    nu = moments(alpha, eta, 4)
    expected = {
        "nu0": [1, 1 - eta * first, 1 - 2 * eta * first + eta**2 * second],
        "nu1": [first, first - eta * second, first - 2 * eta * second + eta**2 * third],
        "nu2": [second, second - eta * third, second - 2 * eta * third + eta**2 * fourth],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(nu, name)[:3], values, rtol=1e-13)


@pytest.mark.parametrize("alpha", [0.5, 0.97, 1.0, 1.03, 3.0])
def test_moments_by_adaptive_quadrature(alpha):
    """Also where the spectrum touches 0, with the mass at 0 that alpha < 1 leaves."""
    eta, count = 0.15, 61
    nu, mass = moments(alpha, eta, count), max(1 - alpha, 0.0)

    def integral(j, k):
        """l = (1 + alpha) + 2 sqrt(alpha) cos(theta) takes the roots at the edges away."""

        def value(theta):
            edge = 1 + alpha + 2 * alpha**0.5 * np.cos(theta)
            return 2 * alpha * np.sin(theta) ** 2 / np.pi * edge ** (j - 1) * (1 - eta * edge) ** k

        return quad(value, 0, np.pi, epsabs=1e-13, epsrel=1e-13, limit=400)[0]

    for k in (0, 1, 7, 60):
        found = [nu.nu0[k], nu.nu1[k], nu.nu2[k]]
        expected = [integral(j, k) + (mass if j == 0 else 0.0) for j in range(3)]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("b", [1.0, 0.3])
def test_the_first_step_by_hand(b):
    """x(1) - x* = (1 - eta A)(x(0) - x*) + noise of covariance eta^2 (1/b - 1) e2(0) E l, e2(0) = Delta0."""
    alpha, eta, m0, C00 = 2.0, 0.1, 0.3, 1.2
    Delta0, V = 1 - 2 * m0 + C00, eta**2 * (1 / b - 1)
    seen = solved([0.0, eta], b=b)
    first, second, third = alpha, alpha + alpha**2, alpha + 3 * alpha**2 + alpha**3
    m1 = 1 + (m0 - 1) * (1 - eta * first)
    Delta1 = Delta0 * (1 - 2 * eta * first + eta**2 * second) + V * Delta0 * first
    loss1 = (Delta0 * (first - 2 * eta * second + eta**2 * third) + V * Delta0 * second) / 2
    expected = {
        "distance": [Delta0, Delta1],
        "loss": [alpha / 2 * Delta0, loss1],
        "m": [m0, m1],
        "C": [C00, Delta1 - 1 + 2 * m1],
        "C_start": [C00, m0 + (C00 - m0) * (1 - eta * first)],
        "R_start": [0.0, 1.0],
    }
    assert seen.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(seen[name], values, rtol=1e-13, err_msg=name)


@pytest.mark.parametrize(
    ("alpha", "b"),
    [
        *(pytest.param(alpha, 1.0, marks=pytest.mark.slow) for alpha in (0.5, 2.0)),
        (0.5, 0.3),
        pytest.param(2.0, 0.3, marks=pytest.mark.slow),
    ],
)
def test_the_mean_over_selections_at_finite_dimension(alpha, b):
    """E over sigma of (x - x*)(x - x*)^T given J is a linear recursion; one J of N = 800 is near the limit.

        P(t+1) = (1 - eta A) P(t) (1 - eta A) + V sum_mu (J_mu^T P J_mu/N) J_mu J_mu^T/N,   A = J^T J/N

    and E (x(t) - x*)(x(t') - x*)^T = (1 - eta A)^(t-t') P(t'). The start is averaged over, at fixed overlaps.
    """
    N, eta, m0, C00, wait = 800, 0.1, 0.3, 1.2, 3
    J = np.random.default_rng(2).normal(size=(int(alpha * N), N)) / N**0.5
    shrink, V = np.eye(N) - eta * J.T @ J, eta**2 * (1 / b - 1)
    Delta0 = 1 - 2 * m0 + C00
    P, power = Delta0 * np.eye(N), np.eye(N)
    rows, waited = [], None
    for t in range(11):
        residuals = ((J @ P) * J).sum(axis=1)
        mean = 1 + (m0 - 1) * np.trace(power) / N
        if t == wait:
            waited, mean_waited = P, mean
        late = P if waited is None else waited
        late_mean = mean if waited is None else mean_waited
        rows.append([mean, np.trace(P) / N, residuals.sum() / 2 / N, np.trace(late) / N + mean + late_mean - 1])
        P = shrink @ P @ shrink + V * (J.T * residuals) @ J
        power = power @ shrink
        waited = None if waited is None else shrink @ waited
    seen = solved(np.arange(11) * eta, alpha=alpha, b=b, waiting=(wait * eta,))
    names = ("m", "distance", "loss")
    for column, name in enumerate(names):
        np.testing.assert_allclose(seen[name], np.array(rows)[:, column], rtol=0, atol=6e-3, err_msg=name)
    np.testing.assert_allclose(seen["C_waiting"][:, 0], np.array(rows)[:, 3], rtol=0, atol=6e-3)


def test_correlations_meet_at_the_waiting_time():
    seen = solved(np.arange(6) * 0.1, b=0.4, waiting=(0.2, 0.4))
    np.testing.assert_array_equal(seen["C_waiting"][:3, 0], seen["C"][:3])
    np.testing.assert_array_equal(seen["C_waiting"][:5, 1], seen["C"][:5])
    assert (seen["C_waiting"][3:, 0] != seen["C"][3:]).all()
    from_zero = solved(np.arange(6) * 0.1, b=0.4, waiting=(0.01,))  # rint(0.01/0.1) = 0
    np.testing.assert_allclose(from_zero["C_waiting"][:, 0], seen["C_start"], rtol=1e-14)


@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_the_canyon(alpha):
    """The loss vanishes and Delta0 (1 - alpha) of the distance stays; the noise of SGD is in the span of the data."""
    Delta0 = 1 - 0.6 + 1.2
    descent, noisy = (solved([400.0], alpha=alpha, b=b) for b in (1.0, 0.3))
    assert descent["distance"][0] == pytest.approx(Delta0 * (1 - alpha), rel=1e-10)
    assert descent["loss"][0] < 1e-12
    assert noisy["loss"][0] < 1e-12
    assert noisy["distance"][0] == pytest.approx(descent["distance"][0], rel=1e-10)


def test_the_signal_is_found_where_there_are_more_data_than_unknowns():
    seen = solved([400.0], alpha=2.0, b=0.3)
    assert abs(seen["distance"][0]) < 1e-12
    assert seen["m"][0] == pytest.approx(1, abs=1e-12)


def test_the_sign_of_the_overlap_matters():
    """x* alone explains the data, unlike in degree 2."""
    assert solved([0.0], m0=-0.5)["distance"][0] == pytest.approx(1 + 1 + 1.2)


def test_blow_up():
    """Beyond eta = 2/l+ GD grows by a factor at every step; just below it decays."""
    edge = 2 / (2.0**0.5 + 1) ** 2
    initial = SignalOverlaps(m=np.array(0.3), C=np.array(1.2))
    for factor, grows in ((0.98, False), (1.02, True)):
        problem = Recovery(alpha=2.0, eta=factor * edge, degree=1)
        distance = LinearRegression().bind(problem).solve(initial, np.array([100.0, 400.0, 700.0]))["distance"]
        assert (np.diff(distance) > 0).all() == grows
    problem = Recovery(alpha=2.0, eta=20.0, b=0.5, degree=1, waiting=(20.0,))
    seen = LinearRegression().bind(problem).solve(initial, np.array([20.0, 6000.0]))
    for name, value in seen.items():
        assert np.isfinite(value[0]).all()
        assert (np.isinf(value[1]) if name in ("distance", "loss", "C") else np.isnan(value[1])).all()


def test_what_the_theory_cannot_do_is_refused():
    with pytest.raises(ArgumentError, match="must be 'dmft' for degree 2"):
        LinearRegression().check(Recovery(alpha=2, eta=0.1))
    problem = Recovery(alpha=2, eta=0.1, degree=1)
    with pytest.raises(ArgumentError, match="shared by all replicas"):
        LinearRegression().bind(problem)(SignalOverlaps(m=np.array(0.3), C=np.array(1.2)), jnp.array([1.0]))


def test_responses_to_waiting_times_are_those_to_the_start_later():
    problem = Recovery(alpha=1.5, eta=0.1, b=0.4, degree=1, m0=0.3, waiting=(0.4, 0.7))
    seen = solve_theory(problem, ExactStart(), np.arange(13) * 0.1, LinearRegression())
    R = seen["R_start"]
    for index, first in enumerate((4, 7)):
        later = np.concatenate([np.zeros(first), R[: 13 - first]])
        np.testing.assert_allclose(seen["R_waiting"][:, index], later, rtol=0, atol=1e-14)
        np.testing.assert_allclose(seen["chi_waiting"][:, index], 0.1 * np.cumsum(later), rtol=0, atol=1e-14)
