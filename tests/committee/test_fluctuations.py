"""Predicted fluctuations: of the linear equation, of their Jacobian, and against simulations."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from sgdsim.api import simulate, solve
from sgdsim.committee.averages.activations import Relu
from sgdsim.committee.chain import Chain
from sgdsim.committee.problem import Committee
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.sections import TheorySection
from sgdsim.committee.starts import OverlapStart
from sgdsim.committee.theory.fluctuations import deviations, predict_spread
from sgdsim.committee.theory.ode import ExactODE, GradientFlow, LimitODE
from sgdsim.committee.theory.step_covariance import StepCovariance
from sgdsim.committee.update import Update
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.times import linear_times, log_times
from sgdsim.errors import ArgumentError
from sgdsim.rules.entries import full, independent
from sgdsim.rules.linear_noise import Deviations, propagate
from sgdsim.rules.overlaps import Overlaps

START, THEORY = OverlapStart(0.5, 1), ExactODE(fluctuations=True)
STD = {name: f"{name}_predicted_std" for name in ("M", "Q", "excess_risk")}


def reference(d=1000, p=4, **options):
    """The case of the finite-size law: p = k = 4, gamma = 1, noise 1e-3."""
    return Committee.from_scaling(**{"d": d, "k": 4, "p0": p, "gamma0": 1.0, "noise": 1e-3} | options)


def shared(problem):
    return jax.tree.map(lambda part: jnp.asarray(part[0]), START.draw(problem, np.random.default_rng(0), 1))


def test_propagation_is_the_exponential_and_its_integral():
    rng = np.random.default_rng(2)
    J, root = rng.normal(size=(5, 5)) - 2 * np.eye(5), rng.normal(size=(5, 3))
    D = root @ root.T
    for length in (0.0, 0.01, 1.0, 30.0):
        Phi, C = propagate(J, D, length)
        np.testing.assert_allclose(Phi, expm(J * length), rtol=1e-9, atol=1e-13)
        expected = solve_ivp(
            lambda t, sigma: (J @ sigma.reshape(5, 5) + sigma.reshape(5, 5) @ J.T + D).ravel(),
            (0, length), np.zeros(25), rtol=1e-10, atol=1e-12,
        ).y[:, -1]  # fmt: skip
        np.testing.assert_allclose(C.ravel(), expected, rtol=1e-7, atol=1e-9)


def test_the_law_of_a_damped_walk_is_that_of_ornstein_and_uhlenbeck():
    """One entry, J = -1, D = 2: Sigma = 1 - exp(-2t), and E|delta| = sqrt(2 Sigma/pi)."""
    times = np.array([0.1, 0.5, 2.0, 2.0])
    parts = [propagate(-np.eye(1), 2 * np.eye(1), step) for step in np.diff(times, prepend=0)]
    law = Deviations(*(np.stack(part) for part in zip(*parts, strict=True)))
    sigma = 1 - np.exp(-2 * times)
    np.testing.assert_allclose(law.covariances[:, 0, 0], sigma, rtol=1e-12)
    means, sup = law.mean_sizes(np.zeros((4, 1)))
    np.testing.assert_allclose(means, np.sqrt(2 * sigma / np.pi), rtol=1e-2)
    assert means[-1] < sup < means[-1] + np.sqrt(2 * sigma[1] / np.pi)
    np.testing.assert_allclose(law.mean_sizes(np.full((4, 1), 100.0))[0], 100, atol=0.01)
    for last in (1, 3):
        shorter = Deviations(law.transitions[:last], law.kicks[:last])
        means, sup = shorter.mean_sizes(np.zeros((last, 1)))
        assert sup >= means.max(), "the last time is one of them"
        if last == 1:
            assert sup == means[0]


def test_the_jacobian_is_that_of_finite_differences():
    """exp(J h) of the ODE itself: small displacements of the start, followed to t = 0.5."""
    problem = reference(p=2, k=2, gamma0=2.0)
    initial, flow, times = shared(problem), ExactODE().bind(problem), np.array([0.5])
    Phi = deviations(problem, flow, initial, times, fineness=4.0).transitions[0]
    origin = np.asarray(independent(initial.M, initial.Q))
    eps = 1e-5
    for column in range(len(origin)):
        ends = []
        for sign in (1, -1):
            M, Q = full(jnp.asarray(origin + sign * eps * np.eye(len(origin))[column]), 2, 2)
            end = flow.solve(Overlaps(P=initial.P, M=M, Q=Q), times)
            ends.append(np.asarray(independent(jnp.asarray(end["M"]), jnp.asarray(end["Q"])))[0])
        np.testing.assert_allclose(Phi[:, column], (ends[0] - ends[1]) / (2 * eps), atol=2e-4)


def test_sigma_solves_its_equation_and_is_positive_semidefinite():
    """A few steps of time: Sigma = t dt D to first order, and a finer path gives the same to 0.2 %."""
    problem = reference(p=2, k=2, gamma0=2.0)
    initial, flow = shared(problem), ExactODE().bind(problem)
    times = np.array([1e-4, 0.5, 3.0])
    coarse, fine = (deviations(problem, flow, initial, times, n).covariances for n in (1.0, 4.0))
    first = np.asarray(eqx.filter_jit(StepCovariance.of(problem))(initial.P, initial.M, initial.Q))
    np.testing.assert_allclose(coarse[0], 1e-4 * first, atol=1e-3 * 1e-4 * first.max())
    for sigma, finer in zip(coarse, fine, strict=True):
        np.testing.assert_array_equal(sigma, sigma.T)
        values = np.linalg.eigvalsh(sigma)
        assert values[0] > -1e-10 * values[-1]
        assert np.abs(sigma - finer).max() < 2e-3 * finer.max()


def test_save_times_in_between_change_nothing():
    problem = reference(p=2, k=2, gamma0=2.0)
    initial, flow = shared(problem), ExactODE().bind(problem)
    few, many = (deviations(problem, flow, initial, times) for times in (np.array([5.0]), linear_times(5.0, 20)))
    size = np.abs(few.covariances[-1]).max()
    np.testing.assert_allclose(many.covariances[-1], few.covariances[-1], atol=1e-3 * size)


def test_the_spread_is_that_of_sigma():
    """Roots of its diagonal, and of g.Sigma.g with the gradient g of the risk by differences of finite steps."""
    problem = reference(p=2, k=2, gamma0=2.0)
    initial, flow, times = shared(problem), ExactODE().bind(problem), np.array([0.5])
    spread = predict_spread(problem, flow, flow, initial, times)
    (sigma,) = deviations(problem, flow, initial, times).covariances
    diagonal = full(np.sqrt(np.diagonal(sigma))[None], 2, 2)
    np.testing.assert_allclose(spread.std["M"], diagonal[0], rtol=1e-12)
    np.testing.assert_allclose(spread.std["Q"], diagonal[1], rtol=1e-12)
    end = flow.solve(initial, times)
    origin, steps = independent(end["M"][0], end["Q"][0]), 1e-5 * np.eye(len(sigma))
    risk = jax.jit(lambda entries: flow.risk(initial.P, *full(entries, 2, 2)))
    gradient = np.array([float(risk(origin + step) - risk(origin - step)) for step in steps]) / 2e-5
    np.testing.assert_allclose(spread.std["excess_risk"], [np.sqrt(gradient @ sigma @ gradient)], rtol=1e-6)


@pytest.mark.slow
def test_the_constant_of_the_finite_size_law():
    """E|Omega - Omega_bar|_inf at T = 5, d = 1000 is 0.00643; at any d it is a constant times sqrt(dt)."""
    times = linear_times(5.0, 50)
    solved = {d: solve(reference(d), START, times, theory=THEORY) for d in (1000, 100_000)}
    assert float(solved[1000]["final_deviation_predicted"]) == pytest.approx(0.00643, rel=0.01)
    ratio = float(solved[1000]["sup_deviation_predicted"] / solved[100_000]["sup_deviation_predicted"])
    assert ratio == pytest.approx(10, rel=0.01)
    assert solved[1000][STD["Q"]].dims == ("time", "student", "student_2")
    for name in STD.values():
        spread = solved[1000][name].to_numpy()
        assert (spread > 0).all()
    assert set(solve(reference(), START, times).data_vars) == {"M", "Q", "excess_risk"}


@pytest.mark.parametrize(
    ("theory", "delta"), [pytest.param(LimitODE, 0.3, marks=pytest.mark.slow), (GradientFlow, 0.0)]
)
def test_about_another_theory_its_distance_from_the_ode_counts(theory, delta):
    """d = 10^6: the scatter is small, and the distance of the two theories is nearly all there is."""
    problem, times = reference(10**6, delta=delta, gamma0=4.0), np.array([0.5, 1.0])
    other = solve(problem, START, times, theory=theory(fluctuations=True))
    exact = solve(problem, START, times, theory=THEORY)
    distance = max(float(np.abs(other[name] - exact[name])[-1].max()) for name in ("M", "Q"))
    assert float(other["final_deviation_predicted"]) == pytest.approx(distance, rel=0.1)
    assert float(exact["final_deviation_predicted"]) < 0.2 * distance
    np.testing.assert_array_equal(other[STD["M"]], exact[STD["M"]])


@pytest.mark.slow
def test_a_long_run_on_a_logarithmic_grid():
    """Five decades of time: the plateau and its end, with finite predictions of modest size."""
    problem = reference(10**5, gamma0=2.0, p=2, k=2)
    solved = solve(problem, OverlapStart(0.5, 1), log_times(1e3, 12, 1e-2), theory=THEORY)
    for name in STD.values():
        assert np.isfinite(solved[name]).all()
        assert float(solved[name].max()) < 0.2


def test_it_is_not_offered_where_it_does_not_hold():
    times = np.array([1.0])
    wide = reference(10**4, p=30)
    with pytest.raises(ArgumentError, match=r"`fluctuations` must be false where M and Q have more than 400"):
        solve(wide, START, times, theory=THEORY)
    own = OverlapStart(0.5, 1, per_replica=True)
    with pytest.raises(ArgumentError, match="`fluctuations` must be false where every replica has a start of its own"):
        Ensemble(reference(), own, Chain(), THEORY, times, 8, 0)
    with pytest.raises(ArgumentError, match="start of its own"):
        THEORY.spread(reference(), own, times)
    with pytest.raises(ArgumentError, match="for d < k"):
        THEORY.check(reference(7))
    with pytest.raises(ArgumentError, match="without a theory"):
        TheorySection(kind="none", fluctuations=True).build()
    assert TheorySection(kind="limit", fluctuations=True).build() == LimitODE(fluctuations=True)
    assert ExactODE().spread(reference(), START, times) is None


@pytest.mark.slow
def test_a_second_layer_of_ones_has_the_spread_of_the_plain_network():
    """By the theory of any rule, which shares with that of the plain network nothing but the linear equation.

    The layer is trained, if by next to nothing: a fixed one of ones is the plain network itself.
    """
    problem, times = reference(300, k=2, p=2, gamma0=2.0, noise=0.1, batch=3), np.array([0.5, 2.0])
    layered = replace(problem, second=SecondLayer(gamma_a=1e-12))
    assert problem.plain
    assert not layered.plain
    plain, ones = (solve(one, START, times, theory=THEORY) for one in (problem, layered))
    for name in (*STD.values(), "sup_deviation_predicted"):
        # The noise of a rule is an average over points: 4e-4 was measured.
        np.testing.assert_allclose(ones[name], plain[name], rtol=2e-3, atol=2e-3 * float(np.abs(plain[name]).max()))


@pytest.mark.slow
def test_a_trained_second_layer_has_the_predicted_spread():
    """a and all else within 3 %; the error of a measured ratio is 0.6 %."""
    layer = SecondLayer(a0=[0.6, 1.5], gamma_a=1.5, a_star=[1.0, 1.8])
    problem = replace(reference(1000, k=2, p=2, gamma0=2.0, noise=0.1), second=layer, update=Update(decay=0.2))
    measured = measure(problem, [0.5, 2.0], 2**14)
    for name in ("M", "Q", "a"):
        assert float(np.abs(measured[f"{name}_std"] / measured[f"{name}_predicted_std"] - 1).max()) < 0.03, name
    check_distances(measured)


def test_beside_extras_it_is_offered_by_the_exact_theory_alone():
    problem = replace(reference(), second=SecondLayer(gamma_a=0.5))
    with pytest.raises(ArgumentError, match="`theory` must be exact or none beside gamma_a"):
        LimitODE(fluctuations=True).check(problem)
    THEORY.check(problem)
    relu = replace(problem, activation=Relu(), update=Update(reuse=2))
    with pytest.raises(ArgumentError, match="be false where a step jumps in its fields"):
        THEORY.check(relu)
    with pytest.raises(ArgumentError, match="more than 400 independent entries"):
        THEORY.check(replace(reference(10**4, p=30), update=Update(momentum=0.5)))
    with pytest.raises(ArgumentError, match="start of its own"):
        THEORY.check_start(problem, OverlapStart(0.5, 1, per_replica=True))


def measure(problem, times, replicas):
    return simulate(problem, START, np.array(times), replicas=replicas, seed=3, theory=THEORY)


def worst_ratio(measured, scale=1.0):
    """The largest |measured/predicted - 1| of a standard deviation, over all entries, the risk and the save times."""
    ratios = [measured[f"{name}_std"] / (scale * measured[predicted]) for name, predicted in STD.items()]
    return max(float(np.abs(ratio - 1).max()) for ratio in ratios)


def check_distances(measured):
    """Mean distance at the end and mean of the largest, within 1 %; without the last time the largest is far less."""
    for name in ("final_deviation", "sup_deviation"):
        assert float(measured[f"{name}_predicted"]) == pytest.approx(float(measured[name].mean()), rel=0.01)


@pytest.mark.slow
def test_every_standard_deviation_is_as_predicted():
    """All 26 order parameters and the risk within 2 %; the error of a measured ratio is 0.4 %."""
    measured = measure(reference(1000), [1.0, 5.0], 2**15)
    assert worst_ratio(measured) < 0.02
    check_distances(measured)


@pytest.mark.slow
def test_a_batch_and_strong_noise_have_the_predicted_spread():
    """gamma/p = 1 and a batch of 3, where the term of second order in gamma counts; a prediction off by 4 % is seen."""
    measured = measure(reference(300, k=2, p=2, gamma0=2.0, noise=0.1, batch=3), [0.5, 2.0], 2**14)
    assert worst_ratio(measured) < 0.03
    check_distances(measured)
    assert min(worst_ratio(measured, scale) for scale in (0.96, 1.04)) > 0.03


@pytest.mark.slow
def test_relu_has_the_predicted_spread():
    """gamma/p = 1, where its averages of four fields count; the error of a measured ratio is 0.6 %."""
    measured = measure(reference(300, k=2, p=2, gamma0=2.0, noise=0.1, activation=Relu()), [0.5, 2.0], 2**14)
    assert worst_ratio(measured) < 0.03
    check_distances(measured)
