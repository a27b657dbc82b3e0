"""Updates and schedules of the committee: steps by hand on the full weights, closed averages, ODE and chain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from sgdsim.committee.chain import Chain
from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_of import rule_of
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.starts import ExplicitStart
from sgdsim.committee.system import CommitteeSlopes
from sgdsim.committee.theory.ode import ExactODE
from sgdsim.committee.update import Update
from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.rules.mean_step import MeanStep, Point
from sgdsim.rules.sample_points import Normals
from sgdsim.rules.schedule import Constant, Cosine, Piecewise, PowerSchedule, WarmUp
from sgdsim.rules.weights import RuleWeights
from tests.compiled import advance, begin, inputs_of_one, observe

START = ExplicitStart(P=[[1.0, 0.3], [0.3, 0.8]], M0=[[0.4, 0.1], [-0.2, 0.5]], Q0=[[0.9, 0.2], [0.2, 1.1]])
LAYER = SecondLayer(gamma_a=4.0, a0=(0.6, 1.4), a_star=(1.0, 2.0))
D, STEPS = 12, 3


def problem(update, d=D, **more):
    given = {"gamma": 3.0, "noise": 0.1, "second": LAYER} | more
    return Committee(d=d, p=2, k=2, update=update, **given)


class Hand:
    """SGD with plain NumPy, as its users write it: W (p, d), a (p,), and one batch X (batch, d) after the other."""

    def __init__(self, net, W, teacher):
        self.net, self.W, self.teacher, self.a = net, W.copy(), teacher, np.array(LAYER.a0)
        self.velocity, self.velocity_a = np.zeros_like(W), np.zeros(2)
        self.past, self.past_a, self.t = [], [], 0.0

    def gradients(self, X, zeta):
        """Minus the gradients of the mean loss, (p, d) and (p,)."""
        net, root = self.net, np.sqrt(self.net.d)
        fields = self.W @ X.T / root
        y = np.array(LAYER.a_star) @ erf(self.teacher @ X.T / root / 2**0.5) / 2 + net.noise**0.5 * zeta
        f = self.a @ erf(fields / 2**0.5) / 2
        error = y if net.update.correlation else y - f
        slope = (2 / np.pi) ** 0.5 * np.exp(-(fields**2) / 2)
        first = (self.a[:, None] * slope * error) @ X / (2 * root) / len(X)
        return first, (erf(fields / 2**0.5) * error).mean(1) / 2

    def step(self, X, zeta, s, s_a):
        net, update = self.net, self.net.update
        self.past.append(self.W.copy())
        self.past_a.append(self.a.copy())
        for _ in range(update.reuse):
            first, second = self.gradients(X, zeta)
            length = np.linalg.norm(first)
            if update.normalised:
                first = first / length
            if update.clip:
                first = first * min(1, update.clip / length)
            kick = net.gamma * s * (first - update.decay * self.W / (2 * net.d))
            kick_a = LAYER.gamma_a * s_a * second / net.d
            mu = 1 - update.momentum_gap / net.d if update.momentum_gap else update.momentum
            self.velocity, self.velocity_a = mu * self.velocity + kick, mu * self.velocity_a + kick_a
            self.W, self.a = self.W + self.velocity, self.a + self.velocity_a
        if update.spherical:
            self.W = np.sqrt(net.d) * self.W / np.linalg.norm(self.W, axis=1, keepdims=True)

    def run(self, X, zeta):
        """All samples, a batch at a step."""
        net = self.net
        for number in range(len(X) // net.batch):
            here = slice(number * net.batch, (number + 1) * net.batch)
            factors = [1.0 if one is None else float(one.value(np.float64(number * net.dt))) for one in self.schedules]
            self.step(X[here], zeta[here], *factors)
        return self

    @property
    def schedules(self):
        return self.net.schedule, self.net.schedule_a or self.net.schedule


BY_HAND = {
    "decay": (Update(decay=2.0), {}),
    "correlation": (Update(correlation=True), {"batch": 2}),
    "spherical": (Update(spherical=True), {}),
    "clip": (Update(clip=0.2), {"batch": 2}),
    "normalised": (Update(normalised=True), {"batch": 2}),
    "momentum": (Update(momentum=0.6, decay=2.0), {}),
    "momentum gap": (Update(momentum_gap=3.0, spherical=True), {}),
    "reuse": (Update(reuse=3, momentum=0.6), {"batch": 2}),
    "average": (Update(average=True, momentum=0.6), {}),
    "schedule": (Update(decay=2.0), {"schedule": PowerSchedule(0.1, 1.0), "schedule_a": Piecewise([0.1], [0.5, 0.2])}),
    "everything": (
        Update(momentum=0.6, normalised=True, spherical=True, average=True, correlation=True),
        {"schedule": WarmUp(0.2, Cosine(0.5, 0.1)), "batch": 2},
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_steps_by_hand(name):
    """The full weights of one replica, float64, after three steps, with the very inputs that the kernel draws."""
    update, more = BY_HAND[name]
    net = problem(update, **more)
    kernel = RuleWeights.of(rule_of(net), D, net.batch, "float64", 1, STEPS)
    keys = jnp.asarray(replica_keys(3, 0, 0, 1))
    state = begin(kernel, START.draw(net, np.random.default_rng(0), 1), keys)
    _, X, zeta = inputs_of_one(state, STEPS, STEPS * net.batch)
    hand = Hand(net, np.asarray(state.W[0, :2]), np.asarray(state.teacher[0])).run(np.asarray(X), np.asarray(zeta)[0])
    after = advance(kernel, state, jnp.asarray(STEPS))
    np.testing.assert_allclose(after.W[0, :2], hand.W, atol=1e-12)
    np.testing.assert_allclose(after.numbers[0, :2], hand.a, atol=1e-12)
    if update.average:
        np.testing.assert_allclose(after.W[0, -2:], np.mean(hand.past, axis=0), atol=1e-12)
        means = after.numbers[0, -3:-1]  # the count of steps stands behind them
        np.testing.assert_allclose(means, np.mean(hand.past_a, axis=0), atol=1e-12)
        assert "excess_risk_average" in observe(kernel, after)


CLOSED = {
    "correlation": (Update(correlation=True), {}),
    "momentum": (Update(momentum=0.6, decay=0.1), {"schedule": PowerSchedule(2.0, 1.0)}),
    "average": (Update(momentum=0.6, average=True, spherical=True), {"schedule_a": PowerSchedule(2.0, 1.0)}),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_averages_survive(name):
    """Those of every vector, velocities and averages too, are the averages over points at random overlaps."""
    update, more = CLOSED[name]
    net = problem(update, d=10**6, **more)
    rule = rule_of(net)
    curve = MeanStep.of(rule, net.d, net.dt, 1, 1e-8, 1e-10, 13)
    assert curve.normals is None
    points = MeanStep(rule, curve.dt, curve.d, Normals.of(rule, 14), 1, 1e-8, 1e-10, False)
    rng = np.random.default_rng(0)
    V = rng.normal(size=(2 + rule.sizes.moving, 12)) / 12**0.5
    P, M, Q = (V @ V.T)[:2, :2], (V @ V.T)[2:, :2], (V @ V.T)[2:, 2:]
    numbers = rng.normal(size=rule.sizes.numbers)
    point = Point(*map(jnp.asarray, (M, Q, numbers, 1.3)))
    closed, averaged = (jax.jit(MeanStep.moments)(one, jnp.asarray(P), point) for one in (curve, points))
    for name, one in closed._asdict().items():
        other = getattr(averaged, name)
        np.testing.assert_allclose(one, other, atol=5e-3 * np.abs(other).max(), err_msg=name)


def test_a_constant_rate_is_the_plain_network():
    for same in ({"schedule": Constant()}, {"schedule": PowerSchedule(1.0, 0.0)}):
        net = problem(Update(), second=None, **same)
        assert net.plain
        assert rule_of(net) == rule_of(problem(None, second=None))
    assert problem(None, second=None, schedule=PowerSchedule(1.0, 1.0)).extras == ("schedule",)
    assert problem(Update(decay=0.1), second=None).extras == ("update",)


@pytest.mark.parametrize(
    ("given", "argument", "must"),
    [
        ({"schedule": 0.5}, "schedule", "be a Schedule, or a function of t"),
        ({"schedule": lambda t: jnp.sum(t) * jnp.ones(4)}, "schedule", "be made of JAX operations, and give a number"),
        ({"schedule": lambda t: 1.0 if t > 1 else 0.0}, "schedule", "be made of JAX operations"),
        ({"schedule_a": PowerSchedule(1.0, 1.0), "second": None}, "schedule_a", "be left out where the second layer"),
        ({"update": Update(momentum_gap=12.0)}, "momentum_gap", "be below d = 12"),
    ],
)
def test_what_is_refused(given, argument, must):
    with pytest.raises(ArgumentError, match=r".*") as caught:
        problem(**{"update": None} | given)
    assert caught.value.argument == argument
    assert caught.value.must.startswith(must)


def test_time_is_counted_in_whole_steps():
    """In float32 a sum of 2^20 times would be off in the fourth digit; here a schedule is read where it should be."""
    net = problem(None, d=10**9, gamma=1e-6, second=None, schedule=lambda t: jnp.where(t < 2e-4, 0.0, 1.0))
    kernel = Chain().bind(net, 32, 1.0)
    keys = jnp.asarray(replica_keys(3, 0, 0, kernel.lanes))
    state = begin(kernel, START.draw(net, np.random.default_rng(0), 1), keys)
    still = advance(kernel, state, jnp.asarray(199_990))
    assert (still.m == state.m).all()
    assert (still.numbers[-1] == 199_990).all()
    assert (advance(kernel, still, jnp.asarray(20)).m != state.m).any()


MEAN = {
    "momentum": (Update(momentum=0.9, decay=0.1), 0.6, {}),
    "sphere and clip": (Update(clip=0.15, spherical=True), 3.0, {}),
    "average": (Update(average=True), 6.0, {"schedule": PowerSchedule(0.02, 0.5)}),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "sphere and clip")) for name in MEAN]
)
def test_the_ode_is_the_mean_of_the_chain_at_a_million_dimensions(name):
    """50,000 steps of 256 replicas, whose means know motions of the overlaps to some thousandths."""
    update, gamma, more = MEAN[name]
    net = problem(update, d=10**6, gamma=gamma, second=LAYER, **more)
    start = START.draw(net, np.random.default_rng(0), 1)
    one = jax.tree.map(lambda part: part[0], start)
    theory = ExactODE().bind(net).solve(one, np.array([0.0, 0.05]))
    kernel = Chain().bind(net, 512, 1.0)
    state = begin(kernel, start, jnp.asarray(replica_keys(1, 0, 0, kernel.lanes)))
    seen = observe(kernel, advance(kernel, state, jnp.asarray(50_000)))
    assert set(seen) == set(theory)
    for key, values in seen.items():
        flat = np.asarray(values).reshape(-1, kernel.lanes)
        begun, mean = (theory[key][i].ravel() for i in (0, 1))
        error = flat.std(1) / kernel.lanes**0.5 + 1e-7  # lengths on a sphere have no spread
        assert np.abs((flat.mean(1) - mean) / error).max() < 4.5, key
        if key in ("M", "excess_risk"):
            assert (np.abs(mean - begun) / error).max() > 100, key  # 2 % would show


def test_expected_slopes():
    expected_slope = CommitteeSlopes().slope

    def noisy(**more):
        return [problem(second=None, noise=noise, **({"update": None} | more)) for noise in (0.01, 0.1)]

    assert expected_slope("relaxation_time", "noise", noisy(schedule=PowerSchedule(1.0, 0.5))) == 2.0
    assert expected_slope("relaxation_time", "noise", noisy(schedule=PowerSchedule(1.0, 0.0))) is None
    assert expected_slope("excess_risk", "d", noisy(schedule=PowerSchedule(1.0, 0.5))) is None
    assert (
        expected_slope("relaxation_time", "noise", noisy(update=Update(clip=0.1), schedule=PowerSchedule(1.0, 0.5)))
        is None
    )
    matched = [problem(Update(momentum=mu), gamma=1 - mu, second=None) for mu in (0.0, 0.5, 0.9)]
    assert expected_slope("excess_risk", "memory", matched) == 0.0
    assert [net.parameters()["memory"] for net in matched] == pytest.approx([1, 2, 10])
    assert expected_slope("excess_risk", "memory", [*matched, problem(Update(), gamma=2.0, second=None)]) is None
