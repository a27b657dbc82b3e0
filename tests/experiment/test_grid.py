"""Axes and grids: spacing, rounding, products and zip groups."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from sgdsim.ensemble.section import Section
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.axis import read_axis
from sgdsim.experiment.complaints import Complaints
from sgdsim.experiment.grid import Home, read_grid
from sgdsim.experiment.source import Source


class Physics(Section):
    """Keys of all kinds."""

    d: int = Field(examples=[100])
    n: int | None = None
    x: float = 0.0
    y: float | None = None
    name: str = ""


def grid_of(table, problem=None):
    source = Source("file.toml", {"grid": table})
    complaints = Complaints(source)
    grid = read_grid(table, [Home("problem", problem or {}, Physics)], complaints)
    if complaints:
        complaints.raise_all()
    return grid


def points_of(table):
    return list(grid_of(table).points())


def outcome(call):
    """What a call returns, or how it refuses."""
    try:
        return call()
    except (ArgumentError, ExperimentError) as error:
        return error


def test_no_grid_is_one_point():
    assert points_of({}) == [{}]


def test_the_last_axis_runs_fastest():
    assert points_of({"d": [1, 2], "x": [0.5, 0.25]}) == [
        {"d": 1, "x": 0.5},
        {"d": 1, "x": 0.25},
        {"d": 2, "x": 0.5},
        {"d": 2, "x": 0.25},
    ]


def test_a_zip_group_is_one_factor_after_the_axes():
    table = {"zip": [{"x": [0.1, 0.2], "y": [1.0, 2.0]}], "d": [1, 2]}
    assert points_of(table) == [
        {"d": 1, "x": 0.1, "y": 1.0},
        {"d": 1, "x": 0.2, "y": 2.0},
        {"d": 2, "x": 0.1, "y": 1.0},
        {"d": 2, "x": 0.2, "y": 2.0},
    ]


def test_a_zip_group_may_repeat_a_value_of_one_axis():
    assert points_of({"zip": [{"x": [0, 0, 1], "d": [1, 2, 1]}]})[1] == {"x": 0.0, "d": 2}


def test_integers_become_floats_where_floats_are_meant():
    (value,) = {type(point["x"]) for point in points_of({"x": [1, 2.5, 3]})}
    assert value is float


@pytest.mark.parametrize(
    ("spec", "kind", "values"),
    [
        ({"log": [100, 30000, 6]}, int, [100, 313, 979, 3064, 9587, 30000]),
        ({"log": [1e-4, 1, 5]}, float, [0.0001, 0.001, 0.01, 0.1, 1.0]),
        ({"log": [8, 1, 4]}, int, [8, 4, 2, 1]),
        ({"linear": [0, 1, 5]}, float, [0.0, 0.25, 0.5, 0.75, 1.0]),
        ({"linear": [0.1, 0.4, 4]}, float, [0.1, 0.2, 0.3, 0.4]),
        ({"linear": [-1, 1, 3]}, int, [-1, 0, 1]),
    ],
)
def test_spaced_values(spec, kind, values):
    axis = read_axis("key", spec, kind)
    assert axis == values
    assert {type(value) for value in axis} == {kind}


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 50))
def test_log_axis_has_a_constant_ratio(low, high, count):
    axis = read_axis("x", {"log": [low, high, count]}, float)
    assert (axis[0], axis[-1], len(axis)) == (low, high, count)
    np.testing.assert_allclose(np.diff(np.log(axis)), math.log(high / low) / (count - 1), rtol=0, atol=1e-10)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(2, 50), st.sampled_from(["log", "linear"]))
def test_rounded_integers_are_distinct_or_refused(low, high, count, spacing):
    exact = (np.geomspace if spacing == "log" else np.linspace)(low, high, count)
    axis = outcome(lambda: read_axis("d", {spacing: [low, high, count]}, int))
    if isinstance(axis, ArgumentError):
        assert len({round(value) for value in exact}) == axis.got < count
    else:
        assert len(set(axis)) == count
        np.testing.assert_allclose(axis, exact, rtol=0, atol=0.5 + 1e-9)


DISTINCT = st.lists(st.integers(-5, 50), min_size=1, max_size=4, unique=True)


@given(st.dictionaries(st.sampled_from(["d", "n"]), DISTINCT), st.lists(st.tuples(DISTINCT, DISTINCT), max_size=1))
def test_grid_is_the_product_of_its_factors(axes, groups):
    table = axes | {"zip": [dict(zip(("x", "y"), _equally_long(*group), strict=True)) for group in groups]}
    grid = grid_of(table)
    points = list(grid.points())
    factors = [*axes.values(), *(list(zip(*group.values(), strict=True)) for group in table["zip"])]
    flat = [[*point.values()] for point in points]
    assert flat == [list(_flatten(combination)) for combination in itertools.product(*factors)]
    assert len(grid) == len(points) == len({tuple(row) for row in flat})


@given(st.dictionaries(st.sampled_from(["d", "n"]), DISTINCT), st.lists(st.tuples(DISTINCT, DISTINCT), max_size=1))
def test_the_table_of_a_grid_gives_the_same_grid(axes, groups):
    table = {"zip": [dict(zip(("x", "y"), _equally_long(*group), strict=True)) for group in groups]} | axes
    grid = grid_of(table)
    again = grid_of(grid.to_table())
    assert list(again.points()) == list(grid.points())
    assert again.to_table() == grid.to_table()


def _equally_long(first, second):
    length = min(len(first), len(second))
    return first[:length], second[:length]


def _flatten(combination):
    for part in combination:
        yield from part if isinstance(part, tuple) else (part,)


@pytest.mark.parametrize("spacing", ["log", "linear"])
@pytest.mark.parametrize("low", [-1.7e308, 5e-324, 1.7e308])
def test_extreme_ends_are_refused_or_finite(spacing, low):
    axis = outcome(lambda: read_axis("d", {spacing: [low, 1.7e308, 5]}, int))
    assert isinstance(axis, ArgumentError)


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.dates()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["log", "linear", "d", "x"]), inner),
)


@given(ANYTHING, st.sampled_from([int, float, object]))
def test_an_axis_is_read_or_refused(spec, kind):
    axis = outcome(lambda: read_axis("key", spec, kind))
    if isinstance(axis, ArgumentError):
        assert axis.argument == "key"
    else:
        assert axis
        assert all(isinstance(value, int | float | str) for value in axis)


@given(st.dictionaries(st.sampled_from(["d", "x", "name", "e", "zip"]), ANYTHING, max_size=3))
def test_a_grid_is_read_or_refused(table):
    grid = outcome(lambda: grid_of(table))
    if isinstance(grid, ExperimentError):
        assert all(line.startswith("file.toml: grid") for line in grid.problems)
    else:
        assert not grid.broken
        assert len(list(grid.points())) == len(grid) > 0
