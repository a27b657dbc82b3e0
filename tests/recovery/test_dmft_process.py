"""What the closed equations predict, and how they are solved: batches, sizes, stops, blow-ups, and as a theory."""

import numpy as np
import pytest

import sgdsim
from sgdsim.cost import THEORY_OPERATION
from sgdsim.ensemble.theory import solve_theory, solve_unchecked
from sgdsim.recovery import Dmft, ExactStart, Recovery, dmft, integrate
from sgdsim.recovery.dmft_products import NativeProducts, TiledProducts, WholeProducts
from sgdsim.recovery.selection import Fresh

KERNELS = ("m", "e2", "C", "R", "LC", "LR")


def distance(s):
    return 1 - 2 * abs(s.m) + np.diagonal(s.C, axis1=-2, axis2=-1)


def test_a_batch_is_its_elements():
    alpha, b = np.array([[1.5], [2.5]]), np.array([1.0, 0.5, 0.2])
    batch = integrate(alpha, 0.1, b, 0.2, 1.0, 40)
    assert batch.C.shape == (2, 3, 41, 41)
    assert batch.last.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        one = integrate(alpha[i, 0], 0.1, b[j], 0.2, 1.0, 40)
        for name in KERNELS:
            np.testing.assert_array_equal(getattr(batch, name)[i, j], getattr(one, name))


@pytest.mark.parametrize(
    "products",
    [
        NativeProducts(),
        pytest.param(TiledProducts(), marks=pytest.mark.slow),
        pytest.param(WholeProducts(), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_elements_side_by_side_in_every_form(products, monkeypatch):
    """As an accelerator solves them: those that have stopped wait, unchanged, for the others."""
    monkeypatch.setattr(dmft, "_products", lambda: products)
    rates, start = ([2.5, 1.5, 4.0], [0.1] * 3, [0.2, 1.0, 1.0]), ([0.2] * 3, [1.0] * 3)
    given = [np.array(values) for values in (*rates, [0.0] * 3, *start)]
    together = dmft.solve(*given, steps=140, tolerance=1e-3, selection=Fresh())
    for i, parameters in enumerate(zip(*rates, *start, strict=True)):
        one = integrate(*parameters, 140, 1e-3)
        assert together.last[i] == one.last
        for name in KERNELS:
            part = np.asarray(getattr(together, "used2" if name == "e2" else name)[i])
            part = part[(slice(141),) * getattr(one, name).ndim]
            expected = np.tril(getattr(one, name)) if name in ("C", "LC") else getattr(one, name)
            np.testing.assert_allclose(part, expected, rtol=0, atol=1e-13, err_msg=name)
    assert len(set(together.last.tolist())) == 3


@pytest.mark.parametrize("steps", [40, 511, 512])
def test_the_first_steps_of_a_longer_run(steps):
    short, long = (integrate(2.5, 0.1, 0.5, 0.2, 1.0, n) for n in (steps, 600))
    for name in KERNELS:
        part = getattr(long, name)[(slice(steps + 1),) * getattr(long, name).ndim]
        np.testing.assert_array_equal(getattr(short, name), part)


@pytest.mark.parametrize("m0", [0.2, -0.2])
def test_stops_early(m0):
    """At the signal, or at minus the signal, which explains the data as well."""
    full, stopped = (integrate(2.5, 0.1, 0.5, m0, 1.0, 200, tolerance) for tolerance in (0.0, 1e-3))
    assert full.m[-1] * m0 > 0
    last = int(stopped.last)
    assert full.last == 200
    assert last == np.argmax(distance(full) < 1e-3)
    for name in KERNELS:
        inside = (slice(last + 1),) * getattr(full, name).ndim
        np.testing.assert_array_equal(getattr(stopped, name)[inside], getattr(full, name)[inside])
    assert not stopped.C[last + 1 :].any()
    problem = Recovery(alpha=2.5, eta=0.1, b=0.5, m0=0.2)
    curve = solve_theory(problem, ExactStart(), np.array([10.0, 20.0]), Dmft(1e-3))
    np.testing.assert_array_equal(curve["distance"], np.full(2, distance(full)[last]))
    np.testing.assert_array_equal(curve["C_start"], np.full(2, full.C[last, 0]))


def test_blow_up_ends():
    s = integrate(2.5, 2.0, 0.5, 0.2, 1.0, 3000)
    assert 0 < s.last < 100
    assert not np.isfinite(distance(s)[s.last])
    assert np.isfinite(distance(s)[: s.last]).all()
    problem, times = Recovery(alpha=2.5, eta=2.0, b=0.5), np.array([2.0, 6e3])
    curve = solve_unchecked(problem, ExactStart(), times, Dmft())
    for name in ("distance", "C", "loss"):
        assert np.isfinite(curve[name][0])
        assert curve[name][1] == np.inf
    for name in ("m", "C_start", "R_start"):
        assert np.isnan(curve[name][1])


@pytest.mark.parametrize("alpha", [1.5, 2.5, 4.0])
def test_descent_is_stable_up_to_its_hessian(alpha):
    """The largest eigenvalue at the signal is 2(alpha + 1): beyond eta = 1/(alpha + 1) there is a cycle of period 2."""
    eta = np.array([0.97, 1.03]) / (alpha + 1)
    s = integrate(alpha, eta, 1.0, 0.95, 1.0, 320)
    assert (s.last == 320).all()
    below, above = distance(s)
    assert below[-1] < 0.1 * below[160] < 1e-5
    assert (above[-20:] > 1e-3).all()
    assert (above[-20:] < 1e-2).all()
    # |x(t) - x(t-1)|^2/N of a cycle is 4 |x - mean|^2/N, and |x(t) - x(t-2)|^2 vanishes.
    C = s.C[1]
    once, twice = (C[-1, -1] + C[-1 - k, -1 - k] - 2 * C[-1, -1 - k] for k in (1, 2))
    assert once > 1e-3
    assert abs(twice) < 0.02 * once


def test_where_recovery_needs_noise():
    final = distance(s := integrate(2.0, 0.2, np.array([1.0, 0.5, 0.2]), 0.01, 1.0, 400))
    np.testing.assert_allclose(final[:2, -1], [2.0588244514, 1.6520954358], rtol=0, atol=1e-9)
    assert np.argmax(final[2] < 0.1) == 108
    assert (s.last == 400).all()


def test_relaxation_times_far_above_threshold():
    for b, tau in {1.0: 4.1, 0.5: 4.1, 0.2: 4.6}.items():
        Delta = distance(integrate(2.5311, 0.2, b, 0.1, 1.0, 40))
        k = int(np.argmax(Delta < 0.1))  # the level is crossed between steps k - 1 and k
        assert 0.2 * np.interp(0.1, Delta[[k, k - 1]], [k, k - 1]) == pytest.approx(tau, abs=0.05)


def test_a_canyon_where_data_are_few():
    s = integrate(0.5, 0.2, 1.0, 0.2, 1.0, 300)
    assert 0.25 * s.e2[-1] < 1e-4
    assert distance(s)[-1] > 0.1


def test_observables():
    problem = Recovery(alpha=1.5, eta=0.1, b=0.3, m0=-0.3, C00=0.8, waiting=(0.5, 2.0))
    times = np.array([0.0, 0.1, 1.0, 4.0])
    curve, s, t = sgdsim.solve(problem, ExactStart(), times), integrate(1.5, 0.1, 0.3, -0.3, 0.8, 40), [0, 1, 10, 40]
    expected = {"distance": distance(s)[t], "loss": 0.75 * s.e2[t], "m": s.m[t], "C": s.C[t, t]}
    expected |= {"C_start": s.C[t, 0], "R_start": s.R[t, 0]}
    for name, values in expected.items():
        np.testing.assert_array_equal(curve[name], values, err_msg=name)
    assert curve["R_start"][0] == 0
    waiting = [[s.C[k, min(k, w)] for w in (5, 20)] for k in t]
    np.testing.assert_array_equal(curve["C_waiting"], waiting)
    np.testing.assert_array_equal(curve["R_waiting"], [[s.R[k, w] for w in (5, 20)] for k in t])
    # A force of one is a push of eta in every step from t_w on.
    chi = [[0.1 * sum(s.R[k, u] for u in range(w, k)) for w in (5, 20)] for k in t]
    np.testing.assert_allclose(curve["chi_waiting"], chi, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("compiler", [True, False])
def test_cost_is_known_before(compiler, monkeypatch):
    """Without a C++ compiler steps take 3 times as long, and no library is made."""
    monkeypatch.setattr(dmft, "find_compiler", lambda: "a compiler" if compiler else None)
    problem, times = Recovery(alpha=2.5, eta=0.1), np.array([10.0, 100.0])
    operations = (1 if compiler else 3) * 8 / 3 * 1e9
    assert Dmft().cost(problem, ExactStart(), times) == pytest.approx(THEORY_OPERATION * operations)
    once = Dmft().once(problem, ExactStart(), times)
    assert len({work.key for work in once}) == len(once) == 2 + compiler  # arrays of 512 and of 1024 steps
    assert Dmft().memory(problem, times) == 32 * (1024**2 + 512**2)


def test_errors():
    quadratic, linear, times = Recovery(alpha=2.5, eta=0.1), Recovery(alpha=2.5, eta=0.1, degree=1), np.array([1.0])
    with pytest.raises(sgdsim.ArgumentError, match="linear"):
        solve_theory(linear, ExactStart(), times, Dmft())
    for tolerance in (-1e-3, 1.0):
        with pytest.raises(sgdsim.ArgumentError, match="tolerance"):
            Dmft(tolerance)
    with pytest.raises(sgdsim.ArgumentError, match=r"GiB.*raise eta"):
        solve_theory(quadratic, ExactStart(), np.array([1e6]), Dmft())
    good = {"alpha": 2.0, "eta": 0.1, "b": 1.0, "m0": 0.2, "C00": 1.0, "steps": 3}
    for name, value in {"alpha": 0.0, "eta": -0.1, "b": 1.5, "m0": 1.1, "steps": -1}.items():
        with pytest.raises(sgdsim.ArgumentError, match=name):
            integrate(**good | {name: value})
