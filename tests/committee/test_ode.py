import math
import tomllib
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from sgdsim.committee.averages.activations import Custom, Erf, Relu
from sgdsim.committee.averages.integrals import I3, I4, J2
from sgdsim.committee.problem import Committee
from sgdsim.committee.risk import excess_risk
from sgdsim.committee.starts import ExplicitStart, OverlapStart, SphereStart
from sgdsim.committee.theory import overlap_curve
from sgdsim.committee.theory.ode import ExactODE, GradientFlow, LimitODE
from sgdsim.committee.theory.overlap_curve import errors_with_errors, errors_with_fields, velocity
from sgdsim.ensemble.theory import solve_theory
from sgdsim.errors import ArgumentError
from sgdsim.rules import solver
from sgdsim.rules.overlaps import Overlaps

KNOWN = tomllib.loads((Path(__file__).parents[1] / "known_answers" / "committee_ode.toml").read_text())
COMPILED = jax.jit(velocity)
DELTA = {"green": 0.5, "blue": 0.0, "orange": -0.375}


def random_overlaps(k, p, seed):
    W = np.random.default_rng(seed).normal(size=(k + p, k + p + 2)) / 2.5
    return jax.tree.map(jnp.asarray, Overlaps.from_gram(W @ W.T, k))


def velocity_at(overlaps, A=1.0, B=1.0, noise=0.1):
    return COMPILED(overlaps.P, overlaps.M, overlaps.Q, A, B, noise, Erf())


def averages_at(overlaps, noise):
    fields = jax.jit(errors_with_fields)(overlaps.P, overlaps.M, overlaps.Q, Erf())
    return fields, jax.jit(errors_with_errors)(overlaps.P, overlaps.M, overlaps.Q, noise, Erf())


@pytest.mark.parametrize("region", ["blue", "green", "orange"])
def test_reference_table(region):
    problem = Committee.from_scaling(
        d=1000, k=KNOWN["k"], p0=float(KNOWN["p"]), delta=DELTA[region], noise=KNOWN["noise"]
    )
    assert problem.region == region
    start = OverlapStart(KNOWN["overlap"], seed=KNOWN["seed"])
    solved = solve_theory(problem, start, np.array(KNOWN["times"], float), LimitODE())
    np.testing.assert_allclose(solved["excess_risk"], KNOWN["limit"][region], rtol=1e-5)
    assert solved["M"].shape == (10, 8, 4)
    assert solved["Q"].shape == (10, 8, 8)
    np.testing.assert_allclose(solved["Q"], solved["Q"].mT, rtol=0, atol=1e-12)


def test_a_wrong_constant_would_be_noticed():
    start, times = OverlapStart(0.5, seed=1), np.array([1.0, 2.0, 5.0, 10.0, 20.0])
    known = np.array(KNOWN["limit"]["blue"][:5])
    for change in ({"gamma": 8.0 * 1.001}, {"noise": 1.01e-3}, {"batch": 2}):
        problem = Committee(**{"d": 1000, "p": 8, "k": 4, "gamma": 8.0, "noise": 1e-3} | change)
        risk = solve_theory(problem, start, times, LimitODE())["excess_risk"]
        assert np.abs(risk / known - 1).max() > 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_averages_follow_from_the_definition_of_the_errors(seed):
    """E_i = sigma'(l_i) (y - f) integrated on a grid of the four fields of p = k = 2."""
    overlaps, noise = random_overlaps(2, 2, seed), 0.3
    covariance = np.block([[overlaps.P, overlaps.M.T], [overlaps.M, overlaps.Q]])
    nodes = np.linspace(-6.6, 6.6, 33)
    grid = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij")).reshape(4, -1)
    weights = np.exp(-(grid**2).sum(axis=0) / 2) * ((nodes[1] - nodes[0]) / math.sqrt(2 * math.pi)) ** 4
    fields = np.linalg.cholesky(covariance) @ grid
    outputs = erf(fields / math.sqrt(2))
    slopes = math.sqrt(2 / math.pi) * np.exp(-(fields[2:] ** 2) / 2)
    errors = slopes * (outputs[:2].mean(axis=0) - outputs[2:].mean(axis=0))
    with_fields, with_errors = averages_at(overlaps, noise)
    expected = (weights * errors) @ errors.T + noise * (weights * slopes) @ slopes.T
    np.testing.assert_allclose(with_fields, (weights * errors) @ fields.T, rtol=0, atol=1e-8)
    np.testing.assert_allclose(with_errors, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("k", "p"), [(1, 1), (3, 2), (2, 5), (1, 6)])
def test_chunks_cover_every_pair_of_units(k, p):
    overlaps, noise = random_overlaps(k, p, p), 0.2
    covariance = jnp.asarray(np.block([[overlaps.P, overlaps.M.T], [overlaps.M, overlaps.Q]]))
    sign = np.concatenate([np.full(k, 1 / k), np.full(p, -1 / p)])
    units = range(k, k + p)
    with_fields, with_errors = averages_at(overlaps, noise)
    three, four, two = jax.jit(I3), jax.jit(I4), jax.jit(J2)
    pairs = [
        [sign @ np.asarray(four(covariance, i, j)) @ sign + noise * float(two(covariance, i, j)) for j in units]
        for i in units
    ]
    fields = [np.asarray(three(covariance, i)) @ sign for i in units]
    np.testing.assert_allclose(with_fields, np.stack(fields), rtol=0, atol=1e-15)
    np.testing.assert_allclose(with_errors, np.array(pairs), rtol=0, atol=1e-15)


def test_a_perfect_student_stays_perfect_without_noise():
    P = random_overlaps(3, 1, 4).P
    for part in velocity_at(Overlaps(P=P, M=P, Q=P), noise=0.0):
        np.testing.assert_allclose(part, 0.0, rtol=0, atol=1e-16)
    moved = velocity_at(Overlaps(P=P, M=P, Q=P), noise=1e-3)[1]
    assert np.linalg.eigvalsh(moved)[0] > 1e-5  # noise heats every direction


def test_names_of_units_do_not_matter():
    overlaps = random_overlaps(3, 4, 5)
    student, teacher = np.array([2, 0, 3, 1]), np.array([1, 2, 0])
    renamed = Overlaps(
        P=overlaps.P[np.ix_(teacher, teacher)],
        M=overlaps.M[np.ix_(student, teacher)],
        Q=overlaps.Q[np.ix_(student, student)],
    )
    dM, dQ = velocity_at(overlaps)
    dM_renamed, dQ_renamed = velocity_at(renamed)
    np.testing.assert_allclose(dM_renamed, dM[np.ix_(student, teacher)], rtol=0, atol=1e-15)
    np.testing.assert_allclose(dQ_renamed, dQ[np.ix_(student, student)], rtol=0, atol=1e-15)


def test_drift_is_the_gradient_flow_of_the_risk():
    """In terms of the weights, dw_i/dt = -A p d(risk)/dw_i: the drift follows from the risk alone."""
    k, p = 2, 3
    W = jnp.asarray(np.random.default_rng(6).normal(size=(k + p, 7)) / 2)

    def risk(student):
        teacher = W[:k]
        return excess_risk(teacher @ teacher.T, student @ teacher.T, student @ student.T, Erf())

    step = -p * jax.jit(jax.grad(risk))(W[k:])
    dM, dQ = velocity_at(Overlaps.from_gram(W @ W.T, k), A=1.0, B=0.0)
    np.testing.assert_allclose(dM, step @ W[:k].T, rtol=0, atol=1e-14)
    np.testing.assert_allclose(dQ, step @ W[k:].T + W[k:] @ step.T, rtol=0, atol=1e-14)


def test_jacobian_of_the_velocity():
    overlaps = random_overlaps(2, 3, 7)
    direction = jnp.asarray(np.random.default_rng(1).normal(size=(3, 2)))

    def of_M(M):
        return COMPILED(overlaps.P, M, overlaps.Q, 1.0, 0.7, 0.1, Erf())[1]

    slope = jnp.tensordot(jax.jit(jax.jacfwd(of_M))(overlaps.M), direction, 2)
    h = 1e-5
    difference = (of_M(overlaps.M + h * direction) - of_M(overlaps.M - h * direction)) / (2 * h)
    np.testing.assert_allclose(slope, difference, rtol=0, atol=1e-9)


def deviation_of_limit(d, delta):
    problem = Committee.from_scaling(d=d, k=2, p0=3.0, gamma0=2.0, delta=delta, noise=0.1)
    start, times = OverlapStart(0.5, seed=2), np.array([0.5, 1.0, 2.0])
    exact, limit = (solve_theory(problem, start, times, theory) for theory in (ExactODE(), LimitODE()))
    return max(np.abs(exact[name] - limit[name]).max() for name in ("M", "Q"))


@pytest.mark.parametrize(("delta", "factor"), [(0.5, 100.0), (0.25, 10.0), (-0.375, 10**1.5), (-0.25, 10.0)])
def test_exact_tends_to_the_limit_like_d_to_the_minus_theta(delta, factor):
    near, far = deviation_of_limit(10**12, delta), deviation_of_limit(10**8, delta)
    assert far / near == pytest.approx(factor, rel=0.02)


def test_on_the_blue_line_exact_and_limit_are_one():
    assert deviation_of_limit(100, 0.0) < 1e-9
    growing = Committee.from_scaling(d=10_000, k=2, kappa=0.25, delta=-0.25, p0=3.0, gamma0=2.0)
    assert ExactODE().coefficients(growing) == pytest.approx(LimitODE().coefficients(growing), rel=1e-13)


@pytest.mark.parametrize(
    ("kappa", "delta", "expected"),
    [
        (0.0, 0.5, (0.5, 0.0)),
        (0.1 + 0.2, -0.3, (0.5, 0.25)),
        (0.0, -0.25, (0.0, 0.25)),
    ],
)
def test_leading_coefficients_of_the_regions(kappa, delta, expected):
    problem = Committee.from_scaling(d=1000, k=2, p0=4.0, gamma0=2.0, kappa=kappa, delta=delta)
    assert LimitODE().coefficients(problem) == expected


@pytest.mark.parametrize("theory", [ExactODE(), LimitODE()])
def test_a_batch_divides_the_noise_term_alone(theory):
    single, batched = (theory.coefficients(Committee(d=1000, p=2, k=2, gamma=3.0, batch=b)) for b in (1, 4))
    assert single == pytest.approx((1.5, 2.25), rel=1e-14)
    assert batched == pytest.approx((1.5, 2.25 / 4), rel=1e-14)


@pytest.mark.parametrize(("kappa", "delta"), [(0.0, -0.5), (0.1, -0.6), (1.1, -2.2)])
def test_the_red_region_has_no_ode(kappa, delta):
    problem = Committee.from_scaling(d=100, k=2, p0=2.0, kappa=kappa, delta=delta)
    for theory in (ExactODE(), LimitODE()):
        with pytest.raises(ArgumentError, match=r"`theory` must be none in the red region.*raise kappa or delta"):
            theory.check(problem)


@pytest.mark.slow
def test_default_tolerances_reach_small_risks():
    """Without noise the risk falls like exp(-t/22), through ten decades; there it is a difference of numbers near 1."""
    problem, start = Committee(d=1000, p=2, k=2, gamma=2.0), OverlapStart(0.5, seed=1)
    times = np.array([10.0, 100.0, 290.0, 350.0, 400.0, 500.0, 650.0])
    fast, tight = (solve_theory(problem, start, times, ExactODE(*rule))["excess_risk"] for rule in ((), (1e-13, 1e-16)))
    assert 4e-9 < tight[3] < 5e-9
    assert 5e-15 < tight[-1] < 8e-15
    for above, error in ((1e-4, 2e-8), (1e-8, 1e-6), (1e-10, 3e-5), (1e-12, 4e-3)):
        np.testing.assert_allclose(fast[tight > above], tight[tight > above], rtol=error)
    assert abs(fast[-1]) < 5e-14


def test_a_solver_does_not_follow_the_error_of_an_activation():
    """The tolerance of the solver is a tenth of that error, where it is above the one asked for."""
    estimates = [
        Custom(lambda x: jax.lax.erf(x / math.sqrt(2))).accuracy,
        Custom(jnp.tanh).accuracy,
        Custom(lambda x: jnp.maximum(x, 0)).accuracy,
    ]
    for estimate, (low, high) in zip(estimates, ((1e-7, 1e-6), (1e-4, 2e-3), (1e-4, 2e-3)), strict=True):
        assert low < estimate < high
    curve = ExactODE().bind(Committee(d=100, p=2, k=2, gamma=1.0, activation=Custom(jnp.tanh)))
    assert (curve.rtol, curve.atol) == pytest.approx((0.1 * estimates[1], 1e-4 * estimates[1]))
    asked = ExactODE(rtol=1e-3, atol=1e-4).bind(Committee(d=100, p=2, k=2, gamma=1.0, activation=Custom(jnp.tanh)))
    assert (asked.rtol, asked.atol) == (1e-3, 1e-4)
    for activation in (Erf(), Relu()):
        curve = ExactODE().bind(Committee(d=100, p=2, k=2, gamma=1.0, activation=activation))
        assert (curve.rtol, curve.atol) == (1e-10, 1e-13)


def test_save_times_do_not_change_the_path():
    problem, start = Committee(d=1000, p=3, k=2, gamma=3.0, noise=1e-3), OverlapStart(0.5, seed=1)
    few = solve_theory(problem, start, np.array([1.0, 2.0, 4.0]), ExactODE())
    many = solve_theory(problem, start, np.linspace(0.1, 4.0, 40), ExactODE())
    np.testing.assert_allclose(many["Q"][[9, 19, 39]], few["Q"], rtol=0, atol=1e-8)


def test_one_compilation_serves_a_sweep(monkeypatch):
    """p = 5, k = 1 are of this test alone: nothing has been traced for them before."""
    traces = []

    def counted(*args):
        traces.append(1)
        return velocity(*args)

    monkeypatch.setattr(overlap_curve, "velocity", counted)
    start, times = OverlapStart(0.5, seed=1), np.array([0.2, 0.5, 1.0])
    for d, delta, noise in ((100, 0.0, 0.0), (1000, 0.0, 0.1), (10**6, 0.3, 1.0), (500, -0.2, 1e-3)):
        problem = Committee.from_scaling(d=d, k=1, p0=5.0, gamma0=2.0 + delta, delta=delta, noise=noise)
        for theory in (ExactODE(), LimitODE(), GradientFlow()):
            solve_theory(problem, start, 2 * times, theory)
        if d == 100:
            first = len(traces)
    assert len(traces) == first > 0


@eqx.filter_jit
def mapped(curve, initial, times):
    return jax.vmap(lambda one: curve(one, times))(initial)


@pytest.mark.slow
def test_many_starts_at_once_are_each_their_own():
    problem, times = Committee(d=100, p=3, k=2, gamma=3.0, noise=0.1), np.array([0.5, 1.0, 3.0])
    initial = SphereStart(per_replica=True).draw(problem, np.random.default_rng(5), 6)
    together = mapped(ExactODE().bind(problem), initial, jnp.asarray(times))
    assert together["excess_risk"].shape == (6, 3)
    for replica in range(6):
        start = ExplicitStart(initial.P[replica], initial.M[replica], initial.Q[replica])
        alone = solve_theory(problem, start, times, ExactODE())
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][replica], value, rtol=0, atol=1e-8)


def test_a_start_that_is_not_finite_spoils_only_itself():
    problem, times = Committee(d=100, p=3, k=2, gamma=3.0, noise=0.1), jnp.array([0.5, 1.0, 3.0])
    initial = SphereStart(per_replica=True).draw(problem, np.random.default_rng(5), 6)
    Q = np.where(np.arange(6)[:, None, None] == 2, np.nan, initial.Q)
    spoiled = Overlaps(P=initial.P, M=initial.M, Q=Q)
    curve = ExactODE().bind(problem)
    sound, partly = (mapped(curve, overlaps, times) for overlaps in (initial, spoiled))
    others = np.array([0, 1, 3, 4, 5])
    for name in sound:
        assert np.isnan(partly[name][2]).all()
        np.testing.assert_allclose(partly[name][others], sound[name][others], rtol=0, atol=1e-8)


@pytest.mark.slow
def test_problems_can_be_mapped_too():
    curve = ExactODE().bind(Committee(d=100, p=1, k=1, gamma=1.0))
    initial, times = Overlaps(P=jnp.eye(1), M=jnp.zeros((1, 1)), Q=jnp.eye(1)), np.array([1.0, 2.0])

    def at_noise(noise):
        return eqx.tree_at(lambda curve: curve.noise, curve, noise)

    together = jax.jit(jax.vmap(lambda noise: at_noise(noise)(initial, times)["Q"]))(jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(together[1], at_noise(jnp.asarray(1.0)).solve(initial, times)["Q"], rtol=0, atol=1e-8)
    assert (together[1] > together[0]).all()


def test_a_solver_that_gives_up_says_where(monkeypatch):
    """p = 7, k = 1 are of this test alone: a program that is compiled keeps its number of steps."""
    monkeypatch.setattr(solver, "MAX_STEPS", 12)
    problem, times = Committee(d=100, p=7, k=1, gamma=3.0), np.array([0.001, 0.002, 0.5, 50.0, 1000.0])
    with pytest.raises(ArgumentError, match=r"`gamma` must be smaller to reach t = 1000 from t = 0\.\d+.* end of its"):
        solve_theory(problem, OverlapStart(), times, ExactODE())


def test_overlaps_of_no_vectors_end_in_nan():
    problem, start = Committee(d=100, p=3, k=2, gamma=1.0), OverlapStart()
    sound = start.draw(problem, np.random.default_rng(), 6)
    impossible = Overlaps(P=sound.P, M=sound.M, Q=-5 * sound.Q)
    solved = mapped(ExactODE().bind(problem), impossible, jnp.array([0.5, 1.0, 3.0]))
    assert np.isnan(solved["excess_risk"]).all()


def test_time_zero_and_repeated_times():
    problem, start = Committee(d=100, p=3, k=2, gamma=1.0), OverlapStart(0.5, seed=1)
    solved = solve_theory(problem, start, np.array([0.0, 1.0, 1.0]), ExactODE())
    initial = start.draw(problem, np.random.default_rng(), 1)
    np.testing.assert_array_equal(solved["Q"][0], initial.Q[0])
    np.testing.assert_array_equal(solved["M"][1], solved["M"][2])


@pytest.mark.parametrize(
    ("tolerance", "must"),
    [(0.0, "between 0 and 1"), (-1e-9, "between 0 and 1"), (1.0, "between 0 and 1"), (math.nan, "a number")],
)
def test_bad_tolerances_are_refused(tolerance, must):
    with pytest.raises(ArgumentError, match=f"`rtol` must be {must}"):
        ExactODE(rtol=tolerance)
    with pytest.raises(ArgumentError, match=f"`atol` must be {must}"):
        LimitODE(atol=tolerance)


def test_wide_students_fit_in_memory():
    """p = 64, k = 4: the I4 of all pairs would be 64^2 68^2 numbers, 151 MB; half a row of them at a time is 1.2."""
    overlaps = random_overlaps(4, 64, 8)
    compiled = jax.jit(velocity).lower(overlaps.P, overlaps.M, overlaps.Q, 1.0, 1.0, 0.1, Erf()).compile()
    memory = compiled.memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < 5 * 64 * 68**2 * 8
    dM, dQ = compiled(overlaps.P, overlaps.M, overlaps.Q, 1.0, 1.0, 0.1, Erf())
    assert np.isfinite(dM).all()
    assert np.isfinite(dQ).all()
