"""The forms of a step's products: they agree, take no memory of order T^2, and one stands in for another."""

import logging
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim import notices
from sgdsim.native.build import find_compiler
from sgdsim.recovery.dmft import advance
from sgdsim.recovery.dmft_products import NativeProducts, TiledProducts, WholeProducts
from sgdsim.recovery.dmft_step import Rates, begin
from sgdsim.recovery.selection import Fresh

SIZE = 512  # as a run begins: its program is shared with other tests
FORMS = [NativeProducts(), TiledProducts(), WholeProducts()]


def started():
    """One element, of few data and an unsymmetric start."""
    rates = Rates(*(jnp.array([value]) for value in (1.5, 0.1, 0.3, 0.0, 0.0)))
    return rates, jax.vmap(partial(begin, n=SIZE))(rates, jnp.array([-0.4]), jnp.array([0.7]))


def solved(products, ends):
    rates, known = started()
    first = 0
    for end in ends:
        known, first = advance(rates, Fresh(), known, jnp.asarray(first), jnp.asarray(end), products), end
    return known


def test_forms_agree_to_rounding():
    """More than a tile of steps, and no whole number of vectors."""
    native, tiled, whole = (solved(products, [205]) for products in FORMS)
    assert int(whole.last[0]) == 205
    for name in ("m", "norm", "used2", "C", "R", "LC", "LR"):
        expected = np.asarray(getattr(whole, name))
        for known in (native, tiled):
            difference = np.abs(np.asarray(getattr(known, name)) - expected).max()
            assert difference < 1e-14 * np.abs(expected).max(), name


@pytest.mark.skipif(find_compiler() is None, reason="there is no C++ compiler")
def test_bits_do_not_depend_on_where_a_call_ends():
    once, twice = solved(NativeProducts(), [205]), solved(NativeProducts(), [77, 205])
    for one, other in zip(jax.tree.leaves(once), jax.tree.leaves(twice), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(find_compiler() is None, reason="there is no C++ compiler")
def test_no_matrix_is_copied():
    """What a program needs beside its arguments and results is less than half of one of its four matrices."""
    rates, known = started()
    index = jnp.asarray(0)
    memory = advance.lower(rates, Fresh(), known, index, index, NativeProducts()).compile().memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < 4 * SIZE**2


def test_without_a_compiler_products_go_by_tiles_and_one_line_says_so(monkeypatch, caplog):
    monkeypatch.setenv("CXX", "nothing-of-this-name")
    notices.notice.cache_clear()
    rng = np.random.default_rng(0)
    given = (np.tril(rng.normal(size=(256, 256))),), (rng.normal(size=256),), (rng.normal(size=256),), 256
    with caplog.at_level(logging.WARNING, "sgdsim"):
        native, tiled = (jax.jit(products.__call__)(*given) for products in (NativeProducts(), TiledProducts()))
    notices.notice.cache_clear()
    for one, other in zip(jax.tree.leaves(native), jax.tree.leaves(tiled), strict=True):
        np.testing.assert_array_equal(one, other)
    (line,) = caplog.messages
    assert line == (
        "sgdsim: the mean-field theory of signal recovery runs as XLA compiles it, several times slower than as C++: "
        "there is no C++ compiler (install g++ or clang++, or name one in $CXX)"
    )
