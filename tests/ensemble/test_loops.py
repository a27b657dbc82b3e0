"""Loops of static length: the same steps as the plain loop, whole and divided, alone and side by side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.hlo import Program
from sgdsim.ensemble import loops, segments
from sgdsim.ensemble.loops import AT_ONCE, steps_loop, steps_while
from sgdsim.ensemble.segments import Segment, run_blocks, run_segments

COUNTS = (0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 37, 130)


@pytest.fixture
def static(monkeypatch):
    """What a GPU runs."""
    for module in (loops, segments):
        monkeypatch.setattr(module, "host_drives_loops", lambda: True)


def compiled(function):
    """Anew for the form of the moment: JAX knows a function again that it has compiled."""
    return jax.jit(lambda *arguments: function(*arguments))


def mixed(index, total):
    """A number that any change in the order or in the count of the indices changes: integers are exact."""
    return total * jnp.uint64(6364136223846793005) + jnp.asarray(index, jnp.uint64) + jnp.uint64(1)


def by_hand(indices):
    total = np.uint64(7)
    with np.errstate(over="ignore"):
        for index in indices:
            total = total * np.uint64(6364136223846793005) + np.uint64(index) + np.uint64(1)
    return total


def looped(begin, end):
    return steps_loop(begin, end, mixed, jnp.uint64(7))


@pytest.mark.parametrize("form", ["plain", "static"])
def test_all_steps_are_made_in_order(form, request):
    if form == "static":
        request.getfixturevalue("static")
    job = compiled(looped)
    for count in COUNTS:
        assert job(5, 5 + count) == by_hand(range(5, 5 + count)), count


def test_side_by_side_every_tile_ends_where_it_should(static):
    begins, counts = np.arange(len(COUNTS)), np.array(COUNTS)
    together = compiled(jax.vmap(looped))(begins, begins + counts)
    assert together.tolist() == [by_hand(range(b, b + n)).item() for b, n in zip(begins, counts, strict=True)]


@pytest.mark.parametrize("form", ["plain", "static"])
@pytest.mark.parametrize("stop", [3, 20, 1000])
def test_a_loop_that_stops_changes_nothing_more(form, stop, request):
    if form == "static":
        request.getfixturevalue("static")

    def step(index, seen):
        return jnp.where(seen < stop, seen + (index > 0), seen)

    job = jax.jit(lambda begin, end: steps_while(begin, end, lambda seen: seen < stop, step, jnp.int64(0)))
    for end in (0, 1, 17, 50):
        assert job(jnp.int64(0), jnp.int64(end)) == min(max(end - 1, 0), stop)


def toy(tiles_segment, made, n_steps):
    """Sums of numbers that tell the beginning of a segment and the step in it; whole numbers, so exact."""

    def read(state, made, steps):
        return made

    def step(began, index, change):
        number = (jnp.asarray(began, jnp.float64) * 37 + index.astype(jnp.float64) ** 2) % 1009
        return [total + number * factor for total, factor in zip(change, (1, 3), strict=True)]

    inside = Segment(read, lambda: [jnp.zeros(2)] * 2, step, lambda state, change: state + jnp.stack(change))
    return run_segments(jnp.zeros((2, 2)), made, n_steps, tiles_segment, inside)


def toy_by_hand(segment, made, n_steps):
    total = 0
    for step in range(n_steps):
        total += ((made + step // segment * segment) * 37 + (step % segment) ** 2) % 1009
    return np.array([[total, total], [3 * total, 3 * total]], float)


CASES = [(segment, 11 * segment, n) for segment in (16, 17, 32, 100) for n in (0, 1, 16, 99, 100, 217)]


@pytest.mark.parametrize("form", ["plain", "static"])
def test_segments_begin_where_they_should(form, request):
    if form == "static":
        request.getfixturevalue("static")
    job = compiled(toy)
    for case in CASES:
        np.testing.assert_array_equal(job(*map(jnp.int64, case)), toy_by_hand(*case), err_msg=str(case))


def test_tiles_of_different_segments_side_by_side(static):
    together = compiled(jax.vmap(toy))(*np.array(CASES).T)
    np.testing.assert_array_equal(together, np.stack([toy_by_hand(*case) for case in CASES]))


@pytest.mark.parametrize("form", ["plain", "static"])
@pytest.mark.parametrize("block", [1, 16])
def test_of_the_last_block_only_what_is_left_counts(form, block, request):
    if form == "static":
        request.getfixturevalue("static")
    job = jax.jit(lambda n: run_blocks(jnp.uint64(7), n, block, lambda state, steps: mixed(steps, state)))
    for n in (0, 1, 16, 17, 95):
        assert job(n) == by_hand([min(block, n - done) for done in range(0, n, block)])


@pytest.mark.parametrize(
    ("function", "arguments", "steps"),
    [
        (looped, (jnp.int64(0), jnp.int64(9)), AT_ONCE),
        (toy, (jnp.int64(100), jnp.int64(0), jnp.int64(9)), segments.BLOCKS_AT_ONCE * 100 / 7),
        (lambda n: run_blocks(jnp.zeros(3), n, 16, lambda state, steps: state + steps), (jnp.int64(9),), 64),
    ],
    ids=["steps", "segments", "blocks"],
)
def test_the_host_is_asked_at_most_once_in_16_steps(static, function, arguments, steps):
    first, rest = Program(compiled(function).lower(*arguments).compile().as_text()).loops
    assert first.trips is rest.trips is None
    assert first.iteration.waits == rest.iteration.waits == 1
    assert first.iteration.waits / steps <= 1 / 16


def test_the_plain_loop_asks_at_every_step():
    (loop,) = Program(jax.jit(lambda n: looped(0, n)).lower(jnp.int64(9)).compile().as_text()).loops
    assert loop.trips is None
    assert loop.iteration.waits == 1
