"""Each operation in C++ against JAX on the same numbers, edges among them; and what has no form is named."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from sgdsim.ensemble.random import normal_pair
from sgdsim.native.build import find_compiler
from sgdsim.native.emit import emit_function
from sgdsim.native.library import library_name, source_of
from sgdsim.native.primitives import Unsupported, cpp_type

pytestmark = pytest.mark.skipif(find_compiler() is None, reason="there is no C++ compiler")

DRIVER = """
static void execute(const XLA_FFI_CallFrame *frame) {
  const int64_t count = extent(frame, 0, 0);
  for (int64_t first = 0; first < count; first += W) {
    IN given[2];
    OUT made[RESULTS];
    memcpy(given, argument<char>(frame, 0) + first * sizeof(given[0][0]), sizeof(IN));
    memcpy(given + 1, argument<char>(frame, 1) + first * sizeof(given[0][0]), sizeof(IN));
    operation(given, made);
    for (int i = 0; i < RESULTS; ++i) {
      memcpy(result<char>(frame, 0) + (i * count + first) * sizeof(made[0][0]), &made[i], sizeof(OUT));
    }
  }
}
"""

FLOATS = {
    "neg": lambda x, y: -x,
    "abs": lambda x, y: abs(x),
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "max": jnp.maximum,
    "min": jnp.minimum,
    "clamp": lambda x, y: jnp.clip(x, -1, y),
    "square": lambda x, y: jnp.square(x),
    "cube": lambda x, y: x**3,
    "inverse square": lambda x, y: x**-2,
    "sqrt": lambda x, y: jnp.sqrt(x),
    "rsqrt": lambda x, y: jax.lax.rsqrt(x),
    "round": lambda x, y: jnp.round(x),
    "floor": lambda x, y: jnp.floor(x),
    "ceil": lambda x, y: jnp.ceil(x),
    "sign": lambda x, y: jnp.sign(x),
    "is finite": lambda x, y: jnp.isfinite(x).astype(x.dtype),
    "comparisons": lambda x, y: sum(
        ((x < y), 2 * (x <= y), 4 * (x > y), 8 * (x >= y), 16 * (x == y), 32 * (x != y))
    ).astype(x.dtype),
    "logic": lambda x, y: jnp.where(((x > 0) & (y > 1)) | ~(x < y) ^ (x == y), x, 3 * y),
    "constants": lambda x, y: jnp.where(x > y, jnp.inf, -0.0 * x) + jnp.where(x < 0, jnp.nan, 1e-30 + 0 * y),
}
"""Operations whose results are those of JAX to the last bits."""

FUNCTIONS = {
    "exp": (jnp.exp, np.exp, -110, 95, 2),
    "log": (jnp.log, np.log, 0, 1e4, 2),
    "erf": (jax.lax.erf, special.erf, -5, 5, 8),
    "tanh": (jnp.tanh, np.tanh, -5, 5, 5),
    "logistic": (jax.nn.sigmoid, special.expit, -20, 20, 5),
    "log1p": (jnp.log1p, np.log1p, -0.9, 100, 5),
    "expm1": (jnp.expm1, np.expm1, -5, 20, 5),
    "sin": (jnp.sin, np.sin, -30, 30, 5),
    "cos": (jnp.cos, np.cos, -30, 30, 5),
    "erfc": (jax.lax.erfc, special.erfc, -3, 3, 30),
    "cbrt": (jnp.cbrt, np.cbrt, -30, 30, 5),
    "sinh": (jnp.sinh, np.sinh, -5, 5, 5),
    "arctan": (jnp.arctan, np.arctan, -30, 30, 5),
}
"""Function, the same by a library, range, and units of the last place: XLA's float32 erf is off by 7 as well."""

EDGES = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 8388609.0, 1e30, -1e30, 1e-30, 3.4e38, 2.0]


def make_both(dtype, functions, result=None):
    """A function of two rows of numbers: what C++ and JAX make of them, a row for each of the functions."""
    result = np.dtype(result or dtype)
    types = f"typedef {cpp_type(np.dtype(dtype))} IN;\ntypedef {cpp_type(result)} OUT;\n"
    sizes = f"enum {{ RESULTS = {len(functions)} }};\n"
    text = emit_function(
        "operation", lambda given: [f(*given) for f in functions], [("given", dtype, 2)], cpp_type(result)
    )
    loop = np.float64 if np.dtype(dtype).itemsize == 8 else np.float32
    name = library_name(source_of(loop, types, sizes, text, DRIVER))

    @jax.jit
    def made(x, y):
        shape = jax.ShapeDtypeStruct((len(functions), len(x)), result)
        return jax.ffi.ffi_call(name, shape)(x, y), jnp.stack([f(x, y) for f in functions])

    def both(x, y):
        x, y = (np.asarray(row, dtype) for row in (x, y))
        # Whole vectors of any width.
        wide = [np.resize(row, -(-len(x) // 16) * 16) for row in (x, y)]
        return tuple(np.asarray(rows)[:, : len(x)] for rows in made(*wide))

    return both


def ulps(left, right):
    """The distance in units of the last place; 0 where both are not a number, or both the same infinity."""
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        gap = np.abs(left.astype(np.float64) - right) / np.spacing(
            np.maximum(np.abs(right), np.finfo(right.dtype).tiny)
        )
    return np.where(same, 0, np.where(np.isnan(gap), np.inf, gap))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arithmetic_is_that_of_jax_at_every_edge(dtype):
    """All pairs of edges, for every operation."""
    x, y = (part.ravel() for part in np.meshgrid(EDGES, EDGES))
    made, known = make_both(dtype, list(FLOATS.values()))(x, y)
    off = ulps(made, known) > 2
    wrong = {name: (x[bad], y[bad], m[bad], n[bad]) for name, bad, m, n in zip(FLOATS, off, made, known, strict=True)}
    assert {name: values for name, values in wrong.items() if len(values[0])} == {}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_are_right_to_a_few_units_of_the_last_place(dtype):
    """Against NumPy and SciPy in float64, at the edges too."""
    both = make_both(dtype, [lambda x, y, f=f: f(x) for f, *_ in FUNCTIONS.values()])
    wrong = {}
    for place, (name, (_, reference, low, high, allowed)) in enumerate(FUNCTIONS.items()):
        x = np.concatenate([np.linspace(low, high, 4001), np.asarray(EDGES)]).astype(dtype)
        made = both(x, x)[0][place]
        with np.errstate(all="ignore"):
            known = reference(x.astype(np.float64)).astype(dtype)
        # Numbers below the smallest normal one are zeros to JAX on a CPU; near a zero of a function, its size counts.
        small = np.finfo(dtype).tiny if name in ("exp", "erfc", "logistic") else 4 * np.finfo(dtype).eps
        with np.errstate(invalid="ignore"):
            off = np.where(abs(made - known) <= small, 0, ulps(made, known))
        if not off.max() <= allowed:
            worst = int(off.argmax())
            wrong[name] = (x[worst], made[worst], known[worst], off[worst])
    assert wrong == {}


@cache
def of_reals():
    return make_both(
        np.float32,
        [lambda x, y: x * y, lambda x, y: jnp.where(x < y, x, jnp.maximum(x, y) - x), lambda x, y: jnp.log(x)],
    )


@given(x=st.floats(width=32), y=st.floats(width=32))
def test_any_two_numbers_are_compared_and_multiplied_as_in_jax(x, y):
    made, known = (rows[:2, 0] for rows in of_reals()([x], [y]))
    tiny = np.finfo(np.float32).tiny
    assert np.all((ulps(made, known) <= 1) | (np.maximum(abs(made), abs(known)) <= tiny))


def test_denormal_numbers_are_zeros_as_in_jax():
    x = np.float32([1e-40, -1e-40, 1e-40, 1e-20])
    made, known = of_reals()(x, np.float32([1e20, 1e20, 1.0, 1e-25]))
    np.testing.assert_array_equal(made[0], known[0])
    np.testing.assert_array_equal(made[0], 0)
    np.testing.assert_array_equal(np.isinf(made[2]), [True, True, True, False])


@cache
def of_words(dtype):
    def mixed(x, y):
        turned = (x << dtype(13)) | jax.lax.shift_right_logical(x, dtype(19))
        return (turned ^ y) + x * y - jnp.where(x < y, ~x, y & dtype(255)) + jnp.maximum(x, y)

    return make_both(dtype, [mixed])


@given(x=st.integers(0, 2**32 - 1), y=st.integers(0, 2**32 - 1))
def test_words_wrap_around_shift_and_compare_as_in_jax(x, y):
    """The same bits with a sign and without."""
    for dtype in (np.uint32, np.int32):
        made, known = of_words(dtype)(*(np.array([number], np.uint32).view(dtype) for number in (x, y)))
        assert made[0, 0] == known[0, 0]


def test_numbers_and_their_bits_are_converted_as_in_jax():
    words = np.array([0, 1, 2**24 + 1, 2**31 - 1, 2**31, 2**32 - 1], np.uint32)
    signed = lambda x, y: jax.lax.bitcast_convert_type(x, jnp.int32).astype(jnp.float32)  # noqa: E731
    made, known = make_both(np.uint32, [lambda x, y: x.astype(jnp.float32), signed], np.float32)(words, words)
    np.testing.assert_array_equal(made, known)
    assert made[0, -1] == 2.0**32
    assert made[1, -1] == -1


def test_normals_are_those_of_jax_to_rounding():
    """Both numbers of a pair, for 4096 counters."""
    words = np.arange(4096, dtype=np.uint32)
    members = [
        lambda x, y, member=member: normal_pair((y, x ^ np.uint32(7)), (x, y), np.float32)[member] for member in (0, 1)
    ]
    made, known = make_both(np.uint32, members, np.float32)(words, words * np.uint32(2654435761))
    assert np.abs(made - known).max() < 1e-6
    assert known.std() > 0.9


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: jnp.sum(jnp.full(3, x)), "array of shape"),
        (lambda x: jax.lax.lgamma(x), "operation `lgamma`"),
        (lambda x: x.astype(jnp.float16).astype(jnp.float32), "type float16"),
        (lambda x: x.astype(jnp.int32).astype(jnp.float32), "real numbers to integers"),
        (lambda x: jax.lax.fori_loop(0, 3, lambda i, x: x * x, x), "operation `(scan|while)`"),
    ],
)
def test_what_has_no_form_is_named(function, words):
    with pytest.raises(Unsupported, match=words):
        emit_function("f", lambda given: [function(given[0])], [("given", np.float32, 1)], "f32")


def test_functions_within_functions_are_written_out():
    """jit, custom derivatives and constants of a closure."""
    scale = jnp.float32(1.75)
    inner = jax.jit(lambda x: jax.nn.relu(x) * scale + jax.nn.softplus(x))
    both = make_both(np.float32, [lambda x, y: inner(x) + jax.jvp(inner, (y,), (x,))[1]])
    made, known = both([0.5, -2.0], [1.5, -0.25])
    np.testing.assert_allclose(made, known, rtol=1e-6)


def test_a_value_from_outside_of_a_trace_has_no_form():
    def traced(outer):
        emit_function("f", lambda given: [given[0] * outer], [("given", np.float32, 1)], "f32")
        return outer

    with pytest.raises(Unsupported, match="a value of a function around it"):
        jax.jit(traced)(1.5)
