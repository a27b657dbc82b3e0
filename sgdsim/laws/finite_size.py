"""The law "finite_size": a share that rises with `against`, a law of Gumbel for every size, and their crossings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import Field

from sgdsim.analysis.goodness import judged
from sgdsim.analysis.gumbel import Crossing, GumbelLaw, crossing, fit_gumbel
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.errors import ArgumentError
from sgdsim.laws.law import Finite, Fit, Fitted, Judged, Law, Members, Missing, Rows, attempt, judgement
from sgdsim.laws.quality import in_table
from sgdsim.laws.quantities import ESCAPED, RECOVERED, final
from sgdsim.laws.text import DIGITS, Held, Name, Number, Statement, Words, headings, held


class FiniteSizeFit(Fit, frozen=True):
    """`second`: the size; `expected`: where the share rises for an infinite one, e.g. a threshold of theory.

    One law holds for all cells that `where` leaves.
    """

    law: Literal["finite_size"] = "finite_size"
    second: str = Field(examples=["N"])
    expected: float | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """That of the share, and the size."""
        return {"against": self.against, "second": self.second}

    @property
    def undivided(self) -> bool:
        """Sizes are held against one another."""
        return True


class FittedFiniteSize(FiniteSizeFit, Fitted, Judged, frozen=True):
    """Of the largest size midpoint and width, of it and the one before the crossing; see `sgdsim.analysis.gumbel`.

    - `points`: against, size, share, number of replicas.
    - `sizes`: size, midpoint, its error, width, its error, chi2, degrees of freedom; errors widened where it fails.
    - `crossings`: two sizes, where they cross, its error, the share there; of neighbours that cross.
    - `chi2`, `dof`: the sums over sizes.
    """

    midpoint: Finite = None
    midpoint_error: Finite = None
    width: Finite = None
    width_error: Finite = None
    crossing: Finite = None
    crossing_error: Finite = None
    sizes: Rows = ()
    crossings: Rows = ()


@dataclass(frozen=True)
class FiniteSize(Law[FiniteSizeFit, FittedFiniteSize]):
    """share = 2^(-exp(-(against - midpoint)/width)) for every size."""

    keys = FiniteSizeFit
    found = FittedFiniteSize
    number = "midpoint"
    columns = headings("fit, of, against, size, midpoint, width, crosses the next size at, share there, chi2 / dof")

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """Shares of replicas, which are binomial."""
        return tuple(name for name in (RECOVERED, ESCAPED) if name in names)

    def misses(self, fit: FiniteSizeFit, columns: Mapping[str, Sequence[float]]) -> Missing | None:
        """One cell for each value and size."""
        pairs = list(zip(*columns.values(), strict=True))
        if len(columns) == len(fit.parameters) and fit.where is None and len(set(pairs)) < len(pairs):
            return (
                "where",
                f"must leave one cell for each pair of {fit.against} and {fit.second}",
                "where = { b = [1.0] }",
            )
        return None

    def fit(self, fit: FiniteSizeFit, members: Members) -> FittedFiniteSize:
        """A law of Gumbel for every size, and the crossings of neighbours."""
        points = [
            [x, size, final(cell, fit.quantity)[0], float(cell["n_replicas"]) - float(cell["n_diverged"])]
            for x, size, cell in zip(members.x(fit), members.column(fit.second), members.cells, strict=True)
        ]
        points.sort(key=lambda point: (point[1], point[0]))
        laws, problem = attempt(lambda: _laws(points))
        if laws is None:
            return FittedFiniteSize(**fit.model_dump(), points=points, problem=problem)
        last = laws[max(laws)]
        total = judged(sum(law.chi2 for law in laws.values()), sum(law.dof for law in laws.values()))
        crossings = _crossings(laws)
        largest = [row for row in crossings if row[1] == max(laws)]
        return FittedFiniteSize(
            **fit.model_dump(),
            **total,
            midpoint=last.midpoint,
            midpoint_error=last.midpoint_error,
            width=last.width,
            width_error=last.width_error,
            crossing=largest[0][2] if largest else None,
            crossing_error=largest[0][3] if largest else None,
            sizes=[[size, *_told(law)] for size, law in laws.items()],
            crossings=crossings,
            points=points,
        )

    def headline(self, found: FittedFiniteSize) -> str:
        """Midpoint and width of the largest size, and where it crosses the one before."""
        largest = plain(found.sizes[-1][0])
        rises = (
            f"{found.quantity} rises at {found.against} = {rounded(found.midpoint, found.midpoint_error)} over"
            f" {rounded(found.width, found.width_error)} at {found.second} = {largest}"
        )
        expected = "" if found.expected is None else f", expected for an infinite size {plain(found.expected)}"
        return f"{rises}; {_crosses(found)}{expected}; {judgement(found)}"

    def statement(self, found: FittedFiniteSize, words: Words) -> Statement:
        """The crossing; midpoints of all sizes beside what is expected."""
        numbers: list[Held] = []
        for size, midpoint, error, *_ in found.sizes:
            numbers.append(held(f"midpoint at {found.second} = {plain(size)}", midpoint, error, found.expected))
        for first, second, at, error, _ in found.crossings:
            what = f"crossing of {found.second} = {plain(first)} and {plain(second)}"
            numbers.append(held(what, at, error, found.expected))
        midpoint = Number(rounded(found.midpoint, found.midpoint_error))
        of = f"midpoint of the {words(found.quantity)} at {found.second} = {plain(found.sizes[-1][0])}"
        return Statement((Name(found.against), " = ", midpoint), (f"{of}; {_crosses(found)}",), tuple(numbers))

    def row(self, name: str, found: FittedFiniteSize, words: Words) -> tuple[str, ...]:
        """Midpoint and width of the largest size, and where it crosses the one before."""
        share = next((row[4] for row in found.crossings if row[1] == found.sizes[-1][0]), None)
        return (
            *(name, words(found.quantity), found.against, plain(found.sizes[-1][0])),
            *(rounded(found.midpoint, found.midpoint_error), rounded(found.width, found.width_error)),
            *(rounded(found.crossing, found.crossing_error), plain(share, 2), in_table(found)),
        )

    def notes(self, fits: Mapping[str, FittedFiniteSize]) -> list[str]:
        """What the errors are."""
        return [DIGITS, "Errors are those of independent replicas; the crossing is that of the two largest sizes."]


def _laws(points: Sequence[Sequence[float]]) -> dict[float, GumbelLaw]:
    """The function of every size. **Raises:** ArgumentError where one has none, and where a value is there twice."""
    table = np.array(points)
    laws = {}
    for size in np.unique(table[:, 1]).tolist():
        x, _, share, trials = table[table[:, 1] == size].T
        if len(np.unique(x)) < len(x):
            raise ArgumentError("where", "leave one cell for each value and size", x.tolist())
        laws[size] = fit_gumbel(x, share, trials)
    return laws


def _told(law: GumbelLaw) -> list[float]:
    return [law.midpoint, law.midpoint_error, law.width, law.width_error, law.chi2, float(law.dof)]


def _crossings(laws: dict[float, GumbelLaw]) -> list[list[float]]:
    """Of neighbouring sizes, where they cross."""
    found = []
    for first, second in pairwise(laws):
        cross: Crossing | None = attempt(partial(crossing, laws[first], laws[second]))[0]
        if cross is not None:
            found.append([first, second, cross.at, cross.error, cross.share])
    return found


def _crosses(found: FittedFiniteSize) -> str:
    """The crossing of the two largest sizes, in words."""
    if found.crossing is None or len(found.sizes) < 2:
        return "its slope is not surely another than at the size before"
    before = plain(found.sizes[-2][0])
    return f"crosses that at {found.second} = {before} at {rounded(found.crossing, found.crossing_error)}"
