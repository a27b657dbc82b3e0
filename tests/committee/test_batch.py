"""A batch that grows with d, batch = b0 d^mu: what is realised, its regions and time, its theory, and its laws."""

import math

import numpy as np
import pytest

from sgdsim.analysis.levels import first_crossing
from sgdsim.committee import Chain, Committee, ExactODE, ExplicitStart, LimitODE, OverlapStart, Weights
from sgdsim.committee.scaling import Region, Scaling
from sgdsim.committee.system import CommitteeSlopes
from sgdsim.committee.update import Update
from sgdsim.ensemble.theory import solve_theory
from sgdsim.errors import ArgumentError
from sgdsim.rules.batches import RuleBatches
from sgdsim.rules.blocks import RuleBlocks
from tests.helpers import run, worst, z_between, z_from_theory, z_of_variances

SCALED = {"d": 1000, "k": 2, "p0": 3.0}
SLOPES = CommitteeSlopes()


def scaling(kappa, delta, mu, rho=0.0):
    return Scaling(kappa=kappa, delta=delta, p0=4.0, gamma0=4.0, b0=2.0, mu=mu, rho=rho)


def test_the_batch_follows_the_scaling():
    problem = Committee.from_scaling(**SCALED, b0=0.7, mu=0.25)
    assert problem.batch == problem.samples_per_step == round(0.7 * 1000**0.25) == 4
    parameters = problem.parameters()
    assert (parameters["b0"], parameters["mu"]) == (0.7, 0.25)
    assert parameters["mu_realised"] == pytest.approx(math.log(4 / 0.7) / math.log(1000), rel=1e-14)
    assert Committee.from_scaling(**SCALED, mu=0.5).batch == 32
    assert Committee.from_scaling(**SCALED, b0=5).batch == 5
    for plain in (Committee.from_scaling(**SCALED, batch=3), Committee(d=9, p=2, k=1, gamma=1.0, batch=3)):
        assert (plain.scaling.b0, plain.scaling.mu, plain.parameters()["mu_realised"]) == (3.0, 0.0, 0.0)


def test_the_learning_rate_follows_the_batch():
    """rho = 1/2 at a batch of round(3 sqrt(1000)) = 95."""
    problem = Committee.from_scaling(**SCALED, gamma0=2.0, delta=0.25, b0=3.0, mu=0.5, rho=0.5)
    assert problem.gamma == pytest.approx(2 * 1000**-0.25 * 95**0.5, rel=1e-14)
    assert problem.parameters()["rho"] == 0.5
    assert problem.scaling.theta == 0.25 - 0.25
    linear = Committee.from_scaling(**SCALED, gamma0=2.0, batch=16, rho=1.0)
    assert (linear.gamma, linear.dt, linear.region) == (32.0, 1e-3, Region.BLUE)
    assert LimitODE().coefficients(linear) == ExactODE().coefficients(linear) == pytest.approx((32 / 3, 64 / 9))


@pytest.mark.parametrize(
    ("keys", "argument"),
    [
        ({"rho": math.inf}, "rho"),
        ({"b0": 0.0}, "b0"),
        ({"b0": math.inf}, "b0"),
        ({"b0": 0.4}, "b0"),
        ({"mu": -0.1}, "mu"),
        ({"mu": math.nan}, "mu"),
        ({"batch": 2, "mu": 0.5}, "batch"),
        ({"batch": 2, "b0": 2.0}, "batch"),
        ({"batch": 0}, "batch"),
    ],
)
def test_what_is_refused(keys, argument):
    with pytest.raises(ArgumentError, match=f"Argument `{argument}` must"):
        Committee.from_scaling(**SCALED | keys)


def test_the_chain_takes_any_batch_but_one_that_is_used_again():
    problem = Committee.from_scaling(d=100, k=2, p0=3.0, b0=2.0, mu=0.9)
    Chain().check(problem)
    with pytest.raises(ArgumentError, match=r"`d` must be >= k \+ p \+ batch, .* = 131 .* smaller batch \(here 126\)"):
        Chain().check(Committee.from_scaling(d=100, k=2, p0=3.0, b0=2.0, mu=0.9, update=Update(reuse=2)))


@pytest.mark.parametrize(
    ("d", "batch", "reuse", "kernel"),
    [(1000, 11, 1, RuleBlocks), (1000, 12, 1, RuleBatches), (14, 10, 1, RuleBatches), (100, 50, 2, RuleBlocks)],
)
def test_which_form_of_the_chain_serves_a_batch(d, batch, reuse, kernel):
    """Inner products of all samples for p + 8 of them at most, where d leaves room, and of those used again."""
    update = Update(reuse=reuse) if reuse > 1 else None
    problem = Committee(d=d, p=3, k=2, gamma=1.0, batch=batch, update=update)
    assert type(Chain().bind(problem, 8, 1.0)) is kernel


@pytest.mark.slow
def test_large_batches_have_the_law_of_full_weights():
    """The plain network at batch = 3 d, and one unit with a sample where nothing is left outside its span."""
    for problem in (Committee(d=30, p=2, k=2, gamma=6.0, noise=0.1, batch=90), Committee(d=2, p=1, k=1, gamma=0.5)):
        start = ExplicitStart(np.eye(problem.k), 0.4 * np.eye(problem.k), np.eye(problem.k))
        chain = run(problem, start, Chain(), [2 / problem.d, 4 / problem.d], 2**12, seed=1)
        weights = run(problem, start, Weights(block=1), [2 / problem.d, 4 / problem.d], 2**12, seed=2)
        assert worst(z_between(chain, weights)) < 4.5
        assert worst(z_of_variances(chain, weights)) < 4.5


@pytest.mark.parametrize(
    ("kappa", "delta", "mu", "region", "exponent"),
    [
        (0.0, 0.0, 0.5, Region.GREEN, 1.0),
        (0.25, -0.5, 0.5, Region.GREEN, 0.75),
        (0.0, -0.5, 0.5, Region.BLUE, 0.5),
        (0.1 + 0.2, -0.6, 0.3, Region.BLUE, 0.7),
        (0.0, -0.6, 0.5, Region.ORANGE, 0.3),
        (0.0, -0.75, 0.5, Region.RED, 0.0),
        (0.0, -0.65, 0.3, Region.RED, 0.0),
        (0.0, -0.9, 1.0, Region.GREEN, 0.1),
        (0.0, -1.0, 1.0, Region.RED, 0.0),
        (0.0, -0.9, 2.0, Region.GREEN, 0.1),
        (0.0, -1.5, 2.0, Region.RED, 0.0),
    ],
)
def test_regions_and_time(kappa, delta, mu, region, exponent):
    """A learning rate that grows with the batch, batch^rho, is one that grows with d, d^(rho mu)."""
    for one in (scaling(kappa, delta, mu), scaling(kappa, delta + 0.7 * mu, mu, rho=0.7)):
        assert one.region is region
        assert one.time_step(1000) == pytest.approx(1000**-exponent, rel=1e-12)


@pytest.mark.parametrize("mu", [0.0, 0.3, 0.8])
def test_time_step_follows_the_larger_term_of_the_theorem(mu):
    for theta in (0.7, 0.2, -0.1, -0.35, -0.45):
        sizes = {d: (float(d) ** -theta, float(d) ** mu) for d in (100, 10_000)}  # gamma/p and batch
        larger = {d: max(rate / d, rate**2 / (batch * d)) for d, (rate, batch) in sizes.items()}
        steps = {d: scaling(0.0, theta, mu).time_step(d) for d in sizes}
        assert math.log(larger[100] / larger[10_000]) == pytest.approx(math.log(steps[100] / steps[10_000]), rel=1e-12)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [(0.25, (0.5, 0.0)), (0.0, (0.5, 0.0)), (-0.5, (0.5, 0.05)), (-0.625, (0.0, 0.05))],
)
def test_what_is_left_of_the_ode_in_the_limit(delta, expected):
    """gamma0/p0 = 1/2, b0 = 5, mu = 1/2: the exact terms over those of the limit are powers of d, and vanish."""
    keys = {"k": 2, "p0": 4.0, "b0": 5.0, "mu": 0.5}
    problems = [
        Committee.from_scaling(d=d, gamma0=2.0 / 5.0**rho, delta=delta + rho / 2, rho=rho, **keys)
        for d, rho in ((10**4, 0.0), (10**8, 0.0), (10**4, 1.0))
    ]
    assert [LimitODE().coefficients(problem) for problem in problems] == [pytest.approx(expected, rel=1e-14)] * 3
    balance = delta + 0.5
    for problem in problems:
        drift, noise = min(0.0, balance), min(0.0, -balance)
        powers = (0.5 * problem.d**drift, 0.05 * problem.d**noise)
        assert ExactODE().coefficients(problem) == pytest.approx(powers, rel=1e-12)


def test_a_batch_of_a_rounded_prefactor_has_the_noise_of_its_samples():
    problem = Committee.from_scaling(d=100, k=2, p0=4.0, gamma0=2.0, b0=2.4)
    assert problem.batch == 2
    assert LimitODE().coefficients(problem) == ExactODE().coefficients(problem) == pytest.approx((0.5, 0.125))


@pytest.mark.slow
def test_the_chain_follows_its_ode():
    """batch = 10, gamma/p = 5: the noise term is a fourth of what one sample would leave, and its size is seen."""
    keys = {"k": 2, "p0": 2.0, "gamma0": 1.0, "delta": -0.25, "noise": 0.1}
    problem = Committee.from_scaling(d=10_000, b0=1.0, mu=0.25, **keys)
    assert (problem.batch, problem.gamma) == (10, pytest.approx(10.0))
    start, times = OverlapStart(0.5, 1), [0.2, 1.0, 3.0]
    tiles = run(problem, start, Chain(), times, 64, theory=ExactODE())
    assert np.abs(z_from_theory(tiles, "excess_risk")).max() < 5
    wrong = Committee.from_scaling(d=10_000, batch=20, **keys)
    theory = solve_theory(wrong, start, np.array([3.0]) * wrong.dt / problem.dt, ExactODE())["excess_risk"]
    tiles.theory["excess_risk"][0, -1] = theory[0]
    assert worst({"last": z_from_theory(tiles, "excess_risk")[-1:]}) > 10


@pytest.mark.parametrize(
    ("quantity", "against", "slope"),
    [
        ("steps_to_level", "d", 0.9),
        ("samples_to_level", "d", 1.4),
        ("steps_to_level", "dt", -1.0),
        ("samples_to_level", "dt", -1.4 / 0.9),
        ("excess_risk", "d", -0.4),
    ],
)
def test_expected_slopes_are_those_of_the_ode(quantity, against, slope):
    """theta = -0.1 and mu = 1/2: green. p = k = 1, where the risk settles at a level set by the label noise."""
    keys = {"k": 1, "p0": 1.0, "gamma0": 1.0, "delta": -0.1, "noise": 0.01, "mu": 0.5}
    problems = [Committee.from_scaling(d=d, **keys) for d in (10**6, 10**8)]
    assert SLOPES.slope(quantity, against, problems) == pytest.approx(slope, rel=1e-14)
    start, times = ExplicitStart([[1.0]], [[0.5]], [[1.0]]), np.geomspace(0.1, 200, 100)
    values = []
    for problem in problems:
        risk = solve_theory(problem, start, times, ExactODE())["excess_risk"]
        steps = first_crossing(times, risk, 0.02)[0] / problem.dt
        found = {"excess_risk": risk[-1], "steps_to_level": steps, "samples_to_level": steps * problem.batch}
        values.append(found[quantity])
    x = [{"d": problem.d, "dt": problem.dt}[against] for problem in problems]
    assert math.log(values[1] / values[0]) / math.log(x[1] / x[0]) == pytest.approx(slope, abs=0.01)


def test_no_slope_where_the_batch_follows_no_power_and_none_of_the_theorem():
    fixed = [Committee(d=d, p=2, k=2, gamma=1.0, noise=0.1, batch=batch) for d, batch in ((100, 1), (200, 7))]
    growing = [Committee.from_scaling(d=d, k=2, p0=2.0, mu=mu) for d, mu in ((100, 0.5), (200, 0.5), (300, 0.25))]
    for quantity in ("samples_to_level", "steps_to_level", "excess_risk", "sup_deviation"):
        assert SLOPES.slope(quantity, "d", fixed) is None
        assert SLOPES.slope(quantity, "d", growing) is None
    assert SLOPES.slope("sup_deviation", "dt", growing[:2]) is None
    assert SLOPES.slope("sup_deviation", "dt", fixed[:1]) == 0.5
