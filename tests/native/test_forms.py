"""The forms in C++ against those of XLA, which share the step and nothing of what runs it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee import Chain, Weights
from sgdsim.committee.averages.activations import Custom, Erf, Linear, Quadratic, Relu
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import OverlapStart, SphereStart
from sgdsim.committee.target import FunctionTarget
from sgdsim.committee.weights import weights_kernel
from sgdsim.ensemble.inputs import xla_inputs
from sgdsim.ensemble.lane_loop import xla_form
from sgdsim.ensemble.random import replica_keys
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.errors import ArgumentError
from sgdsim.native.build import find_compiler
from sgdsim.native.form import NativeForm
from sgdsim.native.inputs import NativeInputs
from tests.committee.test_chain import OBLIQUE
from tests.compiled import advance, begin

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="there is no C++ compiler")
REQUIRED = NativeForm(required=True)


def chain_ends(problem, start, dtype, steps, forms=(xla_form, REQUIRED), lanes=24):
    """The states after some steps in each form, and the first one; 24 lanes are a whole vector and a half."""
    initial = start.draw(problem, np.random.default_rng(0), lanes)
    keys = replica_keys(5, 0, 0, lanes)
    kernels = [chain_lanes(problem, dtype, lanes, form) for form in forms]
    states = [advance(kernel, begin(kernel, initial, keys), jnp.asarray(steps)) for kernel in kernels]
    return [whole(state) for state in (begin(kernels[0], initial, keys), *states)]


OTHERS = [
    (3, 2, Erf(), "float32", 20),
    (3, 2, Relu(), "float32", 100),
    (1, 1, Erf(), "float32", 100),
    (2, 3, Linear(), "float32", 100),
    (3, 2, Quadratic(), "float64", 100),
    (3, 2, Custom(jnp.tanh), "float32", 100),
    (2, 2, Custom(lambda x: x * jax.nn.sigmoid(x), "swish"), "float64", 100),
    (8, 4, Erf(), "float32", 100),
    (16, 16, Erf(), "float32", 100),
]


def whole(state):
    return np.concatenate([np.asarray(part).reshape(-1, part.shape[-1]) for part in (state.m, state.S)])


@needs_compiler
@pytest.mark.parametrize(
    ("p", "k", "activation", "dtype", "d"),
    [
        (3, 2, Erf(), "float64", 100),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in OTHERS),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_the_loop_in_cpp_is_that_of_xla_to_rounding(p, k, activation, dtype, d):
    """Three segments and a half; d = 20 sums squares of normals for the radius."""
    problem = Committee(d=d, p=p, k=k, gamma=0.4, noise=0.02, activation=activation)
    steps = 7 * chain_lanes(problem, dtype, 24).segment // 2
    start = OBLIQUE if (p, k) == (3, 2) else SphereStart(seed=3)
    first, xla, native = chain_ends(problem, start, dtype, steps)
    moved = np.abs(xla - first).max()
    assert moved > 1e-3
    assert np.abs(native - xla).max() < (3e-6 if dtype == "float32" else 1e-13) * moved


@needs_compiler
def test_bits_do_not_depend_on_the_lanes_beside():
    """The first 8 of 24 lanes, alone."""
    problem = Committee(d=100, p=3, k=2, gamma=0.4, noise=0.02)
    wide, narrow = (chain_ends(problem, OBLIQUE, "float32", 50, (REQUIRED,), lanes)[1] for lanes in (24, 8))
    np.testing.assert_array_equal(wide[:, :8], narrow)


@needs_compiler
def test_a_call_that_is_divided_at_a_segment_makes_the_same_bits():
    problem = Committee(d=100, p=3, k=2, gamma=0.4, noise=0.02)
    kernel = chain_lanes(problem, "float32", 24, REQUIRED)
    state = begin(kernel, OBLIQUE.draw(problem, np.random.default_rng(0), 24), replica_keys(5, 0, 0, 24))
    once = advance(kernel, state, jnp.asarray(41))
    twice = advance(
        kernel, advance(kernel, state, jnp.asarray(2 * kernel.segment)), jnp.asarray(41 - 2 * kernel.segment)
    )
    np.testing.assert_array_equal(whole(once), whole(twice))
    assert int(twice.step) == 41
    np.testing.assert_array_equal(whole(advance(kernel, state, jnp.asarray(0))), whole(state))


@needs_compiler
def test_steps_beyond_two_to_the_32_have_keys_of_their_own():
    problem = Committee(d=100, p=3, k=2, gamma=0.4, noise=0.02)
    ends = {}
    for form in (xla_form, REQUIRED):
        kernel = chain_lanes(problem, "float32", 24, form)
        state = begin(kernel, OBLIQUE.draw(problem, np.random.default_rng(0), 24), replica_keys(5, 0, 0, 24))
        for step in (7, 2**32 + 7):
            ends[form, step] = whole(advance(kernel, _at(state, step), jnp.asarray(20)))
    for step in (7, 2**32 + 7):
        np.testing.assert_allclose(ends[xla_form, step], ends[REQUIRED, step], rtol=0, atol=1e-7)
    assert np.abs(ends[REQUIRED, 7] - ends[REQUIRED, 2**32 + 7]).max() > 1e-3


def _at(state, step):
    return type(state)(state.m, state.S, state.numbers, state.teacher_root, state.keys, jnp.asarray(step))


@needs_compiler
def test_tiles_may_be_mapped():
    problem = Committee(d=100, p=3, k=2, gamma=0.4, noise=0.02)
    kernel = chain_lanes(problem, "float32", 24, REQUIRED)
    initial = OBLIQUE.draw(problem, np.random.default_rng(0), 24)
    states = [begin(kernel, initial, replica_keys(5, 0, 24 * tile, 24)) for tile in range(2)]
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *states)
    mapped = jax.jit(jax.vmap(lambda state: kernel.advance(state, jnp.asarray(41))))(stacked)
    for tile, state in enumerate(states):
        alone = whole(advance(kernel, state, jnp.asarray(41)))
        np.testing.assert_array_equal(whole(jax.tree.map(lambda part, tile=tile: part[tile], mapped)), alone)


@needs_compiler
def test_divergence_shows():
    """Infinite or not a number, and not some large finite number."""
    problem = Committee(d=50, p=2, k=2, gamma=40.0, noise=0.02, activation=Quadratic())
    _, native = chain_ends(problem, SphereStart(seed=3), "float32", 400, (REQUIRED,))
    assert not np.isfinite(native).all(axis=0).any()


@needs_compiler
@pytest.mark.parametrize(
    ("dtype", "batch", "d"),
    [("float32", 1, 51), pytest.param("float64", 3, 6, marks=pytest.mark.slow), ("float64", 1, 1000)],
)
def test_inputs_in_cpp_are_those_of_xla_to_rounding(dtype, batch, d):
    """Two blocks and a half; d is no multiple of a vector, and smaller than one."""
    problem = Committee(d=d, p=5, k=2, gamma=0.4, noise=0.02, batch=batch)
    ends = []
    for form in (xla_inputs, NativeInputs(required=True)):
        kernel = weights_kernel(problem, dtype, 2, 7, form)
        state = begin(kernel, OverlapStart(0.5, 1).draw(problem, np.random.default_rng(0), 2), replica_keys(3, 0, 0, 2))
        ends.append(np.asarray(advance(kernel, state, jnp.asarray(18)).W))
    moved = np.abs(ends[0] - np.asarray(state.W)).max()
    assert moved > 0.005
    assert np.abs(ends[0] - ends[1]).max() < (1e-5 if dtype == "float32" else 1e-13)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    "simulator", [Chain(kernel="fused"), Weights(kernel="fused", block=4)], ids=["chain", "weights"]
)
def test_an_ensemble_has_the_same_bits_in_any_batch(simulator):
    """On two devices at once, or a tile at a time."""
    problem = Committee(d=60, p=3, k=2, gamma=0.4, noise=0.02)
    results = [
        Ensemble(problem, SphereStart(seed=3), simulator, None, np.array([0.3, 1.0]), 100, 0, batch=batch).run()
        for batch in (None, 1)
    ]
    for name in ("M", "Q"):
        np.testing.assert_array_equal(results[0].mean[name], results[1].mean[name])


@pytest.mark.slow
def test_without_a_compiler_the_chain_is_that_of_xla_and_one_line_says_so(no_compiler, told):
    problem = Committee(d=100, p=2, k=1, gamma=0.4, noise=0.02)
    for _ in range(2):
        jax.clear_caches()
        _, xla, auto = chain_ends(problem, SphereStart(seed=3), "float32", 50, (xla_form, NativeForm()))
    np.testing.assert_array_equal(xla, auto)
    (line,) = told.messages
    assert line == (
        "sgdsim: a loop runs as XLA compiles it, several times slower than as C++: there is no C++ compiler "
        "(install g++ or clang++, or name one in $CXX)"
    )


@needs_compiler
def test_what_has_no_form_is_left_to_xla_and_told(told):
    problem = Committee(d=100, p=2, k=1, gamma=0.4, activation=Custom(lambda x: jax.lax.lgamma(1.5 + x * x), "odd"))
    _, xla, auto = chain_ends(problem, SphereStart(seed=3), "float32", 20, (xla_form, NativeForm()))
    np.testing.assert_array_equal(xla, auto)
    assert [line.partition("there is ")[2] for line in told.messages] == ["no C++ for the operation `lgamma`"]


def test_weights_without_a_compiler_are_those_of_xla(no_compiler, told):
    problem = Committee(d=20, p=2, k=1, gamma=0.4)
    ends = []
    for form in (xla_inputs, NativeInputs()):
        kernel = weights_kernel(problem, "float32", 2, 3, form)
        state = begin(kernel, OverlapStart(0.5, 1).draw(problem, np.random.default_rng(0), 2), replica_keys(3, 0, 0, 2))
        ends.append(np.asarray(advance(kernel, state, jnp.asarray(6)).W))
    np.testing.assert_array_equal(*ends)
    (line,) = told.messages
    assert "there is no C++ compiler" in line


REFUSED = [
    (Chain(kernel="fused"), {"batch": 2}, r"`auto` or `xla` where the chain goes by matrix products \(batch = 2\)"),
    (Chain(kernel="fused"), {"p": 17}, r"where the chain goes by matrix products \(p = 17, k = 2\)"),
]


@pytest.mark.parametrize(("simulator", "changed", "words"), REFUSED)
def test_a_fused_chain_that_cannot_be_had_is_refused(simulator, changed, words):
    with pytest.raises(ArgumentError, match=r"Argument `kernel` must be .*" + words):
        simulator.check(Committee(**{"d": 100, "p": 3, "k": 2, "gamma": 0.4} | changed))


@needs_compiler
@pytest.mark.parametrize(
    "part",
    [
        {"activation": Custom(lambda x: jax.lax.lgamma(1.5 + x * x), "odd")},
        {"target": FunctionTarget(lambda fields: jax.lax.lgamma(1.5 + fields[0] ** 2), "odd")},
    ],
    ids=["activation", "target"],
)
def test_a_fused_chain_of_a_function_without_a_form_is_refused(part):
    problem = Committee(d=100, p=2, k=1, gamma=0.4, **part)
    with pytest.raises(ArgumentError, match=r"for this network.*The operation `lgamma` has no form in C"):
        Chain(kernel="fused").check(problem)


@pytest.mark.parametrize("simulator", [Chain(kernel="fused"), Weights(kernel="fused")], ids=["chain", "weights"])
def test_without_a_compiler_a_fused_kernel_is_refused(no_compiler, simulator):
    with pytest.raises(ArgumentError, match=r"There is no C\+\+ compiler \(install g\+\+"):
        simulator.check(Committee(d=100, p=3, k=2, gamma=0.4))


def test_a_fused_kernel_whose_compiler_fails_is_an_error(no_compiler):
    problem = Committee(d=100, p=2, k=1, gamma=0.45)
    with pytest.raises(ArgumentError, match="`kernel` must be `auto` or `xla` here"):
        chain_ends(problem, SphereStart(seed=3), "float64", 20, (REQUIRED,), lanes=40)
