"""Which cells belong to one fit: the grid of the toy system, with and without axes that run together."""

from dataclasses import replace

from sgdsim.experiment.cells import Cell
from sgdsim.experiment.groups import groups
from tests.toy import DecayTheory, Origin, Walk, Walker, linear_times


def cells_at(points):
    """A cell for each point, whose coordinates are keys of the problem or free names."""
    cells = []
    for index, axes in enumerate(points):
        problem = Walk(**{"d": 10} | {key: value for key, value in axes.items() if key in ("d", "noise", "p")})
        cells.append(
            Cell(index, problem, Origin(), DecayTheory(), Walker(), linear_times(1.0, 2), linear_times(1.0, 2), axes)
        )
    return cells


def test_one_axis_is_one_group():
    cells = cells_at([{"d": 10}, {"d": 20}, {"d": 40}])
    assert groups(cells, "d") == groups(cells, "dt") == [("", [0, 1, 2])]


def test_axes_of_one_value_are_not_named():
    assert groups(cells_at([{"d": 10, "noise": 1.0}, {"d": 20, "noise": 1.0}]), "dt") == [("", [0, 1])]


def test_a_product_has_a_group_for_every_value_of_the_other_axes():
    cells = cells_at([{"d": d, "noise": noise, "p": p} for noise in (0.5, 0.001) for p in (1, 2) for d in (10, 20)])
    expected = [
        ("noise=0.5, p=1", [0, 1]),
        ("noise=0.5, p=2", [2, 3]),
        ("noise=0.001, p=1", [4, 5]),
        ("noise=0.001, p=2", [6, 7]),
    ]
    assert groups(cells, "dt") == groups(cells, "d") == expected


def test_an_axis_that_runs_along_is_part_of_the_law():
    cells = cells_at([{"noise": noise, "d": d, "p": p} for noise in (1.0, 2.0) for d, p in ((10, 1), (20, 2), (40, 2))])
    assert groups(cells, "dt") == [("noise=1", [0, 1, 2]), ("noise=2", [3, 4, 5])]


def test_an_axis_that_another_settles_is_not_named():
    points = ((1.0, 1), (2.0, 2), (3.0, 2))
    cells = cells_at([{"noise": noise, "p": p, "d": d} for noise, p in points for d in (10, 20)])
    assert groups(cells, "dt") == [("noise=1", [0, 1]), ("noise=2", [2, 3]), ("noise=3", [4, 5])]


def test_an_axis_may_be_kept_apart():
    """No d stands beside two values of the noise: without a word the law runs along both."""
    cells = cells_at([{"noise": noise, "d": d} for noise, d in ((1.0, 10), (1.0, 20), (2.0, 30), (2.0, 40))])
    assert groups(cells, "d") == [("", [0, 1, 2, 3])]
    assert groups(cells, "d", apart=("noise",)) == [("noise=1", [0, 1]), ("noise=2", [2, 3])]


def test_against_an_axis_the_law_runs_along_it():
    cells = cells_at([{"noise": noise, "d": d} for noise in (1.0, 2.0) for d in (10, 20, 40)])
    assert groups(cells, "noise") == [("d=10", [0, 3]), ("d=20", [1, 4]), ("d=40", [2, 5])]


def test_of_two_axes_that_change_it_the_longer_is_taken():
    """Here d follows from an axis `size` and one `family`; the law runs along the three sizes."""
    cells = cells_at([{"family": a, "size": b, "d": 10 * a + b} for a in (1, 2) for b in (1, 2, 3)])
    without_d = [Cell(**vars(cell) | {"axes": {k: cell.axes[k] for k in ("family", "size")}}) for cell in cells]
    assert groups(without_d, "dt") == [("family=1", [0, 1, 2]), ("family=2", [3, 4, 5])]
    along = groups(without_d, "dt", along="family")
    assert along == [("size=1", [0, 3]), ("size=2", [1, 4]), ("size=3", [2, 5])]


def test_what_no_axis_changes_is_one_group():
    assert groups(cells_at([{"noise": 1.0}, {"noise": 2.0}]), "dt") == [("", [0, 1])]


def test_a_second_parameter_decides_between_the_axes():
    """noise changes along both axes, dt along the shorter one: alone, the longer one would be chosen."""
    points = [{"d": d, "q": q} for d in (10, 20) for q in (1, 2, 3)]
    cells = [
        replace(cell, problem=Walk(d=axes["d"], noise=axes["q"] / axes["d"]), axes=axes)
        for cell, axes in zip(cells_at([{"d": axes["d"]} for axes in points]), points, strict=True)
    ]
    assert [label for label, _ in groups(cells, "noise")] == ["d=10", "d=20"]
    assert [label for label, _ in groups(cells, "noise", "dt")] == ["q=1", "q=2", "q=3"]
    assert [label for label, _ in groups(cells, "noise", "region")] == ["d=10", "d=20"]
