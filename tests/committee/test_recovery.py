"""Recovery of a teacher: its observables, starts, what a step does, and the slopes that theory expects and SGD has."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from numpy.polynomial.hermite_e import hermegauss, hermeval
from scipy.integrate import quad

from sgdsim import solve
from sgdsim.analysis.levels import median_time
from sgdsim.committee import Chain, Committee, Erf, ExplicitStart, Hermite, OverlapStart, SphereStart
from sgdsim.committee.observables import recovery
from sgdsim.committee.system import SYSTEM
from sgdsim.committee.theory.recovery import recovery_slope
from sgdsim.committee.theory.search import drift, drift_time, recovery_rate
from sgdsim.committee.update import Update
from sgdsim.laws.law import Members
from sgdsim.laws.power import Power, PowerFit
from sgdsim.rules.schedule import PowerSchedule
from tests.helpers import run


def test_overlap_and_recovered_by_hand():
    P, Q = jnp.diag(jnp.array([4.0, 1.0]))[..., None], jnp.diag(jnp.array([1.0, 9.0]))[..., None]
    M = jnp.array([[0.2, -0.3], [-3.0, 0.6]])[..., None]  # cosines 0.1, -0.3; -0.5, 0.2
    seen = recovery(P, M, Q)
    np.testing.assert_allclose(seen["overlap"], [0.5])
    np.testing.assert_array_equal(seen["recovered"], [1.0])
    seen = recovery(P, 0.99 * M, Q)
    np.testing.assert_array_equal(seen["recovered"], [0.0])


def test_units_begin_on_the_first_teachers_side():
    problem = Committee(d=50, k=2, p=3, gamma=1.0)
    draws = [
        SphereStart(per_replica=True, positive=positive).draw(problem, np.random.default_rng(1), 64)
        for positive in (False, True)
    ]
    free, positive = (draw.M for draw in draws)
    assert (free[:, :, 0] < 0).any()
    signs = np.where(free[:, :, 0] < 0, -1.0, 1.0)
    np.testing.assert_allclose(positive, free * signs[:, :, None])
    np.testing.assert_allclose(draws[1].Q, draws[0].Q * signs[:, :, None] * signs[:, None, :])


def test_an_overlap_may_fall_with_the_dimension():
    fixed, falling = (
        OverlapStart(0.6, per=per).draw(Committee(d=400, k=2, p=1, gamma=1.0), np.random.default_rng(1), 1)
        for per in (None, "root_d")
    )
    np.testing.assert_allclose(falling.M, fixed.M / 20)
    np.testing.assert_allclose(np.linalg.norm(falling.M), 0.03)
    np.testing.assert_allclose(falling.Q, 1.0)


def searching(degree, d, gamma0, **rest):
    """Spherical SGD of one unit on one of the same kind, at the rate at which its steps go as d^(l-1)."""
    delta = max(degree / 2 - 1, 0)
    update, unit = Update(spherical=True, correlation=True), Hermite(degree)
    return Committee.from_scaling(d=d, k=1, delta=delta, gamma0=gamma0, activation=unit, update=update, **rest)


def searched(problem):
    """The time that the drift alone takes from overlap 1/sqrt(d) to 1/2."""
    rate = recovery_rate(problem)
    assert rate is not None
    return 1 / rate


def averages_of_a_step(degree, overlap):
    """Of e = y sigma': E[e (lambda* - m lambda)], E[e^2] and E[(e (lambda* - m lambda))^2], on 24 x 24 nodes."""
    nodes, weights = hermegauss(24)
    weights = np.outer(weights, weights) / (2 * np.pi)
    teacher, other = np.meshgrid(nodes, nodes, indexing="ij")
    student = overlap * teacher + np.sqrt(1 - overlap**2) * other
    error = hermeval(teacher, np.eye(7)[degree]) * hermeval(student, np.eye(7)[degree - 1])
    error = error * degree / np.prod(np.arange(1, degree + 1))  # h_l sqrt(l) h_(l-1) = l He_l He_(l-1)/l!
    along = error * (teacher - overlap * student)
    return tuple(float((weights * values).sum()) for values in (along, error**2, along**2))


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_drift_and_noise_in_closed_form(degree):
    for overlap in (0.2, 0.5):
        np.testing.assert_allclose(drift(degree, overlap), averages_of_a_step(degree, overlap)[0])
    _, square, variance = averages_of_a_step(degree, 0.0)
    np.testing.assert_allclose([square, variance], [degree, degree * (2 * degree + 1)])


def test_one_step_drifts_and_is_kicked():
    """At gamma = 0.1 the kick of l = 3 takes two thirds of the drift at overlap 1/2."""
    problem, start = searching(3, 10**5, 0.1 * 10**2.5), OverlapStart(0.5)
    tiles = run(problem, start, Chain(), [problem.dt], 2**19)
    moves = (np.average(tiles.mean["M"][:, 0, 0, 0]) - 0.5) * problem.d / problem.gamma
    _, square, variance = averages_of_a_step(3, 0.5)
    kick = 0.5 * problem.gamma * square / 2
    error = np.sqrt(variance / 2**19)
    assert kick > 30 * error
    assert abs(moves - (drift(3, 0.5) - kick)) < 5 * error


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5])
def test_time_of_the_drift(degree):
    found = drift_time(degree, 0.1, 0.5)
    assert found == pytest.approx(quad(lambda m: 1 / drift(degree, m), 0.1, 0.5)[0], rel=1e-10)
    problem = searching(degree, 100, 0.3, batch=3)
    assert searched(problem) == pytest.approx(found * 100 / problem.gamma * problem.dt, rel=1e-12)
    assert problem.parameters()["recovery_rate"] == recovery_rate(problem)


@pytest.mark.parametrize(
    "problem",
    [
        searching(3, 4, 0.3),
        searching(3, 100, 0.3, schedule=PowerSchedule(t0=1.0, exponent=0.5)),
        searching(3, 100, 0.3, teacher_activation=Hermite(2)),
        searching(3, 100, 0.3, p0=2),
        Committee(d=100, k=1, p=1, gamma=0.1, activation=Hermite(3)),
        Committee(d=100, k=1, p=1, gamma=0.1, activation=Hermite(3), update=Update(spherical=True, momentum=0.5)),
        Committee(d=100, k=1, p=1, gamma=0.1, activation=Hermite(3), update=Update(spherical=True, reuse=2)),
    ],
)
def test_no_time_of_the_drift_alone(problem):
    assert recovery_rate(problem) is None
    assert "recovery_rate" not in problem.parameters()


@pytest.mark.parametrize(("degree", "share"), [(2, 1.0), pytest.param(3, 0.0, marks=pytest.mark.slow)])
def test_of_an_even_target_either_sign_is_recovered(degree, share):
    """From overlap -0.3: the drift is odd in the overlap for an even target, even for an odd one."""
    problem = searching(degree, 10**4, 0.1)
    start = ExplicitStart(P=[[1.0]], M0=[[-0.3]], Q0=[[1.0]])
    final = 1.5 * drift_time(degree, 0.3, 0.5) * problem.d / problem.gamma * problem.dt
    tiles = run(problem, start, Chain(), [final], 64)
    assert np.average(tiles.mean["recovered"][:, 0]) == share
    assert np.average(tiles.mean["M"][:, 0, 0, 0]) < 0


def test_the_ode_stays_on_the_sphere():
    """To long after the teacher is found: what the solver does to the length must not grow, by exp(40) here."""
    problem = searching(3, 5000, 0.15)
    times = np.linspace(0.5, 1.5, 20) * searched(problem)
    found = solve(problem, OverlapStart(1.0, per="root_d"), times=times)
    np.testing.assert_allclose(found["Q"].values, 1, atol=1e-7)
    overlap = found["overlap"].values[-1]
    _, square, _ = averages_of_a_step(3, overlap)
    assert 0.95 < overlap < 1
    assert drift(3, overlap) == pytest.approx(overlap * problem.gamma * square / 2, rel=1e-3)


def steps_to_overlap(degree, d, gamma0, replicas):
    """The median, with its error."""
    problem = searching(degree, d, gamma0)
    steps = np.round(np.geomspace(0.4, 1.7, 300) * searched(problem) / problem.dt)
    tiles = run(problem, OverlapStart(1.0, per="root_d"), Chain(), steps * problem.dt, replicas)
    return median_time(steps, np.average(tiles.mean["recovered"], axis=0), replicas)


@pytest.mark.parametrize(
    ("degree", "gamma0", "dims"),
    [
        (1, 0.3, (1000, 100_000)),
        pytest.param(2, 0.1, (300, 30_000), marks=pytest.mark.slow),
        pytest.param(3, 0.15, (50, 500), marks=pytest.mark.slow),
        pytest.param(4, 0.04, (25, 100), marks=pytest.mark.slow),
    ],
)
def test_steps_go_as_the_information_exponent_says(degree, gamma0, dims):
    """d, d ln d, d^2, d^3, within the tolerance of the experiment and twice the error of the two points."""
    medians = np.array([steps_to_overlap(degree, d, gamma0, 256) for d in dims])
    steps = medians[:, 0] / (np.log(dims) if degree == 2 else 1.0)
    apart = np.log(dims[1] / dims[0])
    slope, error = np.log(steps[1] / steps[0]) / apart, np.hypot(*(medians[:, 1] / medians[:, 0])) / apart
    tolerance = 0.1 if degree == 4 else 0.05
    assert abs(slope - max(degree - 1, 1)) < tolerance + 2 * error
    assert error < 0.08


def cells(degree, delta, student=None, batch=None, **update):
    return [
        Committee.from_scaling(
            d=d,
            k=1,
            delta=delta,
            **batch or {},
            activation=student or Hermite(degree),
            teacher_activation=Hermite(degree),
            update=Update(spherical=True, **update),
        )
        for d in (100, 1000)
    ]


@pytest.mark.parametrize(
    ("problems", "slope", "beside_log"),
    [
        (cells(1, 0.0), 1.0, None),
        (cells(2, 0.0), None, 1.0),
        (cells(3, 0.5), 2.0, None),
        (cells(4, 1.0), 3.0, None),
        (cells(4, 0.5), None, None),
        (cells(2, 0.5), None, None),
        (cells(3, 0.0, Erf()), None, None),
        (cells(3, 0.0, Erf(), reuse=2), 1.0, None),
        (cells(2, 0.0, Erf(), reuse=2), None, None),
    ],
)
def test_expected_slopes(problems, slope, beside_log):
    for log, expected in ((False, slope), (True, beside_log)):
        assert recovery_slope("steps_to_overlap", "d", problems, beside_log=log) == expected
        assert recovery_slope("steps_to_overlap", "dt", problems, beside_log=log) is None


def test_a_batch_divides_the_steps_and_leaves_the_samples():
    """d^(1/4) samples at gamma/batch fixed, on He_3; at gamma fixed there is no law."""
    problems = cells(3, 0.5, batch={"mu": 0.25, "rho": 1.0})
    for quantity, slope in (("steps_to_overlap", 1.75), ("samples_to_overlap", 2.0)):
        assert recovery_slope(quantity, "d", problems, beside_log=False) == slope
        assert recovery_slope(quantity, "d", cells(3, 0.5, batch={"mu": 0.25}), beside_log=False) is None


def test_a_law_with_a_logarithm_is_held_against_the_slope_beside_it():
    """Shares that pass 1/2 at 7 d ln d."""
    problems, steps = cells(2, 0.0), np.geomspace(1e2, 1e6, 400)
    data = [
        xr.Dataset(
            {"recovered": ("time", 1 / (1 + (7 * p.d * np.log(p.d) / steps) ** 3)), "n_replicas": 10_000},
            coords={"step": ("time", steps)},
        )
        for p in problems
    ]
    members = Members(SYSTEM, problems, data)
    beside, without = (
        Power().fit(PowerFit(quantity="steps_to_overlap", against="d", log=log), members) for log in (True, False)
    )
    assert beside.expected_slope == 1.0
    assert beside.slope == pytest.approx(1, abs=1e-3)
    assert without.expected_slope is None
    assert without.slope == pytest.approx(1 + np.log(1.5) / np.log(10), abs=1e-3)
