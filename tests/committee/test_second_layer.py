"""The second layer: against numbers of the ODE, SGD by hand, full weights, and the plain network where it is fixed."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from sgdsim.committee.averages.activations import Linear
from sgdsim.committee.chain import Chain
from sgdsim.committee.network_rule import NetworkRule
from sgdsim.committee.plain_rule import PlainRule
from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_of import rule_of
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.starts import CombinationStart, ExplicitStart, OverlapStart
from sgdsim.committee.target import UnitMean
from sgdsim.committee.theory.asymptotic_error import SoftCommitteeError
from sgdsim.committee.theory.ode import ExactODE, GradientFlow, LimitODE
from sgdsim.committee.weights import weights_kernel
from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.rules.blocks import RuleBlocks
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.weights import RuleWeights
from tests.committee.test_weights import inputs_of
from tests.compiled import advance, begin, folded, observe
from tests.helpers import run, worst, z_from_theory
from tests.rules.nets import M0, Q0, START, P, agree

LANES = 2**13
A, A_STAR = [0.6, 1.4, -0.8], [1.5, 0.7]
OBLIQUE = ExplicitStart(P, M0, Q0)
"""Teachers that are not orthogonal: a* of the wrong one would show."""


def simulated(kernel, seed):
    """Observables of every lane after a dozen steps, by name."""
    state = begin(kernel, START, jnp.asarray(replica_keys(seed, 0, 0, LANES)))
    seen = observe(kernel, advance(kernel, state, jnp.asarray(12)))
    return {name: np.asarray(value).reshape(-1, LANES) for name, value in seen.items()}


def oblique(d, gamma=0.8, batch=1, **layer):
    layer = {"a0": A, "gamma_a": 0.5, "a_star": A_STAR} | layer
    return Committee(d=d, p=3, k=2, gamma=gamma, noise=0.05, batch=batch, second=SecondLayer(**layer))


REFERENCE = {
    (4, 4, 1): [0.0680206, 0.0423105, 0.0145277, 0.00833349, 0.00678964, 0.00338412],
    (2, 3, 3): [0.195619, 0.117709, 0.0322921, 0.0116759, 0.00877583, 0.00731976],
}
OUTPUTS = {(4, 4, 1): [0.494726, 0.825984, 1.20108, 1.366435], (2, 3, 3): [0.530943, 1.408527]}


@pytest.mark.parametrize(("p", "k", "seed"), [pytest.param(4, 4, 1, marks=pytest.mark.slow), (2, 3, 3)])
def test_the_ode_has_the_numbers_of_another_program(p, k, seed):
    """Excess risk at t = 1 ... 200, and a(50), of a solution in NumPy with quadratures of its own."""
    layer = SecondLayer(a0=np.linspace(0.5, 1.5, p), gamma_a=p / 2, a_star=np.linspace(1, 2, k))
    problem = Committee(d=10**12, p=p, k=k, gamma=p, noise=1e-2, second=layer)
    start = jax.tree.map(lambda part: part[0], OverlapStart(0.5, seed).draw(problem, np.random.default_rng(0), 1))
    solved = ExactODE().bind(problem).solve(start, np.array([1.0, 2, 5, 10, 50, 200]))
    np.testing.assert_allclose(solved["excess_risk"], REFERENCE[p, k, seed], rtol=1e-5)
    np.testing.assert_allclose(solved["a"][4], OUTPUTS[p, k, seed], rtol=1e-5)


def sgd_by_hand(W, a, teacher, inputs, label_noise, problem):
    """Plain SGD of both layers on explicit weights, of means or, with `soft`, of sums over units."""
    W, a, layer, (p, k) = W.copy(), np.array(a, float), problem.second, (problem.p, problem.k)
    own, others, rates = (1, 1, (problem.gamma, layer.gamma_a)) if layer.soft else (1 / p, 1 / k, None)
    eta, eta_a = rates or (problem.gamma / p, layer.gamma_a / p)
    for xs, zetas in zip(inputs, label_noise, strict=True):
        dW, da = np.zeros_like(W), np.zeros_like(a)
        for x, zeta in zip(xs, zetas, strict=True):
            field, seen = W @ x / np.sqrt(problem.d), teacher @ x / np.sqrt(problem.d)
            y = others * np.array(layer.a_star) @ erf(seen / np.sqrt(2)) + np.sqrt(problem.noise) * zeta
            sigma = erf(field / np.sqrt(2))
            error = y - own * a @ sigma
            dW += np.outer(a * np.sqrt(2 / np.pi) * np.exp(-(field**2) / 2) * error, x)
            da += sigma * error
        W += eta / np.sqrt(problem.d) / problem.batch * dW
        a += eta_a / problem.d / problem.batch * da
    return W, a


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("soft", [False, True])
def test_full_weights_are_sgd_by_hand(batch, soft):
    """12 steps, a block and a half, on the inputs that the kernel draws."""
    problem = oblique(51, batch=batch, soft=soft)
    kernel = weights_kernel(problem, "float64", 2, 8)
    state = begin(kernel, OBLIQUE.draw(problem, np.random.default_rng(0), 2), replica_keys(3, 0, 0, 2))
    after = advance(kernel, state, jnp.asarray(12))
    for lane in range(2):
        inputs, zetas = [], []
        for block in range(2):
            left, right, zeta = (np.asarray(part)[lane] for part in inputs_of(kernel, folded(state.keys, 8 * block)))
            inputs += list(np.hstack([left, right]).reshape(8, batch, 51))
            zetas += list(zeta.reshape(8, batch))
        W, a = sgd_by_hand(
            np.asarray(state.W[lane]), A, np.asarray(state.teacher[lane]), inputs[:12], zetas[:12], problem
        )
        np.testing.assert_allclose(after.W[lane], W, rtol=0, atol=1e-12)
        np.testing.assert_allclose(observe(kernel, after)["a"][:, lane], a, rtol=0, atol=1e-13)


@pytest.mark.slow
def test_chain_and_full_weights_have_one_law():
    """All three forms at d = 40, where a step is large: means and variances of M, Q, a and the risk."""
    rule = rule_of(oblique(40, gamma=2.4))
    weights = simulated(RuleWeights.of(rule, 40, 1, "float32", LANES, 4), 1)
    assert {"M", "Q", "excess_risk", "a"} <= set(weights)
    agree(weights, simulated(RuleLanes.of(rule, 40, rule.rate, "float32", LANES), 2))
    agree(weights, simulated(RuleBlocks.of(rule, 40, 1, "float32", LANES, 4), 3))


class Wrong(ExactODE):
    """The ODE with gamma_a 2 % too large."""

    def bind(self, problem):
        return eqx.tree_at(lambda curve: curve.rule.output_step, super().bind(problem), 1.02 * 0.5 / (3 * problem.d))


def scores(problem, replicas, final, theory):
    tiles = run(problem, OBLIQUE, Chain(kernel="xla"), [final / 2, final], replicas, seed=7, theory=theory)
    return {name: z_from_theory(tiles, name) for name in ("M", "Q", "a", "excess_risk")}


@pytest.mark.slow
def test_the_chain_follows_the_ode():
    """d = 10^4: 2 % of gamma_a would show."""
    assert worst(scores(oblique(10**4), 512, 1.0, ExactODE())) < 4.5
    assert worst(scores(oblique(10**4), 512, 1.0, Wrong())) > 4.5


@pytest.mark.slow
def test_the_chain_follows_the_ode_at_a_million_dimensions():
    assert worst(scores(oblique(10**6), 64, 0.5, ExactODE())) < 4.5


def test_a_fixed_layer_of_ones_is_the_plain_network_bit_for_bit():
    """It is the same rule; and the rule with a second layer makes the same numbers, to rounding, where that is one."""
    plain = Committee(d=60, p=3, k=2, gamma=0.8, noise=0.05)
    layered = dataclasses.replace(plain, second=SecondLayer(gamma_a=0.0, a0=1.0))
    assert layered.plain
    assert layered.order_parameters == ("M", "Q")
    rule = rule_of(layered)
    assert isinstance(rule, PlainRule)
    assert jax.tree.leaves(rule) == jax.tree.leaves(rule_of(plain))
    network = NetworkRule(
        k=2,
        p=3,
        trained=False,
        output_unit=1.0,
        activation=plain.activation,
        target=UnitMean(plain.activation, jnp.ones(2)),
        outputs=np.ones(3),
        step_size=plain.step_size,
        output_step=0.0,
        noise_root=plain.noise**0.5,
        time_step=plain.dt,
    )
    found = []
    for one in (rule, network):
        kernel = RuleLanes.of(one, plain.d, plain.dt, "float32", 16)
        state = begin(kernel, OBLIQUE.draw(plain, np.random.default_rng(0), 1), replica_keys(5, 0, 0, 16))
        found.append(advance(kernel, state, jnp.asarray(40)))
    for name in ("m", "S"):
        # Products with one let the compiler fuse others, so that the last bits differ; rounding of 40 steps is 1e-8.
        np.testing.assert_allclose(getattr(found[0], name), getattr(found[1], name), rtol=0, atol=1e-7)


def test_soft_numbers_are_those_of_sums():
    """a_i = p v_i, a*_r = k v*_r and gamma_a = p^2 eta_v of means are v, v* and eta_v of sums; what is seen is v."""
    soft, mean = oblique(100, soft=True), oblique(100, a0=np.multiply(3, A), a_star=np.multiply(2, A_STAR), gamma_a=4.5)
    one, other = rule_of(soft), rule_of(mean)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-15)
    begun = one.begin(OBLIQUE.draw(soft, np.random.default_rng(0), 1))[1][0]
    of_sums, of_means = (rule.observe(*map(jnp.asarray, (P, M0, Q0)), begun) for rule in (one, other))
    np.testing.assert_allclose(of_sums["a"], A)
    np.testing.assert_allclose(of_means["a"], np.multiply(3, A))
    np.testing.assert_array_equal(of_sums["excess_risk"], of_means["excess_risk"])


@pytest.mark.parametrize(
    ("K", "M", "eta"),
    [pytest.param(2, 2, 0.3, marks=pytest.mark.slow), (4, 2, 0.25), pytest.param(3, 3, 0.1, marks=pytest.mark.slow)],
)
def test_a_linear_network_has_the_error_of_goldt(K, M, eta):
    """First layer only, L = K - M: the excess risk tends to eta noise (L + M)/(4 - 2 eta (L + M))."""
    noise = 0.01
    layer = SecondLayer(soft=True)
    problem = Committee(d=10**12, p=K, k=M, gamma=eta, noise=noise, second=layer, activation=Linear())
    start = jax.tree.map(lambda part: part[0], OverlapStart(0.5, 1).draw(problem, np.random.default_rng(0), 1))
    solved = ExactODE().bind(problem).solve(start, np.array([100.0, 200.0]))["excess_risk"]
    np.testing.assert_allclose(solved, eta * noise * K / (4 - 2 * eta * K), rtol=1e-6)


@pytest.mark.parametrize("K", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_the_error_of_a_first_layer_grows_with_its_width(K):
    """Soft committee, two teachers: excess/(eta noise) -> (L + M/sqrt(3))/(2 pi) as eta -> 0 (Goldt et al. 2019)."""
    noise, etas, rates = 0.01, (0.08, 0.04), []
    A = [[0.9, 0.0], [0.03, 0.9], [0.05, 0.03]][:K]
    for eta in etas:
        problem = Committee(d=10**12, p=K, k=2, gamma=eta, noise=noise, second=SecondLayer(soft=True))
        start = jax.tree.map(lambda part: part[0], CombinationStart(A=A).draw(problem, np.random.default_rng(0), 1))
        rates.append(ExactODE().bind(problem).solve(start, np.array([400.0]) / eta)["excess_risk"][0] / (eta * noise))
    assert 2 * rates[1] - rates[0] == pytest.approx((K - 2 + 2 / 3**0.5) / (2 * np.pi), rel=0.01)


def test_the_rate_of_the_second_layer_grows_as_that_of_the_first():
    problems = [
        Committee.from_scaling(d=d, k=2, p0=3, gamma0=0.4, delta=0.25, gamma_a0=0.1, second=SecondLayer(a0=A))
        for d in (100, 10**4)
    ]
    rates = [(problem.gamma, problem.second.gamma_a) for problem in problems]
    np.testing.assert_allclose(rates, [[0.4 * d**-0.25, 0.1 * d**-0.25] for d in (100, 10**4)])
    assert problems[0].second.a0 == tuple(A)
    with pytest.raises(ArgumentError, match="`gamma_a` must not be given beside gamma_a0"):
        Committee.from_scaling(d=100, k=2, p0=3, gamma_a0=0.1, second=SecondLayer(gamma_a=0.1))
    with pytest.raises(ArgumentError, match="`gamma_a0` must"):
        Committee.from_scaling(d=100, k=2, p0=3, gamma_a0=-0.1)


def test_what_is_a_column_of_results():
    alike = Committee(d=100, p=3, k=2, gamma=1.0, second=SecondLayer(a0=0.5, gamma_a=0.2, soft=True)).parameters()
    assert (alike["a0"], alike["gamma_a"], alike["a_star"]) == (0.5, 0.2, 1.0)
    assert "soft" not in alike
    different = oblique(100).parameters()
    assert "a0" not in different
    assert different["gamma_a"] == 0.5
    assert not {"a", "a0", "gamma_a"} & set(Committee(d=100, p=3, k=2, gamma=1.0).parameters())


@pytest.mark.parametrize(
    ("layer", "extras"),
    [
        ({}, ()),
        ({"gamma_a": 0.1}, ("gamma_a",)),
        ({"a0": A}, ("a0",)),
        ({"a_star": A_STAR, "gamma_a": 0.1}, ("gamma_a", "a_star")),
        ({"soft": True}, ("soft",)),
    ],
)
def test_theories_that_do_not_know_it_name_its_keys(layer, extras):
    problem = Committee(d=100, p=3, k=2, gamma=1.0, second=SecondLayer(**layer))
    assert problem.extras == extras
    for theory in (LimitODE(), GradientFlow()):
        if not extras:
            theory.check(problem)
            continue
        with pytest.raises(ArgumentError, match=f"`theory` must be exact or none beside {', '.join(extras)}"):
            theory.check(problem)


def test_wrong_layers_name_the_argument():
    for layer, text in (
        ({"a0": [1.0, 2.0]}, "`a0` must be one number, or p = 3 of them, but got '2 numbers'"),
        ({"a_star": [1.0, 2.0, 3.0]}, "`a_star` must be one number, or k = 2 of them"),
        ({"a0": [1.0, np.nan, 1.0]}, "`a0` must be finite"),
        ({"gamma_a": -1.0}, "`gamma_a` must be finite and >= 0"),
    ):
        with pytest.raises(ArgumentError, match=text.replace("*", r"\*")):
            Committee(d=100, p=3, k=2, gamma=1.0, second=SecondLayer(**layer))


def test_rules_of_stable_steps_know_the_layer():
    """Of K soft linear units SGD is stable for eta K < 2, of a mean of K for gamma < 2 K."""
    plain = Committee(d=10**9, p=4, k=2, gamma=1.0, activation=Linear())
    soft = dataclasses.replace(plain, second=SecondLayer(soft=True))
    assert plain.stable_gamma == pytest.approx(8.0)
    assert soft.stable_gamma == pytest.approx(0.5)
    assert soft.cautions()
    assert not plain.cautions()


def test_the_expected_error_is_that_of_a_soft_committee_of_one_trained_layer():
    layer = SecondLayer(soft=True)
    soft = [Committee(d=100, p=3, k=2, gamma=gamma, noise=0.01, second=layer) for gamma in (0.1, 0.2)]
    names = ("excess_risk", "gamma", "gamma_squared")
    first, second = SoftCommitteeError().coefficients(*names, soft)
    assert first == pytest.approx(0.01 * (1 + 2 / 3**0.5) / (2 * np.pi))
    assert second is None
    linear = [dataclasses.replace(problem, activation=Linear()) for problem in soft]
    assert SoftCommitteeError().coefficients(*names, linear) == (0.01 * 3 / 4, None)
    assert SoftCommitteeError().coefficients("excess_risk", "gamma", "dt", soft) is None
    for changed in (
        {"second": SecondLayer(soft=True, gamma_a=0.1)},
        {"second": SecondLayer(a0=3.0)},
        {"second": SecondLayer(soft=True, a0=0.5)},
        {"second": None},
        {"p": 1},
        {"batch": 2},
        {"noise": 0.02},
    ):
        assert SoftCommitteeError().coefficients(*names, [soft[0], dataclasses.replace(soft[1], **changed)]) is None
