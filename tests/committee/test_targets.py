"""Targets: their averages against product quadratures that share no code, and what follows for chain and theory."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

from sgdsim import simulate
from sgdsim.committee import (
    Chain,
    Committee,
    Custom,
    Erf,
    FunctionTarget,
    Hermite,
    Linear,
    OverlapStart,
    Products,
    Quadratic,
    Relu,
    SignTarget,
    UnitMean,
    product,
    staircase,
)
from sgdsim.committee.rule_of import rule_of
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.update import Update
from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.rules.blocks import RuleBlocks
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.mean_step import MeanStep
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.weights import RuleWeights
from tests.compiled import advance, begin, ends, observe

OBLIQUE = np.array([[1.2, 0.3, -0.2], [0.3, 0.8, 0.25], [-0.2, 0.25, 0.9]])
"""P of up to three teachers."""
HE = {
    1: lambda x: x,
    2: lambda x: (x**2 - 1) / math.sqrt(2),
    3: lambda x: (x**3 - 3 * x) / math.sqrt(6),
    4: lambda x: (x**4 - 6 * x**2 + 3) / math.sqrt(24),
}
SLOPE = {
    1: np.ones_like,
    2: lambda x: 2 * x / math.sqrt(2),
    3: lambda x: (3 * x**2 - 3) / math.sqrt(6),
    4: lambda x: (4 * x**3 - 12 * x) / math.sqrt(24),
}
TANH = (Custom(jnp.tanh), np.tanh, lambda x: np.cosh(x) ** -2)
ERF = (
    Erf(),
    np.vectorize(lambda x: math.erf(x / math.sqrt(2))),
    lambda x: math.sqrt(2 / math.pi) * np.exp(-(x**2) / 2),
)
RELU = (Relu(), lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(float))
LINEAR, HERMITE_2 = (Linear(), lambda x: x, np.ones_like), (Hermite(2), HE[2], SLOPE[2])


def mean_of(degree):
    return UnitMean(
        Hermite(degree), np.array([1.3, -0.6])
    ), lambda z: (1.3 * HE[degree](z[0]) - 0.6 * HE[degree](z[1])) / 2


CASES = {
    "He_1": (*mean_of(1), 2, TANH, 5e-4),
    "He_2": (*mean_of(2), 2, TANH, 5e-4),
    "He_3": (*mean_of(3), 2, ERF, 1e-6),
    "He_4": (*mean_of(4), 2, ERF, 1e-6),
    "He_4 of He_2": (*mean_of(4), 2, HERMITE_2, 1e-6),
    "tanh": (UnitMean(Custom(jnp.tanh), np.array([1.3])), lambda z: 1.3 * np.tanh(z[0]), 1, ERF, 1e-5),
    "quadratic": (UnitMean(Quadratic(), np.array([1.3])), lambda z: 1.3 * z[0] ** 2, 1, TANH, 5e-4),
    "product": (product(2), lambda z: z[0] * z[1], 2, TANH, 5e-4),
    "staircase": (staircase(3), lambda z: z[0] + z[0] * z[1] + z[0] * z[1] * z[2], 3, LINEAR, 1e-6),
    "squares": (Products([[0, 0, 1], [1]], [0.5, -2.0]), lambda z: 0.5 * z[0] ** 2 * z[1] - 2 * z[1], 2, ERF, 1e-6),
    "function": (FunctionTarget(lambda z: jnp.sin(z[0]) * z[1]), lambda z: np.sin(z[0]) * z[1], 2, ERF, 2e-3),
    "function of one": (FunctionTarget(lambda z: jnp.sin(z[0])), lambda z: np.sin(z[0]), 1, ERF, 1e-6),
}


def overlaps_of(k, p):
    """Unsymmetric overlaps of k oblique teachers and p students."""
    rng = np.random.default_rng(k + 10 * p)
    root = np.linalg.cholesky(OBLIQUE[:k, :k])
    m, R = 0.4 * rng.normal(size=(p, k)), np.tril(0.5 + 0.2 * rng.normal(size=(p, p)))
    return OBLIQUE[:k, :k], m @ root.T, m @ m.T + R @ R.T


def problem_of(target, k, activation, noise=0.3, p=2, **extras):
    layer = SecondLayer(a0=tuple(np.linspace(0.7, -1.4, p)), **extras)
    problem = {"d": 10**6, "k": k, "p": p, "gamma": 0.5, "noise": noise, "activation": activation}
    return Committee(**problem, second=layer, target=target)


def by_definition(target, k, activation, noise, a, overlaps):
    """Risk, E[K l], E[K K^T] and E[sigma (y - f)] by the trapezoidal rule in all independent variables."""
    P, M, Q = overlaps
    _, sigma, slope = activation
    count = {3: 61, 4: 33, 5: 23}[k + len(a)]
    nodes = np.linspace(-8.2, 8.2, count)
    weights = np.exp(-(nodes**2) / 2) * (nodes[1] - nodes[0]) / math.sqrt(2 * math.pi)
    grid = np.stack(np.meshgrid(*[nodes] * (k + len(a)), indexing="ij")).reshape(k + len(a), -1)
    weight = np.prod(np.stack(np.meshgrid(*[weights] * (k + len(a)), indexing="ij")), axis=0).ravel()
    kept = weight > 1e-15
    grid, weight = grid[:, kept], weight[kept]
    fields = np.linalg.cholesky(np.block([[P, M.T], [M, Q]])) @ grid
    outputs = sigma(fields[k:])
    error = target(fields[:k]) - a @ outputs / len(a)
    kicks = a[:, None] * slope(fields[k:])
    squares = (weight * kicks * error**2) @ kicks.T + noise * (weight * kicks) @ kicks.T
    return weight @ error**2 / 2, (weight * kicks * error) @ fields.T, squares, outputs @ (weight * error)


def found_by(rule, overlaps, a):
    P, M, Q = (jnp.asarray(part) for part in overlaps)
    numbers = jnp.asarray(a)
    moments, seen = jax.jit(lambda rule, *parts: (rule.moments(*parts, 0.0), rule.observe(*parts)))(
        rule, P, M, Q, numbers
    )
    fields = np.concatenate([moments.with_fixed, moments.with_moving], axis=1)
    if moments.slopes is not None:  # by Stein's lemma
        C = np.block([[P, M.T], [M, Q]])
        np.testing.assert_allclose(moments.slopes @ C, fields, rtol=0, atol=1e-9)
    return seen["excess_risk"], fields, moments.squares, moments.numbers / rule.output_step


EVERY_DAY = ("He_3", "function")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case not in EVERY_DAY)) for case in CASES]
)
def test_averages_of_targets_against_a_product_rule(case):
    target, function, k, activation, tolerance = CASES[case]
    problem = problem_of(target, k, activation[0], gamma_a=1.0)
    overlaps, a = overlaps_of(k, 2), np.linspace(0.7, -1.4, 2)
    expected = by_definition(function, k, activation, 0.3, a, overlaps)
    found = found_by(rule_of(problem), overlaps, a)
    for part, right, exact in zip(found, expected, (1e-6, 1e-6, tolerance, 1e-6), strict=True):
        np.testing.assert_allclose(part, right, rtol=0, atol=exact * max(1.0, np.abs(right).max()))


LANES, DIMENSION = 2**13, 24
LAWS = {
    "He_3": UnitMean(Hermite(3), np.array([0.8, -0.5])),
    "sign": SignTarget(),
    "product": product(2),
    "squares": Products([[0, 0, 1], [1]], [0.5, -0.8]),
    "function": FunctionTarget(lambda z: jnp.tanh(z[0]) * z[1]),
}
START = Overlaps(*(part[None] for part in overlaps_of(2, 2)))


def law_of(target, **changes):
    layer = SecondLayer(a0=(0.7, -1.4), gamma_a=1.0)
    problem = {"d": DIMENSION, "k": 2, "p": 2, "gamma": 0.8, "noise": 0.1, "activation": Erf()} | changes
    return rule_of(Committee(**problem, second=layer, target=target))


def simulated(kernel, seed, steps=8):
    state = begin(kernel, START, jnp.asarray(replica_keys(seed, 0, 0, LANES)))
    seen = observe(kernel, advance(kernel, state, jnp.asarray(steps)))
    return {name: np.asarray(seen[name]).reshape(-1, LANES) for name in ("M", "Q", "a", "excess_risk")}


def with_slow_but(names):
    """The laws, of which all but these are left to slow tests."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (name not in names)) for name in LAWS]


@pytest.mark.parametrize("name", with_slow_but(("sign",)))
def test_chain_and_full_weights_have_one_law(name):
    """Means and variances of all order parameters, and of the risk."""
    rule = law_of(LAWS[name])
    one = simulated(RuleWeights.of(rule, DIMENSION, 1, "float32", LANES, 4), 1)
    other = simulated(RuleLanes.of(rule, DIMENSION, rule.dt, "float32", LANES), 2)
    for key, a in one.items():
        b = other[key]
        error = np.sqrt((a.var(1) + b.var(1)) / LANES) + 1e-6
        assert np.abs((a.mean(1) - b.mean(1)) / error).max() < 4.5, key
        squares = [(part - part.mean(1)[:, None]) ** 2 for part in (a, b)]
        error = np.sqrt(sum(part.var(1) for part in squares) / LANES) + 1e-6
        assert np.abs((squares[0].mean(1) - squares[1].mean(1)) / error).max() < 4.5, key


@pytest.mark.parametrize("correlation", [False, True], ids=["squared loss", "correlation loss"])
@pytest.mark.parametrize("name", with_slow_but(("product",)))
def test_one_step_has_the_mean_of_the_ode(name, correlation):
    """Of order parameters, at a d at which |x|^2/d is 1 to a part in 10^4."""
    d, lanes = 20_000, 2**15
    rule = law_of(LAWS[name], d=d, gamma=5.0, update=Update(correlation=True) if correlation else None)
    kernel = RuleBlocks.of(rule, d, 1, "float64", lanes, 1)
    begun, after = ends(kernel, begin(kernel, START, jnp.asarray(replica_keys(4, 0, 0, lanes))), jnp.asarray(1))
    curve = MeanStep.of(rule, d, 1.0, 1, 1e-8, 1e-10, 10)
    assert curve.normals is None
    P, point = curve.begin(jax.tree.map(lambda part: part[0], START))
    step = jax.jit(lambda curve, P, point: curve.step(P, point))(curve, P, point)
    for key, expected in (("M", step.M), ("Q", step.Q), ("a", step.numbers)):
        moved = np.asarray(after[key] - begun[key]).reshape(-1, lanes)
        assert np.abs((moved.mean(1) - np.ravel(expected)) / (moved.std(1) / lanes**0.5)).max() < 4.5, key


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "k", "activation", "update"),
    [
        (None, 1, Hermite(3), Update(spherical=True)),
        (staircase(2), 2, Erf(), None),
    ],
    ids=["He_3 on the sphere", "staircase"],
)
def test_the_chain_follows_the_ode_at_large_d(target, k, activation, update):
    start = OverlapStart(overlap=0.6, seed=3)
    problem = Committee(d=10**6, k=k, p=1, gamma=0.05, noise=0.1, activation=activation, target=target, update=update)
    data = simulate(problem, start, [0.5, 1.0], simulator=Chain(), replicas=64, seed=2)
    for key in ("M", "Q", "excess_risk"):
        error = data[f"{key}_sem"].values + 1e-6
        assert np.abs((data[key].values - data[f"{key}_theory"].values) / error).max() < 4.5, key


def test_the_risk_of_many_lanes_is_cheap_and_smooth():
    """Equal to that of each lane alone, and its slope in M that of Price's theorem, by differences."""
    rule = rule_of(problem_of(staircase(2), 2, Erf()))
    P, M, Q = (jnp.asarray(part) for part in overlaps_of(2, 2))
    risk = jax.jit(lambda rule, M: rule.observe(P, M, Q, jnp.zeros(0))["excess_risk"])
    shift = np.zeros((2, 2, 3))
    shift[0, 1] = [-1e-4, 0.0, 1e-4]
    wide = [jnp.broadcast_to(part[..., None], (*part.shape, 3)) for part in (P, Q)]
    many = jax.jit(lambda rule, P, M, Q: rule.observe(P, M, Q, jnp.zeros((0, 3)))["excess_risk"])
    lanes = np.asarray(many(rule, wide[0], M[..., None] + shift, wide[1]))
    np.testing.assert_allclose(lanes[1], risk(rule, M), rtol=1e-13)
    slope = jax.grad(lambda M: risk(rule, M))(M)[0, 1]
    assert (lanes[2] - lanes[0]) / 2e-4 == pytest.approx(float(slope), abs=1e-7)


def test_sign_of_erf_and_of_relu_by_sampling():
    """Risk and moments of labels +-1; those of relu are over points."""
    rng = np.random.default_rng(1)
    P, M, Q = overlaps_of(1, 2)
    z = rng.normal(size=(3, 2_000_000))
    fields = np.linalg.cholesky(np.block([[P, M.T], [M, Q]])) @ z
    a = np.array([0.7, -1.4])
    for activation, sigma, slope in ((ERF[0], lambda x: scipy.special.erf(x / math.sqrt(2)), ERF[2]), RELU):
        outputs = sigma(fields[1:])
        error = np.sign(fields[0]) - a @ outputs / 2
        kicks = a[:, None] * slope(fields[1:])
        samples = (error**2 / 2, kicks * error * fields[0], kicks[0] * kicks[1] * error**2)
        risk, moments, squares, _ = found_by(
            rule_of(problem_of(SignTarget(), 1, activation, noise=0.0, gamma_a=1.0)), (P, M, Q), a
        )
        for found, sample in zip((risk, moments[:, 0], squares[0, 1]), samples, strict=True):
            mean, sem = sample.mean(axis=-1), sample.std(axis=-1) / sample.shape[-1] ** 0.5
            assert np.all(np.abs(found - mean) < 4.5 * sem + (3e-3 if activation == Relu() else 0.0)), activation


BAD = {
    "no such field": (lambda: problem_of(Products([[0, 3]]), 2, Erf()), "`k` must be > 3"),
    "no field": (lambda: Products([[]]), "`terms` must"),
    "weights": (lambda: Products([[0]], [1.0, 2.0]), "`weights` must be one number for each of the 1"),
    "degree": (lambda: Hermite(7), "`degree` must"),
    "not elementwise": (lambda: problem_of(FunctionTarget(lambda z: jnp.sum(z[0])), 1, Erf()), "`target` must map"),
    "a field too many": (
        lambda: problem_of(FunctionTarget(lambda z: z[1]), 1, Erf()),
        "`target` must be a function of 1",
    ),
    "no function": (lambda: FunctionTarget(3), "`function` must"),
    "outputs": (lambda: problem_of(UnitMean(Erf(), np.ones(3)), 2, Erf()), "`outputs` must be k = 2"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_target_is_refused(name):
    make, told = BAD[name]
    with pytest.raises(ArgumentError, match=re.escape(told)):
        make()
