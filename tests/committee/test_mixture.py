"""A committee on a Gaussian mixture: averages, known solutions, chain, weights, ODE, and what is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from sgdsim.committee import Chain, Committee, ExactODE, ExplicitStart, LimitODE, Mixture, SecondLayer, SignTarget
from sgdsim.committee.averages.activations import Custom, Erf, Linear, Quadratic, Relu
from sgdsim.committee.averages.shifted import shifted
from sgdsim.committee.rule_of import rule_of
from sgdsim.committee.system import CommitteeSlopes
from sgdsim.committee.update import Update
from sgdsim.committee.weights import Weights
from sgdsim.ensemble.random import replica_keys
from sgdsim.ensemble.theory import solve_theory
from sgdsim.errors import ArgumentError
from sgdsim.rules.mean_step import MeanStep, Point
from sgdsim.rules.sample_points import Normals
from sgdsim.testing import check_rule
from tests.compiled import advance, begin, observe
from tests.rules.nets import MEANS, START, VARIANCES, WEIGHTS

OBLIQUE = ExplicitStart(START.P[0], START.M[0], START.Q[0])
ONE = (jnp.asarray(START.P[0]), jnp.asarray(START.M[0]), jnp.asarray(START.Q[0]))
A, A_STAR, LABELS = (0.6, 1.4, -0.8), (1.5, 0.7), (1.0, -1.0, 0.3)
CLUSTERS = {"cluster_means": MEANS, "cluster_variances": VARIANCES, "cluster_weights": WEIGHTS}


def unequal(d, labels=LABELS, **more):
    """Three clusters that are oblique, unequal in all, with labels of their own or those of a teacher."""
    layer = SecondLayer(a0=A, gamma_a=2.0, a_star=1.0 if labels else A_STAR)
    inputs = Mixture(1.1, cluster_labels=labels, **CLUSTERS)
    return Committee(**{"d": d, "p": 3, "k": 2, "gamma": 4.0, "noise": 0.1, "second": layer, "inputs": inputs} | more)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [LABELS, None])
def test_chain_weights_mean_step_and_closed_averages(labels):
    """The law of the chain is that of full weights; its mean step is the ODE's; closed averages are those of a step."""
    check_rule(rule_of(unequal(40, labels)), 40, START)


NODES = np.linspace(-9, 9, 1201)
DENSITY = np.exp(-(NODES**2) / 2) * (NODES[1] - NODES[0]) / np.sqrt(2 * np.pi)
FUNCTIONS = {
    "erf": (Erf(), lambda x: erf(x / 2**0.5), 1e-12),
    "linear": (Linear(), lambda x: x, 1e-12),
    "quadratic": (Quadratic(), lambda x: x * x, 1e-11),
    "relu": (Relu(), lambda x: np.maximum(x, 0), 6e-6),  # the error of the grid, 1 / 16 of that on one 4 times as fine
    "tanh": (Custom(jnp.tanh), np.tanh, 1e-7),
}
FIELDS = [(0.3, 1.2, 0.7, 0.5, -0.8), (-0.5, 0.6, 2.0, -1.0, 0.3), (1.2, 1.2, 1.2, 0.4, 0.4), (0.9, 1.0, 1.0, 3.0, 2.5)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_averages_of_fields_with_means(name):
    """Against a sum over a grid in the plane."""
    activation, function, accuracy = FUNCTIONS[name]
    of = shifted(activation)
    for c12, c11, c22, b1, b2 in FIELDS:
        rho = c12 / np.sqrt(c11 * c22)
        first = b1 + np.sqrt(c11) * NODES[:, None]
        second = b2 + np.sqrt(c22) * (rho * NODES[:, None] + np.sqrt(max(0.0, 1 - rho**2)) * NODES[None])
        expected = DENSITY @ (function(first) * function(second)) @ DENSITY
        pair = of.pair(*map(jnp.asarray, (c12, c11, c22, b1, b2)))
        np.testing.assert_allclose(pair, expected, rtol=0, atol=accuracy * max(1, abs(expected)))
        mean = of.mean(jnp.asarray(c11), jnp.asarray(b1))
        np.testing.assert_allclose(mean, DENSITY @ function(first[:, 0]), rtol=0, atol=accuracy)


@pytest.mark.parametrize("labels", [pytest.param(LABELS, marks=pytest.mark.slow), None])
def test_the_risk_is_that_of_samples(labels):
    """Of a million of them, drawn and seen by NumPy alone."""
    P, M, Q = (np.asarray(part) for part in (START.P[0], START.M[0], START.Q[0]))
    rng, count = np.random.default_rng(0), 10**6
    c = rng.choice(3, count, p=WEIGHTS)
    G = np.block([[P, M.T], [M, Q]])
    shift = 1.1 * MEANS @ G[:2]
    fields = shift[c] + np.sqrt(VARIANCES)[c][:, None] * (rng.normal(size=(count, 5)) @ np.linalg.cholesky(G).T)
    sigma = erf(fields / 2**0.5)
    y = sigma[:, :2] @ A_STAR / 2 if labels is None else np.array(labels)[c]
    loss = (y - sigma[:, 2:] @ A / 3) ** 2 / 2
    seen = rule_of(unequal(40, labels)).observe(*ONE, jnp.asarray(A))
    assert abs(seen["excess_risk"] - loss.mean()) < 4.5 * loss.std() / 1e3
    assert loss.mean() > 400 * loss.std() / 1e3  # 2 % would show
    np.testing.assert_allclose(seen["B"], shift[:, 2:].T, rtol=1e-12)


@pytest.mark.parametrize("correlation", [False, True])
def test_a_linear_unit_on_two_clusters_is_solved_by_hand(correlation):
    """Labels +-1 at +-mu, |mu|^2 = rho^2, d -> infinity, with the means s, s2 of s_c, s_c^2 over clusters, r = gamma:

        dB/dt = r (rho^2 - (s + rho^2) B),    dQ/dt = 2r (B - B^2 - s Q) + r^2 (s (1 - B)^2 + s noise + s2 Q)

    and of the correlation loss the same without f: dB/dt = r rho^2, dQ/dt = 2r B + r^2 s (1 + noise).
    """
    r, rho, noise, B0, Q0 = 0.7, 1.3, 0.2, -0.26, 0.9
    pi, variances = np.array([0.3, 0.7]), np.array([0.5, 1.6])
    s, s2 = pi @ variances, pi @ variances**2
    inputs = Mixture(rho, cluster_weights=pi, cluster_variances=variances, cluster_labels=(1.0, -1.0))
    update = Update(correlation=correlation)
    problem = Committee(d=10**9, p=1, k=1, gamma=r, noise=noise, activation=Linear(), inputs=inputs, update=update)
    t = np.array([0.0, 0.5, 2.0, 6.0])
    solved = solve_theory(problem, ExplicitStart([[1.0]], [[B0 / rho]], [[Q0]]), t, ExactODE())
    if correlation:
        B = B0 + r * rho**2 * t
        Q = Q0 + 2 * r * (B0 * t + r * rho**2 * t**2 / 2) + r**2 * s * (1 + noise) * t
    else:
        rate, end, kappa = r * (s + rho**2), rho**2 / (s + rho**2), 2 * r * s - r**2 * s2
        B = end + (B0 - end) * np.exp(-rate * t)
        # What drives Q is g_0 + g_1 exp(-rate t) + g_2 exp(-2 rate t), of 2r (B - B^2) + r^2 s ((1 - B)^2 + noise).
        two, one, none = r**2 * s - 2 * r, 2 * r - 2 * r**2 * s, r**2 * s * (1 + noise)
        g = [two * end**2 + one * end + none, (2 * two * end + one) * (B0 - end), two * (B0 - end) ** 2]
        Q = Q0 * np.exp(-kappa * t)
        for n, strength in enumerate(g):
            Q = Q + strength * (np.exp(-n * rate * t) - np.exp(-kappa * t)) / (kappa - n * rate)
    np.testing.assert_allclose(solved["B"][:, 0], np.stack([B, -B], axis=1), rtol=1e-7)
    np.testing.assert_allclose(solved["Q"][:, 0, 0], Q, rtol=1e-7)
    np.testing.assert_allclose(solved["excess_risk"], ((1 - B) ** 2 + s * Q) / 2, rtol=1e-7)


def test_one_cluster_without_a_mean_is_the_plain_network():
    one = Mixture(1e-9, cluster_means=[[1.0, 0.5]])
    mixed, plain = rule_of(unequal(40, None, inputs=one)), rule_of(unequal(40, None, inputs=None))
    averaged = jax.jit(lambda rule, *at: (rule.moments(*at, 0.0), rule.observe(*at)))
    (moments, seen), (expected, other) = (averaged(rule, *ONE, jnp.asarray(A)) for rule in (mixed, plain))
    assert expected is not None
    for name, value in expected._asdict().items():
        np.testing.assert_allclose(getattr(moments, name), value, rtol=1e-7, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(seen["excess_risk"], other["excess_risk"], rtol=1e-9)


@pytest.mark.slow
def test_closed_averages_survive_an_update():
    """Of velocities and averages too, they are the averages over points."""
    net = unequal(10**6, update=Update(momentum=0.6, average=True, spherical=True, correlation=True))
    rule = rule_of(net)
    curve = MeanStep.of(rule, net.d, net.dt, 3, 1e-8, 1e-10, 13)
    assert curve.normals is None
    points = dataclasses.replace(curve, normals=Normals.of(rule, 15))
    rng = np.random.default_rng(0)
    V = rng.normal(size=(2 + rule.sizes.moving, 24)) / 24**0.5
    P, M, Q = (V @ V.T)[:2, :2], (V @ V.T)[2:, :2], (V @ V.T)[2:, 2:]
    point = Point(*map(jnp.asarray, (M, Q, rng.normal(size=rule.sizes.numbers), 1.3)))
    closed, averaged = (one.moments(jnp.asarray(P), point) for one in (curve, points))
    for name, one in closed._asdict().items():
        other = getattr(averaged, name)
        np.testing.assert_allclose(one, other, atol=5e-3 * np.abs(other).max(), err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [LABELS, None])
def test_the_ode_is_the_mean_of_the_chain_at_a_million_dimensions(labels):
    net = unequal(10**6, labels)
    theory = solve_theory(net, OBLIQUE, np.array([0.0, 0.05]), ExactODE())
    kernel = Chain().bind(net, 512, 1.0)
    start = OBLIQUE.draw(net, np.random.default_rng(0), 1)
    state = begin(kernel, start, jnp.asarray(replica_keys(1, 0, 0, kernel.lanes)))
    seen = observe(kernel, advance(kernel, state, jnp.asarray(50_000)))
    assert set(seen) == set(theory) == {"M", "Q", "B", "a", "excess_risk"}
    for key, values in seen.items():
        flat = np.asarray(values).reshape(-1, kernel.lanes)
        begun, mean = (theory[key][i].ravel() for i in (0, 1))
        error = flat.std(1) / kernel.lanes**0.5
        assert np.abs((flat.mean(1) - mean) / error).max() < 4.5, key
        assert (np.abs(mean - begun) / error).max() > 100, key  # 2 % would show


TWO = {"d": 40, "p": 2, "k": 2, "gamma": 1.0}


@pytest.mark.parametrize(
    ("argument", "make"),
    [
        ("separation", lambda: Mixture(0.0)),
        ("cluster_means", lambda: Mixture(1.0, cluster_means=[[1.0], [0.0, 1.0]])),
        ("cluster_means", lambda: Mixture(1.0, cluster_means=np.zeros((65, 2)))),
        ("cluster_means", lambda: Committee(**TWO, inputs=Mixture(1.0, cluster_means=[[1.0], [2.0]]))),
        ("cluster_weights", lambda: Committee(**TWO, inputs=Mixture(1.0, cluster_weights=[0.5, 0.6]))),
        ("cluster_weights", lambda: Committee(**TWO, inputs=Mixture(1.0, cluster_weights=[1.0]))),
        ("cluster_variances", lambda: Committee(**TWO, inputs=Mixture(1.0, cluster_variances=[1.0, -1.0]))),
        ("cluster_labels", lambda: Committee(**TWO, inputs=Mixture(1.0, cluster_labels=[1.0]))),
        ("target", lambda: Committee(**TWO, inputs=Mixture(1.0), target=SignTarget())),
        ("teacher_activation", lambda: Committee(**TWO, inputs=Mixture(1.0), teacher_activation=Linear())),
        (
            "a_star",
            lambda: Committee(
                **TWO, inputs=Mixture(1.0, cluster_labels=[1.0, -1.0]), second=SecondLayer(a_star=[1.0, 2.0])
            ),
        ),
        ("theory", lambda: LimitODE().check(Committee(**TWO, inputs=Mixture(1.0)))),
        ("kernel", lambda: Weights(kernel="fused").check(Committee(**TWO, inputs=Mixture(1.0)))),
    ],
)
def test_what_is_refused(argument, make):
    with pytest.raises(ArgumentError, match=f"Argument `{argument}` must"):
        make()


def test_what_is_known_of_a_mixture():
    """Its risk does not fall like the noise: labels are not a function that the student has."""
    noisy = [Committee(d=d, p=2, k=2, gamma=1.0, noise=0.1, inputs=Mixture(1.0)) for d in (100, 1000)]
    assert CommitteeSlopes().slope("excess_risk", "d", noisy) is None
    assert CommitteeSlopes().slope("steps_to_level", "d", noisy) == 1.0
    assert noisy[0].parameters()["separation"] == 1.0
    large = dataclasses.replace(noisy[0], inputs=Mixture(1.0, cluster_variances=[3.0, 1.0], cluster_labels=[4.0, 0.0]))
    assert large.scale(100) == pytest.approx(noisy[0].scale(100) * 3 * 16.1 / 1.1)
    more, plain = (Chain().step_cost(one).operations for one in (noisy[0], dataclasses.replace(noisy[0], inputs=None)))
    assert 0 < more - plain < 200


def test_an_experiment_makes_no_jax_array_of_a_mixture():
    """Problems with equal clusters are equal, as cells of a grid are compared."""
    one, other = (Mixture(1.0, cluster_means=np.eye(2), cluster_labels=[1, -1]) for _ in range(2))
    assert one == other
    assert jax.tree.leaves(one) == [1.0]
