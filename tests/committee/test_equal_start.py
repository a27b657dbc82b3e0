"""Equal units: their overlaps, and for which p there are vectors with them."""

import numpy as np
import pytest

from sgdsim.committee.equal_start import EqualStart
from sgdsim.committee.problem import Committee
from sgdsim.errors import ArgumentError


def problem(d=300, p=5, k=2):
    return Committee(d=d, p=p, k=k, gamma=1.0)


def test_all_units_and_pairs_are_alike():
    draw = EqualStart([0.5, -0.3], 1.25, 0.5).draw(problem(), np.random.default_rng(), 3)
    assert draw.Q.shape == (3, 5, 5)
    np.testing.assert_array_equal(draw.P[2], np.eye(2))
    np.testing.assert_array_equal(draw.M[2], np.tile([0.5, -0.3], (5, 1)))
    np.testing.assert_array_equal(draw.Q[2], 0.5 + 0.75 * np.eye(5))


def test_one_number_is_the_overlap_with_every_teacher():
    one, each = EqualStart(0.5, 1.0, 0.75), EqualStart((0.5, 0.5, 0.5), 1.0, 0.75)
    np.testing.assert_array_equal(one.row(3), each.row(3))
    assert not one.per_replica
    assert EqualStart(np.float64(0.5), 1, 0.75) == one


@pytest.mark.parametrize("p", [1, 2, 3, 16, 64])
@pytest.mark.parametrize("M0", [0.0, 0.4, [0.6, -0.3]])
def test_units_that_share_only_the_teacher_fit_for_every_p(p, M0):
    start = EqualStart(M0, 1.0, float(np.sum(np.broadcast_to(M0, 2) ** 2)))
    start.check(problem(p=p))
    start.draw(problem(p=p), np.random.default_rng(), 1).check()


EDGES = [(2, 0.5, 1.0, 0.0), (4, 0.5, 1.0, 1 / 3), (2, 0.0, 1.0, -1.0), (9, 0.0, 1.0, -0.125), (1, 0.5, 0.5, 9.0)]


@pytest.mark.parametrize(("p", "M0", "diagonal", "off_diagonal"), EDGES)
def test_the_least_possible_overlap_is_allowed_and_nothing_below(p, M0, diagonal, off_diagonal):
    """At the edge, which the eigenvalues of Omega confirm: a thousandth beyond it there are no such vectors."""
    edge = EqualStart(M0, diagonal, off_diagonal)
    edge.check(problem(p=p))
    edge.draw(problem(p=p), np.random.default_rng(), 1).check()
    beyond = EqualStart(M0, diagonal - 1e-3, off_diagonal)
    with pytest.raises(ArgumentError, match="positive semidefinite" if p > 1 else r"sum_r M0_r\^2 = 0\.5"):
        beyond.check(problem(p=p))
    if p > 1:
        with pytest.raises(ArgumentError, match="positive semidefinite"):
            beyond.draw(problem(p=p), np.random.default_rng(), 1).check()


@pytest.mark.parametrize(
    ("start", "rank"),
    [(EqualStart(0.5, 1.0, 0.5), 7), (EqualStart(0.5, 1.0, 1.0), 3), (EqualStart(0.5, 0.5, 0.5), 2)],
)
def test_room_is_the_rank_of_omega(start, rank):
    """k = 2 and 5 units: independent, all equal with a part outside the teacher's span, all equal inside it."""
    start.check(problem(d=rank))
    start.draw(problem(), np.random.default_rng(), 1).check_room(rank)
    if rank > 2:
        with pytest.raises(ArgumentError, match=f"`d` must be >= {rank}"):
            start.check(problem(d=rank - 1))


WRONG = [
    ("M0", lambda: EqualStart([0.1, 0.2, 0.3], 1.0, 0.2)),
    ("M0", lambda: EqualStart(float("nan"), 1.0, 0.2)),
    ("M0", lambda: EqualStart([[0.1, 0.2]], 1.0, 0.2)),
    ("M0", lambda: EqualStart("half", 1.0, 0.2)),
    ("diagonal", lambda: EqualStart(0.5, float("inf"), 0.2)),
    ("off_diagonal", lambda: EqualStart(0.5, 1.0, float("nan"))),
    ("off_diagonal", lambda: EqualStart(0.5, 1.0, 1.1)),
    ("off_diagonal", lambda: EqualStart(0.5, 1.0, 0.3)),
]


@pytest.mark.parametrize(("argument", "make"), WRONG)
def test_a_start_that_does_not_fit_is_named(argument, make):
    with pytest.raises(ArgumentError, match=f"Argument `{argument}` must") as caught:
        make().check(problem())
    assert caught.value.argument == argument
