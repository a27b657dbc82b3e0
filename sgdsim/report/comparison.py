"""Two runs side by side: the parameters that differ, and the quantities of cells that both have, in standard errors."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from sgdsim.analysis.numbers import plain, rounded
from sgdsim.laws.catalogue import LAWS
from sgdsim.laws.law import Fitted
from sgdsim.laws.text import Table, in_errors
from sgdsim.store.stored import DEVIATIONS, Stored
from sgdsim.store.summary import CellSummary

_BOTH = ("first", "second", "difference", "in errors")
_UNTOLD = ("title",)
DIGITS, LONGEST = 12, 60
"""Digits of a number of an experiment, and characters of a value, that are shown at most."""


def parameters(first: Stored, second: Stored) -> Table:
    """The keys of the two experiments, every default filled in, whose values differ; a dash where one has none."""
    one, other = (dict(_flat("", tomllib.loads(run.experiment))) for run in (first, second))
    names = [name for name in {**one, **other} if name not in _UNTOLD and one.get(name) != other.get(name)]
    rows = tuple((name, _text(one.get(name)), _text(other.get(name))) for name in names)
    return Table(("parameter", *_BOTH[:2]), rows)


def quantities(first: Stored, second: Stored) -> Table:
    """Deviations and final values of every cell that both have, and their difference, second - first.

    "in errors" is the difference over sqrt(error_1^2 + error_2^2), which holds for runs that are independent.
    """
    apart, pairs = matched(first, second)
    rows = []
    for one, other in pairs:
        coordinates = tuple(plain(one.values[name]) for name in apart)
        for words, a, b in _measured(first, one, other):
            rows.append((*coordinates, words, *_side_by_side(a, b)))
    return Table((*apart, "quantity", *_BOTH), tuple(rows))


def fits(first: Stored, second: Stored) -> Table:
    """The fitted numbers of the fits that both runs have under one name."""
    rows = []
    for name, one in first.summary.fits.items():
        other = second.summary.fits.get(name)
        if other is not None and other.law == one.law:
            b = _fitted(other)
            rows += [(name, number, *_side_by_side(value, b[number])) for number, value in _fitted(one).items()]
    return Table(("fit", "number", *_BOTH), tuple(rows))


def notes(first: Stored, second: Stored) -> list[str]:
    """What a reader of the differences must know: cells that only one run has, and errors that are not independent."""
    _, pairs = matched(first, second)
    counts = [len(run.summary.cells) - len(pairs) for run in (first, second)]
    found = [f"cells without a counterpart: {counts[0]} of the first run, {counts[1]} of the second"] * any(counts)
    seeds = [tomllib.loads(run.experiment).get("ensemble", {}).get("seed") for run in (first, second)]
    if first.simulated and second.simulated and seeds[0] == seeds[1]:
        found.append(f"both runs have the seed {seeds[0]}: their errors need not be independent")
    return found


def matched(first: Stored, second: Stored) -> tuple[tuple[str, ...], list[tuple[CellSummary, CellSummary]]]:
    """The names that set cells apart, axes of either run, and the pairs of cells with the same values of all of them.

    What is an axis of one run may be a fixed parameter of the other. Cells that share their values with another cell
    of their run have no counterpart.
    """
    rows = [cell.axes for run in (first, second) for cell in run.summary.cells]
    apart = tuple(dict.fromkeys(name for row in rows for name in row))
    ours, theirs = (_by_place(run, apart) for run in (first, second))
    return apart, [(cell, theirs[place]) for place, cell in ours.items() if place in theirs]


def _by_place(run: Stored, apart: tuple[str, ...]) -> dict[tuple[Any, ...], CellSummary]:
    found: dict[tuple[Any, ...], list[CellSummary]] = {}
    for cell in run.summary.cells:
        if all(name in cell.values for name in apart):
            found.setdefault(tuple(cell.values[name] for name in apart), []).append(cell)
    return {place: cells[0] for place, cells in found.items() if len(cells) == 1}


Measured = tuple[float | None, float | None]
"""A number and its standard error, None where there is none."""


def _measured(run: Stored, one: CellSummary, other: CellSummary) -> Iterator[tuple[str, Measured, Measured]]:
    """What both cells have: (in words, the first's, the second's)."""
    for name in DEVIATIONS:
        a, b = one.deviation(name), other.deviation(name)
        if a.mean is not None and b.mean is not None:
            yield run.words(name), (a.mean, a.sem), (b.mean, b.sem)
    for name, end in one.final.items():
        if name in other.final:
            last = other.final[name]
            if end.mean is not None or last.mean is not None:
                yield f"final {run.words(name)}", (end.mean, end.sem), (last.mean, last.sem)
            if end.theory is not None and last.theory is not None:
                yield f"final {run.words(name)}, theory", (end.theory, None), (last.theory, None)


def _fitted(found: Fitted) -> dict[str, Measured]:
    """The numbers of a fit with their errors, by name: every field that has one with `_error` behind its name.

    A law whose numbers have intervals in their place is told by the number that it is fitted for.
    """
    values = found.model_dump()
    errors = {name.removesuffix("_error"): name for name in values if name.endswith("_error")}
    errors = {name: error for name, error in errors.items() if not name.endswith("_statistical")}
    # Of "two_term", whose `second` is the name of a parameter.
    longer = {name: f"{name}_coefficient" for name in errors}
    named = {(longer[name] if longer[name] in values else name): error for name, error in errors.items()}
    numbers = {name: (values[name], values[error]) for name, error in named.items()}
    return numbers or {LAWS[found.law].number: (values[LAWS[found.law].number], None)}


def _side_by_side(a: Measured, b: Measured) -> tuple[str, str, str, str]:
    if a[0] is None or b[0] is None:
        return rounded(*a), rounded(*b), "-", "-"
    errors = [error for _, error in (a, b) if error]
    error = math.hypot(*errors) if errors else None
    return rounded(*a), rounded(*b), rounded(b[0] - a[0], error), in_errors(b[0] - a[0], error)


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The values of nested tables by dotted names."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else key, inner)
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for index, inner in enumerate(value):
            yield from _flat(f"{prefix}[{index}]", inner)
    else:
        yield prefix, value


def _text(value: Any) -> str:
    """A value as a person would write it, with the digits that may tell it from another; a dash where there is none."""
    text = f"[{', '.join(map(_text, value))}]" if isinstance(value, list) else plain(value, digits=DIGITS)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
