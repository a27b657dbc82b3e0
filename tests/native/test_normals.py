"""Blocks of normals in C++ against those of XLA, alone and in the chain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee import Chain, Committee, OverlapStart, Weights
from sgdsim.committee.spectrum import PowerSpectrum
from sgdsim.ensemble.random import block_normals, replica_keys
from sgdsim.native.build import find_compiler
from sgdsim.native.normals import native_normals
from sgdsim.rules.batches import RuleBatches
from sgdsim.rules.blocks import RuleBlocks
from tests.compiled import advance, begin

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="there is no C++ compiler")
KEYS = replica_keys(2, 0, 0, 5)
drawn = jax.jit(lambda form, count, dtype, keys: form((keys[0], keys[1]), count, dtype), static_argnums=(0, 1, 2))

# Blocks of two steps of three samples; two gradients of 40; two of 3, of inputs with two variances.
PROBLEMS = {
    "blocks": (RuleBlocks, {"batch": 3}),
    "batches": (RuleBatches, {"batch": 40}),
    "spectrum": (RuleBatches, {"batch": 3, "inputs": PowerSpectrum(1.0, blocks=2)}),
}


def chain(name, kernel):
    """The kernel of a problem in a form, and its state after some steps."""
    made, changed = PROBLEMS[name]
    problem = Committee(d=60, p=3, k=2, gamma=0.4, noise=0.02, **changed)
    bound = Chain(precision="float64", kernel=kernel).bind(problem, 4, 1.0)
    assert isinstance(bound, made)
    initial = OverlapStart(0.5, 1).draw(problem, np.random.default_rng(0), bound.lanes)
    state = begin(bound, initial, replica_keys(3, 0, 0, bound.lanes))
    return bound, state, advance(bound, state, jnp.asarray(7))


@needs_compiler
@pytest.mark.parametrize(("dtype", "rounding"), [("float32", 2e-6), ("float64", 1e-14)])
@pytest.mark.parametrize("count", [1, 2, 7, 32, 75])
def test_normals_of_a_block_are_those_of_xla_to_rounding(count, dtype, rounding):
    """Fewer pairs than a vector has lanes, whole vectors, and the second of a last pair left out."""
    native, xla = (np.asarray(drawn(form, count, dtype, KEYS)) for form in (native_normals, block_normals))
    assert native.shape == (5, count)
    assert native.dtype == dtype
    np.testing.assert_allclose(native, xla, rtol=0, atol=rounding)
    assert len(np.unique(native)) == native.size


@needs_compiler
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_chain_by_products_is_the_same_in_both_forms(name):
    (xla, start, one), (native, _, other) = (chain(name, kernel) for kernel in ("xla", "auto"))
    forms = [kernel.inputs.form if name == "blocks" else kernel.form for kernel in (xla, native)]
    assert forms == [block_normals, native_normals]
    for part in ("m", "S"):
        before, left, right = (np.asarray(getattr(state, part)) for state in (start, one, other))
        assert np.abs(left - before).max() > 1e-3
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-12)


def test_without_a_compiler_normals_are_those_of_xla_and_one_line_says_so(no_compiler, told):
    for _ in range(2):
        jax.clear_caches()
        np.testing.assert_array_equal(*(drawn(form, 7, "float32", KEYS) for form in (native_normals, block_normals)))
    (line,) = told.messages
    assert line == (
        "sgdsim: inputs are drawn as XLA compiles it, at half the speed of C++ or less: there is no C++ compiler "
        "(install g++ or clang++, or name one in $CXX)"
    )


def test_chains_by_products_alone_have_small_ones():
    for problem in (Committee(d=60, p=3, k=2, gamma=0.4), Committee(d=60, p=20, k=2, gamma=0.4)):
        assert Chain().bind(problem, 4, 1.0).small_products == (problem.p > 16)
        assert not Weights().bind(problem, 4, 1.0).small_products
