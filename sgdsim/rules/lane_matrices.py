"""The chain's small matrices as lists of lanes, and their numbers in a row, as a loop carries them."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from sgdsim.ensemble.lane_loop import Numbers
from sgdsim.rules.linear_algebra import Lanes
from sgdsim.rules.rule import Sizes


class Numbered(NamedTuple):
    """A state, or its change: m (n, k), the lower triangle of S (n, n), and numbers."""

    m: Lanes
    S: Lanes
    numbers: Numbers

    @classmethod
    def of(cls, row: Numbers, sizes: Sizes) -> "Numbered":
        """From all of its numbers in a row."""
        n, k = sizes.moving, sizes.fixed
        rest = row[n * k :]
        return cls([row[i * k : (i + 1) * k] for i in range(n)], rows_of(rest, n), rest[triangle(n) :])

    def row(self) -> Numbers:
        """All numbers in a row."""
        return [number for part in (*self.m, *self.S, self.numbers) for number in part]

    def plus(self, change: "Numbered") -> "Numbered":
        """The state after a change."""
        numbers = [a + b for a, b in zip(self.numbers, change.numbers, strict=True)]
        return Numbered(added(self.m, change.m), added(self.S, change.S), numbers)

    def with_numbers(self, moves: Numbers) -> "Numbered":
        """With these added to the first numbers."""
        moved = [a + b for a, b in zip(self.numbers, moves, strict=False)]
        return self._replace(numbers=moved + self.numbers[len(moves) :])


def dot(left: list[Any], right: list[Any]) -> Any:
    """The inner product of two lists of lanes."""
    return sum(a * b for a, b in zip(left[1:], right[1:], strict=True)) + left[0] * right[0]


def added(left: Lanes, right: Lanes) -> Lanes:
    """The sum of two matrices."""
    return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(left, right, strict=True)]


def triangle(n: int) -> int:
    """Numbers in the lower triangle of an n x n matrix."""
    return n * (n + 1) // 2


def rows_of(numbers: Numbers, n: int) -> Lanes:
    """The rows of a lower triangle from its numbers in a row."""
    return [numbers[triangle(i) : triangle(i + 1)] for i in range(n)]


def in_arrays(whole: Float[Array, "whole lanes"], sizes: Sizes) -> tuple[Array, Array, Array]:
    """m, the whole of S, and the numbers, from their numbers in a row."""
    n, k = sizes.moving, sizes.fixed
    places = [[n * k + triangle(max(i, j)) + min(i, j) for j in range(n)] for i in range(n)]
    m = whole[: n * k].reshape(n, k, -1)
    return m, whole[np.array(places)], whole[n * k + triangle(n) :]
