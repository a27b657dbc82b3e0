"""The two limits of a teacher's data: velocities by gradients, k + 1 coordinates against d, and the committee's ODE."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sgdsim
from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import ExplicitStart as OverlapsGiven
from sgdsim.committee.theory.ode import GradientFlow
from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.bridge import TwoLimits
from sgdsim.meanfield.dynamics import Sgd
from sgdsim.meanfield.features import erf_unit
from sgdsim.meanfield.limits import narrow, teacher_limit
from sgdsim.meanfield.limits.limit import solution
from sgdsim.meanfield.limits.narrow import narrow_risk, narrow_starts
from sgdsim.meanfield.limits.teacher_flow import NO_REST, cosines, evolve, orders, velocity
from sgdsim.meanfield.limits.teacher_limit import TeacherSolution, follows_teacher, sobol_rows
from sgdsim.meanfield.losses import Squared
from sgdsim.meanfield.model import GaussianLaw, Model, radius
from sgdsim.meanfield.models import tanh_model, teacher_model
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import LawStart
from sgdsim.meanfield.teacher import GaussianTeacher
from sgdsim.meanfield.theory import MeanFieldLimit

P = np.array([[1.0, 0.3], [0.3, 0.7]])
TEACHER = GaussianTeacher(6, 2, 0.1, P)
MODEL = teacher_model(6, 2, overlap=0.5)
T = 2.0


def problem(model: Model = MODEL, N: int = 4, **changes) -> MeanField:
    return MeanField(**{"model": model, "N": N, "gamma": 0.05, "beta": 0.0} | changes)


@pytest.fixture
def few(monkeypatch):
    """A limit of 2^7 particles, and few starts in high dimension."""
    monkeypatch.setattr(teacher_limit, "LOG2", 7)
    monkeypatch.setattr(narrow, "DRAWS", 512)
    monkeypatch.setattr(narrow, "LEAST_STARTS", 16)


def particles(count: int, seed: int = 0) -> tuple[jax.Array, jax.Array]:
    """m (count, 2) and r (count,) of a law without a symmetry, and positive weights."""
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(0.2, 0.6, (count, 2))), jnp.asarray(rng.uniform(0.3, 1.4, count))


def test_velocity_is_down_the_gradient_of_the_risk():
    """w_i' = -(1/p_i) dR/dw_i, of a law of unequal weights, with all six weights in m and with two and the rest."""
    weights = jnp.array([0.5, 0.2, 0.3])
    rows = jnp.asarray(np.random.default_rng(1).normal(0.1, 0.5, (3, 6)))
    for W, pairs in (((rows, jnp.zeros(3)), NO_REST), (particles(3), cosines(4, 6))):
        slope = jax.grad(lambda W, pairs=pairs: TEACHER.risk(Squared(), orders(TEACHER, W, weights, pairs)))(W)
        found = velocity(TEACHER, W, weights, pairs)
        np.testing.assert_allclose(found[0], -slope[0] / weights[:, None], rtol=1e-9)
        if pairs is not NO_REST:
            np.testing.assert_allclose(found[1], -slope[1] / weights, rtol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_moments_of_the_cosine(n):
    """E u^2 = 1/n and E u^4 = 3/(n (n + 2)) in R^n, and nothing odd."""
    u, weights = (np.asarray(value) for value in cosines(n, 4))
    expected = [1, 0, 1 / n, 0, 3 / (n * (n + 2))]
    np.testing.assert_allclose([weights @ u**power for power in range(5)], expected, atol=1e-14)


def test_velocity_is_the_mean_over_directions_of_the_rest():
    """Eight particles whose rests have directions in R^4, a thousand times anew: projected on each one's own."""
    (m, r), weights, rng = particles(8), jnp.full(8, 1 / 8), np.random.default_rng(2)
    directions = rng.normal(size=(4000, 8, 4))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)

    met = jnp.append(jnp.zeros(8), weights)

    def sample(pair):
        # In the limit a particle meets independent copies of all, its own among them.
        own, copies = (jnp.concatenate([m, r[:, None] * e], axis=1) for e in pair)
        both = jnp.concatenate([own, copies]), jnp.zeros(16)
        found = velocity(TEACHER, both, met, NO_REST)[0][:8]
        return jnp.concatenate([found[:, :2], jnp.sum(found[:, 2:] * pair[0], axis=1, keepdims=True)], axis=1)

    pairs = jnp.asarray(directions), jnp.asarray(rng.permutation(directions))
    samples = np.asarray(jax.lax.map(sample, pairs))
    expected = velocity(TEACHER, (m, r), weights, cosines(4, 6))
    z = (samples.mean(axis=0) - np.column_stack(expected)) / (samples.std(axis=0) / 4000**0.5)
    assert abs(z).max() < 5


def test_six_cosines_are_enough():
    """At the least dimensions of the rest, 1 and 2, and from long particles."""
    (m, r), weights = particles(16), jnp.full(16, 1 / 16)
    for n in (2, 3):
        found, exact = (velocity(TEACHER, (2 * m, 2 * r), weights, cosines(n, count)) for count in (6, 40))
        for one, other in zip(found, exact, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.slow
def test_k_plus_1_coordinates_are_those_of_particles_in_d():
    """2^11 Sobol particles in R^6 against 2^10 in (m, r): risk to 1 %."""
    teacher, full = teacher_limit.teacher_of(MODEL), np.asarray(MODEL.law(jnp.asarray(sobol_normals(6, 11).T))).T
    rows = (jnp.asarray(full), jnp.zeros(len(full)))
    m = evolve(teacher, rows, jnp.full(len(full), 1 / len(full)), NO_REST, 0.25, 8)[1]
    direct = teacher.risk(Squared(), m.T)
    start = sobol_rows(MODEL, 10)
    reduced = evolve(teacher, start, jnp.full(1024, 1 / 1024), cosines(4, 6), 0.25, 8)[1]
    np.testing.assert_allclose(teacher.risk(Squared(), reduced.T), direct, rtol=5e-3)


def test_start_of_the_limit(few):
    """Means and variances of every weight, and the histogram of |w|, whose square is 2 (0.5)^2 + 1 on average."""
    seen = Model(name="seen", feature=erf_unit, loss=Squared(), data=MODEL.data, law=MODEL.law, coordinate=radius)
    solved = TeacherSolution(problem(seen), 1.0)
    np.testing.assert_allclose(solved.limit.variance[0], [0.25, 0.25, *[0.25] * 4], rtol=0.02)
    np.testing.assert_allclose(solved.limit.mean[0], np.zeros(6), atol=0.01)
    edges = np.linspace(0, 4, 81)
    counts = solved.histogram(np.array([0.0, 1.0]), edges)
    np.testing.assert_allclose(counts.sum(axis=1), 1)
    squares = counts @ ((edges[1:] + edges[:-1]) / 2) ** 2
    variance = np.asarray(solved.limit.variance)
    later = variance[[0, -1]].sum(axis=1) + (np.asarray(solved.limit.mean)[[0, -1]] ** 2).sum(axis=1)
    np.testing.assert_allclose(squares, later, rtol=0.01)


def test_time_runs_with_the_scale_of_the_loss(few):
    double = Model(name="double", feature=erf_unit, loss=Squared(2.0), data=MODEL.data, law=MODEL.law)
    once, twice = (TeacherSolution(problem(model), 1.0).limit for model in (MODEL, double))
    np.testing.assert_allclose(twice.m_at(0.5), once.m_at(1.0), rtol=1e-6)


def test_the_ode_is_the_committees():
    """Four units on orthogonal rests: the excess risk of gradient flow from the same overlaps, at t = A t_committee."""
    rows = narrow_starts(MODEL, 4, 1)[0]
    committee = Committee(d=1000, p=4, k=2, gamma=2.0)
    A = committee.gamma / committee.p / (committee.d * committee.dt)
    at = 0.25 * np.arange(9)
    given = OverlapsGiven(np.eye(2), rows[:, :2], rows @ rows.T)
    expected = sgdsim.solve(committee, given, at / A, theory=GradientFlow())["excess_risk"]
    m = evolve(MODEL.data, (jnp.asarray(rows), jnp.zeros(4)), jnp.full(4, 0.25), NO_REST, 0.25, 8)[1]
    np.testing.assert_allclose(MODEL.data.risk(Squared(), m.T), expected, rtol=1e-5)


def test_starts_in_high_dimension():
    """The span as the law has it, and orthogonal rests of length 1."""
    rows = narrow_starts(MODEL, 3, 4000)
    np.testing.assert_allclose(np.cov(rows[:, :, :2].reshape(-1, 2).T), 0.25 * np.eye(2), atol=0.02)
    np.testing.assert_allclose(rows[7, :, 2:], np.eye(3), atol=1e-15)


@pytest.mark.slow
def test_both_limits_commute(few):
    """Many units in high dimension: the mean-field limit at d = 100 is near the ODE of N = 32."""
    wide = problem(teacher_model(100, 2, overlap=0.5), N=32)
    curves = TwoLimits().bind(wide).solve(LawStart().draw(wide, np.random.default_rng(0), 1), np.array([0.5, T]))
    np.testing.assert_allclose(curves["narrow_risk"], curves["excess_risk"], rtol=0.12)
    assert (curves["narrow_risk"] > curves["excess_risk"]).all()
    single = narrow_risk(problem(N=2), np.array([T]))
    assert single[0] > 1.5 * curves["narrow_risk"][1]


@pytest.mark.slow
def test_wide_networks_come_to_the_limit():
    """N = 32 and 128 at d = 6, extrapolated by 1/N: the limit's risk at t = 1 and 2."""
    times = np.array([1.0, T])
    runs = [
        sgdsim.simulate(problem(N=N, gamma=0.5), LawStart(), times, replicas=512, compare=False, seed=3)
        for N in (32, 128)
    ]
    means, errors = ([run[name].to_numpy() for run in runs] for name in ("excess_risk", "excess_risk_sem"))
    extrapolated, error = (4 * means[1] - means[0]) / 3, np.hypot(4 * errors[1], errors[0]) / 3
    limit = np.asarray(sgdsim.solve(problem(N=32), LawStart(), times)["excess_risk"])
    assert (error < 0.01 * limit).all()
    assert (abs(extrapolated - limit) < 4.5 * error + 2e-3 * limit).all()


def test_which_models_have_these_limits():
    assert follows_teacher(MODEL)
    uneven = np.array([0.5, 0.5, 0.3, 0.3, 0.3, 0.4])
    mine = Model(name="mine", feature=erf_unit, loss=Squared(), data=MODEL.data, law=GaussianLaw(np.zeros(6), uneven))
    seen = Model(
        name="seen", feature=erf_unit, loss=Squared(), data=MODEL.data, law=MODEL.law, coordinate=lambda w: w[3]
    )
    for other in (mine, seen):
        assert not follows_teacher(other)
        assert not MeanFieldLimit().exists(problem(other))
        with pytest.raises(ArgumentError, match="atoms"):
            solution(problem(other), 1.0)
    tanh = problem(tanh_model(), N=100, gamma=0.1)
    assert MeanFieldLimit().exists(tanh)
    assert not TwoLimits().exists(tanh)
    with pytest.raises(ArgumentError, match="teacher_model"):
        TwoLimits().check(tanh)
    random = problem(beta=1.0)
    assert not TwoLimits().exists(random)
    with pytest.raises(ArgumentError, match="random"):
        TwoLimits().check(random)
    with pytest.raises(ArgumentError, match="shared"):
        problem(dynamics=Sgd("per_particle"))
    assert TwoLimits().cost(problem(), LawStart(), np.array([T])) > 0
