"""Pinned values: the same bits, and computed once."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble import vectors
from sgdsim.ensemble.pin import Pin, no_pin, pair_pinning
from sgdsim.ensemble.random import lane_normals, replica_keys

pytestmark = pytest.mark.bits  # the compiler decides what a program computes twice: that of users
LANES = 64
wide = pytest.mark.skipif(not vectors.wide_vectors(), reason="pairs are packed where vectors have 512 bits")


def loop(keys, n_steps, dtype, pinned):
    """Two normals at every step, each of which has several users."""
    pin = Pin.of(n_steps, dtype) if pinned else no_pin

    def step(index, sums):
        left, right = lane_normals((keys[0], keys[1]), index.astype(jnp.uint32), 2, dtype, pin)
        return [sums[0] + left, sums[1] + right * left, sums[2] + right * right]

    return jax.lax.fori_loop(0, n_steps, step, [jnp.zeros(LANES, dtype)] * 3)


def compiled(dtype, pinned):
    keys = replica_keys(3, 1, 0, LANES)
    jitted = jax.jit(loop, static_argnums=(2, 3), compiler_options=vectors.compiler_options())
    program = jitted.lower(keys, np.int64(1), jnp.dtype(dtype), pinned).compile()
    return program, program(keys, np.int64(1))


def xors(dtype):
    """How many there are of them in the program, on whole tiles."""
    return len(re.findall(r"u32\[64\]\S* xor\(", compiled(dtype, True)[0].as_text() or ""))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pinned_normals_have_the_same_bits(dtype):
    for one, other in zip(compiled(dtype, True)[1], compiled(dtype, False)[1], strict=True):
        np.testing.assert_array_equal(one, other)


@wide
def test_threefry_is_evaluated_once_a_pair():
    """20 rounds make 20 of these operations; the two words apart would make 39."""
    assert xors("float32") == 20


def test_threefry_of_float64_is_evaluated_once_a_word():
    """Not once for each user of a normal: that would make 79."""
    assert xors("float64") == 39


def test_packed_values_are_the_same():
    size = np.geomspace(1e-38, 1e30, 500, dtype=np.float32)
    special = np.array([0.0, -0.0, 1.0, -1.0, 6.7, 2**-149], np.float32)
    first = np.concatenate([size, -size, special])
    second = np.random.default_rng(0).permutation(first)
    got = jax.jit(lambda n, *pair: Pin.of(n, jnp.float32).packed(pair))(np.int64(1), first, second)
    for values, back in zip((first, second), got, strict=True):
        np.testing.assert_array_equal(np.asarray(back).view(np.uint32), values.view(np.uint32))


@pytest.mark.parametrize("wide", [False, True])
def test_pairs_are_packed_with_wide_vectors_only(wide, monkeypatch):
    monkeypatch.setattr("sgdsim.ensemble.pin.wide_vectors", lambda: wide)
    pin = Pin.of(jnp.asarray(1), jnp.float32)
    early, late = pair_pinning(pin, jnp.float32)
    assert (early is no_pin, late is pin) == (wide, not wide)
    assert pair_pinning(pin, jnp.float64) == (pin, pin)
    assert pair_pinning(no_pin, jnp.float32) == (no_pin, no_pin)


def test_wide_vectors_by_what_linux_says(tmp_path):
    info = tmp_path / "cpuinfo"
    assert not vectors.has_wide_vectors(info)
    info.write_text("model name : avx512f\nflags : fpu avx2\n")
    assert not vectors.has_wide_vectors(info)
    info.write_text("model name : x\nflags\t\t: fpu avx2 avx512f avx512dq\n")
    assert vectors.has_wide_vectors(info)


def test_an_unknown_option_is_left_out(monkeypatch):
    monkeypatch.setattr(vectors, "has_wide_vectors", lambda: True)
    monkeypatch.setattr(vectors, "_WIDE", ("xla_cpu_no_such_option", 512))
    assert vectors._wide.__wrapped__() == {}
