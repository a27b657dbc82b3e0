"""Students of one's own: against the committee, by hand, their starts, and what cannot be one."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import erf

import sgdsim
from sgdsim.committee import Chain, Committee, ExactODE, OverlapStart, SecondLayer, TeacherStart, Weights
from sgdsim.committee.sampled_risk import TEST
from sgdsim.committee.system import SYSTEM
from sgdsim.committee.training import training_kernel
from sgdsim.committee.update import Update
from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.rules.schedule import PowerSchedule
from sgdsim.students import attention, normalised, three_layers
from sgdsim.testing import check_system
from sgdsim.training import SGD, Adam, FiniteData, HeavyBall, ModuleStudent
from sgdsim.training.components import Laplace
from sgdsim.training.counted import count_gradient
from sgdsim.training.kernel import DATA, LABELS, ORDER
from sgdsim.training.module import first_layer, skeleton_of
from sgdsim.training.noise import RademacherNoise
from tests.compiled import advance, begin, folded, observe
from tests.training import nets

D, LANES, N, BATCH = 12, 2, 11, 4
KEY = jax.random.key(3)
TEACHER = TeacherStart([[1.0, 0.3], [0.3, 0.8]])
THREE = ModuleStudent(three_layers, p2=2)
COMMITTEE = ModuleStudent(nets.committee)


def problem(student=THREE, **more):
    return Committee(**{"d": D, "p": 3, "k": 2, "gamma": 3.0, "noise": 0.1, "student": student} | more)


def started(net, lanes=LANES, test_inputs=1, keys=None, block=4):
    """The kernel of a problem in float64, and its state at t = 0."""
    kernel = training_kernel(net, "float64", lanes, block, test_inputs=test_inputs)
    keys = replica_keys(3, 0, 0, lanes) if keys is None else keys
    return kernel, begin(kernel, TEACHER.draw(net, np.random.default_rng(0), 1), keys)


@pytest.mark.parametrize(
    "more",
    [
        {"data": FiniteData(n=N), "batch": BATCH},
        {"optimiser": SGD(), "schedule": PowerSchedule(t0=0.2, exponent=1.5)},
        {"inputs": Laplace(), "label_noise": RademacherNoise(), "labels": "sign", "optimiser": SGD(), "batch": 2},
    ],
    ids=["data", "fresh, a schedule", "inputs and noise of a law, classes"],
)
def test_a_module_of_the_committee_is_the_committee(more):
    """The same W and teacher, the same random numbers: the same W after 6 steps to rounding, and the same M and Q."""
    kernel, state = started(problem(COMMITTEE, **more))
    built_in, begun = started(problem(None, **more))
    W = state.moving.parameters.W
    begun = replace(
        begun, moving=begun.moving._replace(parameters={"W": W}), start={"W": W}, fixed=state.fixed, y=state.y
    )
    after, expected = advance(kernel, state, jnp.asarray(6)), advance(built_in, begun, jnp.asarray(6))
    assert np.abs(after.moving.parameters.W - W).max() > 0.1
    np.testing.assert_allclose(after.moving.parameters.W, expected.moving.parameters["W"], rtol=0, atol=1e-13)
    seen, known = observe(kernel, after), observe(built_in, expected)
    for name in ("M", "Q", "distance", *("empirical_risk",) * ("data" in more)):
        np.testing.assert_allclose(seen[name], known[name], rtol=0, atol=1e-13)


def test_the_risk_of_a_module_is_that_of_its_overlaps():
    """Of test inputs against the closed form, of 2^18 inputs: within 5 standard errors, for every replica."""
    kernel, state = started(problem(COMMITTEE, optimiser=SGD()), test_inputs=2**18)
    built_in, begun = started(problem(None, optimiser=SGD()))
    W = state.moving.parameters.W
    begun = replace(begun, moving=begun.moving._replace(parameters={"W": W}), fixed=state.fixed)
    risk, exact = (np.asarray(observe(*one)["excess_risk"]) for one in ((kernel, state), (built_in, begun)))
    # A square of about normal numbers has a standard deviation of sqrt(2) its mean.
    assert np.abs(risk / exact - 1).max() < 5 * (2 / 2**18) ** 0.5
    assert (risk != exact).all()


def flat(weights, biases):
    return np.concatenate([np.ravel(part) for part in (*weights, *biases)])


@pytest.mark.parametrize(
    ("optimiser", "keys"),
    [
        pytest.param(SGD(decay=0.4, clip=0.02), {"decay": 0.4, "clip": 0.02}, id="sgd"),
        pytest.param(Adam(beta1=0.8, beta2=0.9, epsilon=0.1), {"adam": (0.8, 0.9, 0.1)}, id="adam"),
    ],
)
def test_steps_of_three_layers_by_hand(optimiser, keys):
    """Two steps on all data at the rate gamma/(1 + t/t0)^1.5, of the gradient of R itself, with NumPy."""
    net = problem(data=FiniteData(n=N), batch=N, optimiser=optimiser, schedule=PowerSchedule(t0=0.2, exponent=1.5))
    kernel, state = started(net)
    after = advance(kernel, state, jnp.asarray(2))
    x, y, begun = np.asarray(state.x), np.asarray(state.y), state.moving.parameters
    assert [part.shape[1:] for part in begun.weights] == [(3, D), (2, 3), (1, 2)]
    for lane in range(LANES):
        weights, biases = ([np.array(part[lane]) for part in parts] for parts in (begun.weights, begun.biases))
        first = second = 0.0
        for step in range(2):
            made = [nets.by_hand(weights, biases, one) for one in x[lane]]
            gradient = sum((f - label) * flat(*slopes) for (f, *slopes), label in zip(made, y[lane], strict=True)) / N
            if "adam" in keys:
                beta1, beta2, epsilon = keys["adam"]
                first, second = beta1 * first + (1 - beta1) * gradient, beta2 * second + (1 - beta2) * gradient**2
                mean, square = first / (1 - beta1 ** (step + 1)), second / (1 - beta2 ** (step + 1))
                move = mean / (np.sqrt(square) + epsilon)
            else:
                assert np.linalg.norm(gradient) > keys["clip"]
                move = gradient * keys["clip"] / np.linalg.norm(gradient) + keys["decay"] * flat(weights, biases)
            new = flat(weights, biases) - 3.0 * (1 + step / D / 0.2) ** -1.5 * move
            sizes = np.cumsum([part.size for part in (*weights, *biases)])[:-1]
            parts = [
                part.reshape(old.shape) for part, old in zip(np.split(new, sizes), (*weights, *biases), strict=True)
            ]
            weights, biases = parts[:3], parts[3:]
        found = after.moving.parameters
        got = flat([part[lane] for part in found.weights], [part[lane] for part in found.biases])
        np.testing.assert_allclose(got, flat(weights, biases), rtol=0, atol=1e-12)


def test_what_is_observed_by_hand():
    """Empirical risk, gap, distance, M and Q of V_1, after some steps."""
    kernel, state = started(problem(data=FiniteData(n=N), batch=BATCH))
    after = advance(kernel, state, jnp.asarray(9))
    seen = {name: np.asarray(value) for name, value in observe(kernel, after).items()}
    for lane in range(LANES):
        new, old = (
            [np.asarray(part[lane]) for part in (*one.weights, *one.biases)]
            for one in (after.moving.parameters, after.start)
        )
        f = np.array([nets.by_hand(new[:3], new[3:], x)[0] for x in np.asarray(state.x)[lane]])
        risk = ((np.asarray(state.y)[lane] - f) ** 2).mean() / 2
        np.testing.assert_allclose(seen["empirical_risk"][lane], risk, rtol=1e-12)
        gap = seen["excess_risk"][lane] + 0.1 / 2 - risk
        np.testing.assert_allclose(seen["generalisation_gap"][lane], gap, rtol=1e-9)
        moved = np.sqrt(((flat(new, []) - flat(old, [])) ** 2).mean())
        np.testing.assert_allclose(seen["distance"][lane], moved, rtol=1e-12)
        teacher = np.asarray(state.fixed)[lane]
        np.testing.assert_allclose(seen["M"][..., lane], new[0] @ teacher.T / D, rtol=0, atol=1e-12)
        np.testing.assert_allclose(seen["Q"][..., lane], new[0] @ new[0].T / D, rtol=1e-12)
        np.testing.assert_allclose(teacher @ teacher.T / D, TEACHER.P, rtol=0, atol=1e-12)


def test_teachers_know_no_coordinates():
    """They begin in the first coordinates for a committee; a module may know these."""
    _, state = started(problem())
    assert np.abs(np.asarray(state.fixed)[0]).min() > 1e-3


def test_every_replica_begins_with_its_own_key():
    """Two replicas differ in every weight, and a replica is the same in any company, at any place."""
    keys = replica_keys(3, 0, 0, 4)
    (_, some), (_, others) = started(problem()), started(problem(), keys=keys[:, [2, 1]])
    for part, again in zip(*(jax.tree.leaves(one.moving.parameters.weights) for one in (some, others)), strict=True):
        assert (part[0] != part[1]).all()
        np.testing.assert_array_equal(part[1], again[1])
        assert (part[0] != again[0]).all()


def test_the_key_of_a_start_is_of_no_other_use():
    """It is the replica's, folded with a number beyond that of any step, and beyond those of data and test inputs."""
    _, state = started(problem(ModuleStudent(nets.key_itself), p=1))
    found = np.asarray(state.moving.parameters.theta).astype(np.uint32).T
    uses = {2**64 - number: np.asarray(folded(state.keys, np.uint64(2**64 - number))) for number in range(1, 6)}
    np.testing.assert_array_equal(found, uses.pop(2**64 - 5))
    assert not any((found == other).any() for other in [*uses.values(), np.asarray(state.keys)])
    assert {DATA, LABELS, ORDER, TEST} == set(uses)


@pytest.mark.bits
@pytest.mark.parametrize(
    ("student", "more"),
    [
        pytest.param(THREE, {"optimiser": Adam()}, id="three layers"),
        pytest.param(
            ModuleStudent(nets.line),
            {"p": 1, "data": FiniteData(n=9), "batch": 4, "gamma": 0.1},
            id="a line",
            marks=pytest.mark.slow,
        ),
        pytest.param(ModuleStudent(attention, tokens=3), {}, id="attention", marks=pytest.mark.slow),
    ],
)
def test_laws_of_a_system(student, more):
    """Bits independent of company, order, blocks and interruptions: see `check_system`."""
    check_system(SYSTEM, problem(student, **more), TEACHER, simulator=Weights(), compare=False)


@pytest.mark.slow
def test_batches_of_replicas_change_no_bit():
    net = problem(optimiser=HeavyBall())
    some, all_ = (
        sgdsim.simulate(net, TEACHER, [0.0, 0.5], replicas=8, batch=batch, simulator=Weights(), compare=False)
        for batch in (2, 8)
    )
    for name in ("excess_risk", "Q", "distance"):
        np.testing.assert_array_equal(some[name], all_[name])
    assert float(some.distance[0]) == 0


def test_layers_of_equinox_are_first_layers():
    """W = sqrt(d) weight of an MLP, as fields are W x/sqrt(d); what has none observes the risk alone."""
    d = 7
    net = nets.perceptron(d, key=jax.random.key(1))
    np.testing.assert_allclose(first_layer(net, d), net.layers[0].weight * d**0.5, rtol=1e-12)
    behind = eqx.nn.Sequential([net.layers[0], eqx.nn.Lambda(jnp.tanh)])
    np.testing.assert_array_equal(first_layer(behind, d), first_layer(net, d))
    assert first_layer(eqx.nn.Sequential([eqx.nn.Lambda(jnp.tanh), net.layers[0]]), d) is None
    assert skeleton_of(ModuleStudent(nets.perceptron, width=4), d, 1).rows == 4
    alone = problem(ModuleStudent(nets.line), p=1)
    assert alone.order_parameters == ("excess_risk",)
    assert problem().order_parameters == ("M", "Q")
    kernel, state = started(alone)
    assert set(observe(kernel, state)) == {"excess_risk", "distance"}


def test_shipped_students_by_hand():
    """Attention and normalised fields with NumPy, at one x."""
    x, key = np.random.default_rng(1).normal(size=12), KEY
    made = attention(12, key=key, p=5, tokens=3)
    A, B, C, a = (np.asarray(part) for part in (made.queries, made.keys, made.values, made.readout))
    tokens, total = x.reshape(3, 4) / 2, 0.0
    for one in tokens:
        scores = np.exp([(A @ one) @ (B @ other) / 5**0.5 for other in tokens])
        mixed = sum(score * (C @ other) for score, other in zip(scores / scores.sum(), tokens, strict=True))
        total += a @ erf(mixed / 2**0.5) / 3
    np.testing.assert_allclose(made(jnp.asarray(x)), total / (5 * 12) ** 0.5, rtol=1e-10)
    layers = normalised(12, key=key, p=5)
    V, top = (np.asarray(part) for part in layers.weights)
    z = V @ x / 12**0.5
    z = (z - z.mean()) / np.sqrt(z.var() + 1e-5)
    np.testing.assert_allclose(layers(jnp.asarray(x)), top[0] @ erf(z / 2**0.5) / (5 * 12) ** 0.5, rtol=1e-10)


def test_layers_begin_with_fields_of_order_one():
    """z_l = (V_l g_(l-1) + c_l)/sqrt(d): the output of many replicas has the variance of erf at normals."""
    x = np.random.default_rng(2).normal(size=40)
    x = jnp.asarray(x * 40**0.5 / np.linalg.norm(x))
    f = np.asarray(jax.jit(jax.vmap(lambda key: three_layers(40, key=key, p=30)(x)))(jax.random.split(KEY, 1000)))
    # E erf(z/sqrt(2))^2 = (2/pi) arcsin(v/(1 + v)) of z ~ N(0, v); 30 units come to their mean within a few percent.
    first = 2 / np.pi * np.arcsin(1 / 2)
    np.testing.assert_allclose(f.var(), 2 / np.pi * np.arcsin(first / (1 + first)), rtol=0.2)
    assert abs(f.mean()) < 5 * f.std() / 1000**0.5


@pytest.mark.parametrize(("said", "function"), nets.WRONG.items())
def test_what_cannot_be_trained_is_refused(said, function):
    with pytest.raises(ArgumentError, match=said):
        problem(ModuleStudent(function), p=1)


REFUSED = {
    "`p` must be 1 beside the student line": lambda: problem(ModuleStudent(nets.line), p=2),
    "`student` must be a function of d and a key": lambda: ModuleStudent(3),
    "`tokens` must divide d = 12": lambda: problem(ModuleStudent("attention", tokens=5)),
    "`heads` must be a parameter of attention.*It has tokens": lambda: ModuleStudent("attention", heads=2),
    "`p` must be left out": lambda: ModuleStudent("attention", p=2),
    "`p2` must be a number, a word": lambda: ModuleStudent("three_layers", p2=jnp.ones(2)),
    "`own` must be given: wanting": lambda: ModuleStudent(wanting),
    "Did you mean 'three_layers'": lambda: ModuleStudent("three_layer"),
    "`gamma_a` must be left out beside student": lambda: problem(second=SecondLayer(gamma_a=1.0)),
    "`a0` must be left out beside student": lambda: problem(second=SecondLayer(a0=2.0)),
    "`update` must be left out beside student": lambda: problem(update=Update(momentum=0.5)),
    "`inputs` must be left out beside student": lambda: problem(
        inputs=sgdsim.committee.PowerSpectrum(spectrum=0.5, blocks=2)
    ),
    "`escape_level` must be left out beside student": lambda: problem(escape_level=0.5),
    "`noise_draws` must be left out beside student": lambda: problem(noise_draws=4),
    "`teacher_activation` must be left out beside student": lambda: problem(teacher_activation=sgdsim.committee.Relu()),
    "`student` must be left out for the simulator `chain`": lambda: Chain().check(problem()),
    "for a student of one's own": lambda: Weights(kernel="fused").check(problem()),
    "`theory` must be none beside student = three_layers": lambda: ExactODE().check(problem()),
    "say nothing of the student .*TeacherStart": lambda: OverlapStart(0.5).check(problem()),
    "say how the student begins": lambda: TEACHER.check(problem(None)),
    r"`P` must have shape \(2, 2\)": lambda: TeacherStart([[1.0]]).check(problem()),
}


def wanting(d, *, key, own):
    return nets.line(d, key=key)


@pytest.mark.parametrize("said", REFUSED)
def test_what_has_no_meaning_beside_a_module_is_refused(said):
    with pytest.raises(ArgumentError, match=said):
        REFUSED[said]()


def test_what_belongs_to_the_teacher_stays():
    """Its second layer and its activation make other labels."""
    plain, other = (started(problem(data=FiniteData(n=N), **more))[1].y for more in ({}, {"second": LAYER}))
    assert np.abs(np.asarray(plain) - np.asarray(other)).max() > 0.1
    assert problem(activation=sgdsim.committee.Linear()).cautions() == []


LAYER = SecondLayer(a_star=(1.0, 3.0))


def test_costs_and_bytes_are_those_of_the_module():
    """Products of a committee as a module: 2 p d forward and as many for the gradient; Adam holds two copies more."""
    counted = count_gradient(COMMITTEE, 1000, 4)
    assert 4 * 4 * 1000 <= counted.products <= 1.1 * 4 * 4 * 1000
    weights, size = Weights(), skeleton_of(THREE, D, 3).size
    assert size == 3 * D + 2 * 3 + 2 + 3 + 2 + 1
    adam, sgd = (weights.bytes_per_replica(problem(optimiser=one)) for one in (Adam(), SGD()))
    assert adam - sgd == 2 * 2 * size * 4
    narrow, wide = (weights.step_cost(problem(COMMITTEE, d=1000, p=p)) for p in (4, 8))
    assert 1.5 < wide.products / narrow.products < 2
    small, large = (weights.bytes_per_replica(problem(d=100, data=FiniteData(n=n))) for n in (10_000, 20_000))
    assert 10_000 * 100 * 4 <= large - small <= 3 * 10_000 * 100 * 4


def test_any_optimiser_of_optax_may_name_parts_of_a_module():
    """Biases alone are trained by a mask over the module's own tree."""
    labels = lambda tree: eqx.tree_at(lambda one: one.weights, jax.tree.map(lambda _: "on", tree), ("off",) * 3)  # noqa: E731
    only = optax.multi_transform({"on": optax.sgd(1.0), "off": optax.set_to_zero()}, labels)
    kernel, state = started(problem(optimiser=only))
    after = advance(kernel, state, jnp.asarray(3))
    for old, new in zip(state.moving.parameters.weights, after.moving.parameters.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.abs(after.moving.parameters.biases[0]).max() > 0
