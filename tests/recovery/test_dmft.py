"""The closed equations: known answers, hand formulas, matrix identities, invariants, and an independent solution."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from sgdsim.recovery import integrate

KNOWN = tomllib.loads((Path(__file__).parents[1] / "known_answers" / "recovery_dmft.toml").read_text())

CASES = [
    {"alpha": 2.5, "eta": 0.1, "b": 1.0, "m0": 0.2, "C00": 1.0},
    {"alpha": 2.0, "eta": 0.15, "b": 0.3, "m0": 0.2, "C00": 1.0},
    {"alpha": 1.5, "eta": 0.1, "b": 0.3, "m0": -0.4, "C00": 0.7},
    {"alpha": 0.6, "eta": 0.2, "b": 0.5, "m0": 0.6, "C00": 1.3},
]


@pytest.fixture(params=CASES, ids=lambda case: f"alpha={case['alpha']},b={case['b']},C00={case['C00']}")
def case(request):
    return request.param


@pytest.mark.parametrize("name", KNOWN)
def test_reference_numbers(name):
    known = KNOWN[name]
    t = np.array(known["steps"])
    s = integrate(known["alpha"], known["eta"], known["b"], known["m0"], 1.0, int(t[-1]))
    found = {"m": s.m[t], "C": s.C[t, t], "C_start": s.C[t, 0], "R_start": s.R[t, 0]}
    found |= {"loss": known["alpha"] / 2 * s.e2[t], "LC_start": s.LC[t, 0], "LR_start": s.LR[t, 0]}
    for column, values in found.items():
        np.testing.assert_allclose(values, known[column], rtol=0, atol=1e-9, err_msg=column)


def test_first_step_by_hand(case):
    alpha, eta, b, m0, C00 = case.values()
    s = integrate(**case, steps=1)
    Q00 = (1 - 2 * m0**2 + C00**2) / 2
    m1, C10 = m0 * (1 + eta * alpha * (1 - C00)), C00 + eta * alpha * (m0**2 - C00**2)
    # x(1) = x(0) - eta {alpha (C00 x(0) - m0 x*) + Z}, E Z^2 = alpha Q00 C00/b
    own = 1 - eta * alpha * C00
    C11 = own**2 * C00 + 2 * own * eta * alpha * m0**2 + (eta * alpha * m0) ** 2 + eta**2 * alpha * Q00 * C00 / b
    Q10, Q11 = (1 - m1**2 - m0**2 + C10**2) / 2, (1 - 2 * m1**2 + C11**2) / 2
    # r(1) = xi(1) - eta K sigma(0) xi(0), K = R(1,0) C(1,0) = C10
    found = [s.m[1], s.C[1, 0], s.C[1, 1], s.R[1, 0], s.LC[0, 0], s.LR[1, 0], s.LC[1, 0], s.e2[1], s.e2[0]]
    LC10, e2 = Q10 - eta * C10 * Q00 / b, Q11 - 2 * eta * C10 * Q10 + eta**2 * C10**2 * Q00 / b
    np.testing.assert_allclose(found, [m1, C10, C11, 1.0, Q00 / b, -eta * C10, LC10, e2, Q00], rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(s.LC[1, 1], e2 / b, rtol=1e-14)
    assert s.last == 1


def test_matrix_identities(case):
    s = integrate(**case, steps=120)
    eta, b = case["eta"], case["b"]
    m2 = np.add.outer(s.m**2, s.m**2)
    Q = (1 - m2 + s.C**2) / 2
    LR = np.linalg.inv(np.eye(121) + eta * s.R * s.C)
    np.testing.assert_allclose(s.LR, LR, rtol=0, atol=1e-12)
    np.testing.assert_allclose(s.LC, LR @ (Q + np.diag((1 / b - 1) * s.e2)) @ LR.T, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(s.LC, s.LC.T)
    np.testing.assert_array_equal(s.C, s.C.T)


def test_kernels_are_covariances(case):
    s = integrate(**case, steps=120)
    for covariance in (s.LC, s.C - np.outer(s.m, s.m)):
        eigenvalues = np.linalg.eigvalsh(covariance)
        assert eigenvalues[0] > -1e-13 * eigenvalues[-1]


@pytest.mark.parametrize("b", [1.0, 0.3])
def test_the_signal_is_a_fixed_point(b):
    s = integrate(2.0, 0.1, b, 1.0, 1.0, 80)
    np.testing.assert_allclose(s.m, 1, rtol=0, atol=1e-14)
    np.testing.assert_allclose(s.C, 1, rtol=0, atol=1e-14)
    np.testing.assert_allclose(s.LC, 0, rtol=0, atol=1e-14)


def test_both_signs_of_the_signal(case):
    one, other = integrate(**case, steps=60), integrate(**case | {"m0": -case["m0"]}, steps=60)
    np.testing.assert_array_equal(one.m, -other.m)
    for name in ("C", "R", "LC", "LR", "e2"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def by_sums(alpha, eta, b, m0, C00, steps):
    """The equations in the order of evaluation, element by element; C(t+1,t+1) from the site process's double sums."""
    n = steps + 1
    m, e2 = np.zeros(n), np.zeros(n)
    C, R, LC, LR = (np.zeros((n, n)) for _ in range(4))
    m[0], C[0, 0] = m0, C00
    for t in range(n):
        K = [R[t, u] * C[t, u] for u in range(t)]
        for s in range(t):
            LR[t, s] = -eta * sum(K[u] * LR[u, s] for u in range(s, t))
        LR[t, t] = 1
        q = [(1 - m[t] ** 2 - m[s] ** 2 + C[t, s] ** 2) / 2 for s in range(t + 1)]
        d = [sum(LR[s, u] * q[u] for u in range(s + 1)) for s in range(t + 1)]
        for s in range(t):
            LC[t, s] = LC[s, t] = d[s] - eta * sum(K[u] * LC[u, s] for u in range(t))
        e2[t] = d[t] - eta * sum(K[u] * LC[t, u] for u in range(t))
        LC[t, t] = e2[t] / b
        if t == steps:
            break
        A = [LR[t, s] * C[t, s] - eta * LC[t, s] * R[t, s] for s in range(t + 1)]
        S = sum(LR[t, s] for s in range(t + 1))
        EZx = [-eta * alpha * sum(LC[t, s] * C[t, s] * R[u, s] for s in range(u)) for u in range(t + 1)]
        pull = [float(s == t) - eta * alpha * A[s] for s in range(t + 1)]
        push = eta * alpha * m[t] * S
        m[t + 1] = sum(pull[s] * m[s] for s in range(t + 1)) + push
        for u in range(t + 1):
            R[t + 1, u] = sum(pull[s] * R[s, u] for s in range(t + 1)) + float(u == t)
            C[t + 1, u] = sum(pull[s] * C[s, u] for s in range(t + 1)) + push * m[u] - eta * EZx[u]
            C[u, t + 1] = C[t + 1, u]
        pairs = sum(pull[s] * pull[u] * C[s, u] for s in range(t + 1) for u in range(t + 1))
        noise = eta**2 * alpha * LC[t, t] * C[t, t] - 2 * eta * sum(pull[s] * EZx[s] for s in range(t + 1))
        C[t + 1, t + 1] = pairs + 2 * push * sum(pull[s] * m[s] for s in range(t + 1)) + push**2 + noise
    return {"m": m, "e2": e2, "C": C, "R": R, "LC": LC, "LR": LR}


def test_independent_solution(case):
    expected, s = by_sums(**case, steps=30), integrate(**case, steps=30)
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(s, name), value, rtol=1e-13, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("b", [1.0, 0.3])
def test_kernels_against_monte_carlo_of_one_datum(b):
    eta, T, samples = 0.15, 8, 100_000
    s = integrate(2.0, eta, b, 0.2, 1.0, T)
    Q = (1 - np.add.outer(s.m**2, s.m**2) + s.C**2) / 2
    rng = np.random.default_rng(4)
    xi = rng.standard_normal((samples, T + 1)) @ np.linalg.cholesky(Q).T
    sigma = (rng.random((samples, T + 1)) < b) / b
    r, slope = np.zeros_like(xi), np.zeros((samples, T + 1, T + 1))
    K = s.R * s.C
    for t in range(T + 1):
        r[:, t] = xi[:, t] - eta * (sigma[:, :t] * r[:, :t]) @ K[t, :t]
        slope[:, t] = -eta * np.einsum("u,nu,nus->ns", K[t, :t], sigma[:, :t], slope[:, :t])
        slope[:, t, t] += 1
    measured = {"LC": np.einsum("nt,ns->nts", sigma * r, sigma * r), "LR": sigma[:, :, None] * slope}
    for name, value in measured.items():
        error = value.std(axis=0) / samples**0.5
        assert (abs(value.mean(axis=0) - getattr(s, name)) <= 5 * error + 1e-12).all(), name
    if b < 1:  # and the samples would tell the noise of SGD from none
        error = measured["LC"].std(axis=0) / samples**0.5
        assert (abs(measured["LC"].mean(axis=0) - s.LR @ Q @ s.LR.T) > 10 * error).any()
