"""Gradient descent that comes to the edge of stability, as C(t,t) grows where the signal is not found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sgdsim
from sgdsim.ensemble.theory import solve_theory, solve_unchecked
from sgdsim.recovery import CoarseDmft, Dmft, ExactStart, Recovery, integrate
from sgdsim.recovery.hessian import hessian
from tests.recovery.by_hand import advance, data_of, observe, started
from tests.recovery.test_dmft import by_sums

GLASSY = {"alpha": 1.2, "eta": 0.25, "m0": 0.0}
"""C(t,t) passes the edge 1.818 after 206 steps."""


def largest_eigenvalues(kernel, state):
    """Of the Hessian of the loss at the weights of every replica."""
    J, N = jnp.asarray(data_of(kernel, state)), state.x.shape[0]
    one = jax.jit(lambda x, signal: jnp.linalg.eigvalsh(hessian(kernel.features, J, x, signal))[N - 1])
    return np.array([one(state.x[:, lane], state.signal[:, lane]) for lane in range(state.x.shape[1])])


@pytest.mark.parametrize(("alpha", "N", "sharpness"), [(0.25, 100, 2.25), (4.0, 60, 10.0)])
def test_the_edge_is_two_over_the_largest_eigenvalue(alpha, N, sharpness):
    """At the signal, where there are no residuals and C = 1. Either form is 10 % off where the other holds."""
    problem = Recovery(alpha=alpha, eta=0.1, N=N, m0=1.0)
    assert problem.edge == 2 / (0.1 * sharpness)
    found = [largest_eigenvalues(*started(problem, lanes=1, seed=seed)) for seed in range(4)]
    assert 0.91 < np.mean(found) / sharpness < 1.01  # at these N the largest is some per cent below its limit


def test_a_response_beyond_the_edge_alternates_and_grows():
    """By eta lambda - 1 a step, with the edge of the bulk, which R(t,t') is the response of."""
    with pytest.warns(sgdsim.CautionWarning, match="From step 341 on this gradient descent is beyond its edge"):
        s = integrate(GLASSY["alpha"], GLASSY["eta"], 1.0, 0.0, 1.0, 383)
    C = np.diagonal(s.C)
    beyond = int((Recovery(**GLASSY).edge < C).argmax())
    assert beyond == 206
    assert np.abs(s.R[330, beyond:320]).max() < 1
    for t in (372, 382):
        bulk = (1 + GLASSY["alpha"] ** 0.5) ** 2 * C[t]
        pushed = slice(beyond, beyond + 60)
        np.testing.assert_allclose(s.R[t + 1, pushed] / s.R[t, pushed], 1 - GLASSY["eta"] * bulk, rtol=0.025)


def by_rows(alpha, eta, C00, steps, dtype):
    """C(t,t) and e2(t) of gradient descent with m = 0, in a precision."""
    g, n = eta * alpha, steps + 1
    C, R, LC, LR = (np.zeros((n, n), dtype) for _ in range(4))
    C[0, 0], LC[0, 0], LR[0, 0] = C00, (1 + C00**2) / 2, 1
    for t in range(steps):
        a, b = slice(t + 1), t + 1
        A, B = LR[t, a] * C[t, a] - eta * LC[t, a] * R[t, a], eta * LC[t, a] * C[t, a]
        R[b, a] = R[t, a] - g * (A @ R[a, a])
        R[b, t] = 1
        C[b, a] = C[a, b] = C[t, a] + g * (R[a, a] @ B - C[a, a] @ A)
        C[b, b] = C[b, t] + g * (B @ R[b, a] - A @ C[b, a])
        K, Q = R[b, a] * C[b, a], (1 + C[b] ** 2) / 2
        LR[b, a], LR[b, b] = -eta * (K @ LR[a, a]), 1
        LC[b, a] = LC[a, b] = LR[a, a] @ Q[a] - eta * (LC[a, a] @ K)
        LC[b, b] = LR[b, : b + 1] @ Q[: b + 1] - eta * (LC[b, a] @ K)
    return np.diagonal(C), np.diagonal(LC)


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="there are no numbers longer than float64 here")
@pytest.mark.parametrize(("theory", "error"), [(Dmft(), 1e-7), (CoarseDmft(0.05), 3e-6)], ids=["dense", "coarse"])
def test_a_descent_is_followed_until_rounding_shows(theory, error):
    """In 64 bits of mantissa it goes on; in 53 the error of e2 is 1e-8 at the end, and would be 3 % at step 400.

    Interpolation of old times is a coarser rounding.
    """
    problem = Recovery(**GLASSY)
    C, e2 = by_rows(1.2, 0.25, 1.0, 400, np.longdouble)
    assert C[400] > 1.08 * problem.edge
    with pytest.warns(sgdsim.CautionWarning, match="From step 341 on"):
        rough = integrate(1.2, 0.25, 1.0, 0.0, 1.0, 400)
    assert abs(rough.e2[400] / e2[400] - 1) > 0.01
    curve = solve_unchecked(problem, ExactStart(), np.arange(401) * problem.eta, theory)
    good = np.isfinite(curve["loss"])
    last = int(good.argmin()) - 1
    assert 320 < last < 350
    assert not good[last + 1 :].any()
    np.testing.assert_allclose(curve["C"][good], C[good], rtol=error / 30)
    np.testing.assert_allclose(curve["loss"][good], 0.6 * e2[good], rtol=error)


@pytest.mark.parametrize("theory", [Dmft(), CoarseDmft()])
def test_its_end_is_told(theory):
    problem, times = Recovery(**GLASSY), np.array([50.0, 70.0, 100.0])
    with pytest.raises(sgdsim.ArgumentError, match=r"before t = (50|70), but got 100.0. .* = 1.818, .* smaller `eta`"):
        solve_theory(problem, ExactStart(), times, theory)
    lower = Recovery(**GLASSY | {"eta": 0.125})
    assert np.isfinite(solve_theory(lower, ExactStart(), times, theory)["loss"]).all()


@pytest.mark.parametrize("theory", [Dmft(), CoarseDmft()])
def test_a_start_beyond_the_edge_is_followed(theory):
    """There all modes move from the start, and rounding is nothing beside them: C falls until the descent is stable."""
    problem = Recovery(alpha=0.05, eta=2.5352, m0=0.99)
    known = by_sums(0.05, 2.5352, 1.0, 0.99, 1.0, 12)
    assert np.abs(known["R"]).max() > 1.03
    seen = solve_unchecked(problem, ExactStart(), np.arange(13) * problem.eta, theory)
    assert seen["C"][0] > seen["C"][6] > problem.edge > seen["C"][12]
    np.testing.assert_allclose(seen["C"], np.diagonal(known["C"]), rtol=1e-12)


@pytest.mark.parametrize("theory", [Dmft(), CoarseDmft()])
def test_it_is_not_followed_when_it_comes_back(theory):
    """Once all has died out below the edge, rounding decides again."""
    problem, times = Recovery(**GLASSY, C00=2.0), np.array([0.25, 40.0, 150.0])
    seen = solve_unchecked(problem, ExactStart(), times, theory)["C"]
    assert seen[0] < seen[1] < problem.edge < 2.0
    assert seen[2] == np.inf


@pytest.mark.parametrize("noise", [{"b": 0.999}, {"temperature": 1e-6}])
def test_the_least_noise_holds_C_at_the_edge(noise):
    """It keeps what is unstable in motion, in theory too, where gradient descent alone goes on to 1.97 and beyond."""
    problem, times = Recovery(**GLASSY | noise), np.array([100.0, 150.0])
    assert problem.edge == np.inf
    seen = solve_theory(problem, ExactStart(), times, Dmft())["C"]
    np.testing.assert_allclose(seen, 1.0135 * Recovery(**GLASSY).edge, rtol=0.003)


def test_at_finite_N_a_descent_swings_where_theory_ends():
    """Where a small step rests at minima too sharp for a large one, that goes to and fro at flatter points."""
    ends = {}
    for eta in (0.25, 0.125):
        kernel, state = started(Recovery(alpha=1.2, eta=eta, m0=0.0, N=60), lanes=8)
        state = advance(kernel, state, jnp.asarray(int(400 / eta)))
        once, twice = (advance(kernel, state, jnp.asarray(steps)) for steps in (1, 2))
        moves = (np.abs(np.asarray(later.x - state.x)).max(axis=0) for later in (once, twice))
        ends[eta] = largest_eigenvalues(kernel, state), np.asarray(observe(kernel, state)["loss"]), *moves
    sharpness, loss, once, twice = ends[0.25]
    rests, least, still, _ = ends[0.125]
    sharp = rests > 9
    assert sharp.sum() == 3
    assert (still < 1e-3).all()
    assert (sharpness < 1.03 * 2 / 0.25).all()
    assert (once[sharp] > 0.1).all()
    assert (once[~sharp] < 1e-2).all()
    assert (twice[sharp] < 1e-3).all()
    assert (loss[sharp] > 2 * least[sharp]).all()
