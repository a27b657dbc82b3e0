"""The curves of every cell as a table of numbers, which the page draws for the cell that its reader picks."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from sgdsim.analysis.numbers import plain
from sgdsim.figures.common.curves import evenly, is_logarithmic
from sgdsim.printable import printable
from sgdsim.report.symbols import plain_parameter
from sgdsim.store.stored import Stored

MOST = 5000
"""Numbers on a page, of at most some 9 characters each."""
TIMES = 16
"""Of a curve, at least; where cells are so many that this does not fit, fewer observables and fewer cells are taken."""
_PARTS = {"mean": ("", 4), "sem": ("_sem", 2), "std": ("_std", 2), "theory": ("_theory", 4)}
"""The variables of an observable, and the digits of each: an error needs fewer."""


def curves_of(run: Stored) -> Markup:
    """JSON: of each cell its number, label, times and scalar observables; empty where there is none.

    Curves have so many times that all cells fit on a page.
    """
    names, cells, times = _selection(run)
    if not names or not cells:
        return Markup("")
    rows = [_cell(run, cell, names, _evenly_spaced(run, times)) for cell in cells]
    known = {
        "names": {name: printable(run.words(name)) for name in names},
        "logarithmic": is_logarithmic(run.times(cells[0])),
        "cells": rows,
    }
    # No character that could end the element; what is left is data to a browser.
    return Markup(json.dumps(known, separators=(",", ":")).replace("<", r"\u003c"))


def _selection(run: Stored) -> tuple[Sequence[str], Sequence[int], int]:
    """Observables, cells and number of times, together at most MOST numbers."""
    names, cells = list(run.scalars), list(range(run.results.sizes["cell"]))
    while len(names) > 1 and _room(run, names, cells) < TIMES:
        names.pop()
    if names and _room(run, names, cells) < TIMES:
        cells = evenly(cells, max(1, MOST // (TIMES * _columns(run, names))))
    return names, cells, min(run.results.sizes["time"], max(_room(run, names, cells), TIMES))


def _room(run: Stored, names: Iterable[str], cells: Sequence[int]) -> int:
    """How many times fit."""
    return MOST // (max(len(cells), 1) * _columns(run, names))


def _columns(run: Stored, names: Iterable[str]) -> int:
    """The time, and what there is of every observable."""
    return 1 + sum(f"{name}{ending}" in run.results for name in names for ending, _ in _PARTS.values())


def _evenly_spaced(run: Stored, count: int) -> list[int]:
    return evenly(range(run.results.sizes["time"]), count)


def _cell(run: Stored, cell: int, names: Iterable[str], times: list[int]) -> dict[str, Any]:
    axes = run.axes[cell]
    label = ", ".join(f"{plain_parameter(name)} = {printable(plain(axes[name]))}" for name in run.varying)
    return {
        "cell": run.summary.cells[cell].cell,
        "label": label.replace("= -", "= \N{MINUS SIGN}"),
        "t": _digits(run.times(cell)[times], 5),
        "curves": {name: _curves(run, cell, name, times) for name in names},
    }


def _curves(run: Stored, cell: int, name: str, times: list[int]) -> dict[str, list[float | None]]:
    return {
        part: _digits(run.results[f"{name}{ending}"].isel(cell=cell).to_numpy()[times], digits)
        for part, (ending, digits) in _PARTS.items()
        if f"{name}{ending}" in run.results
    }


def _digits(values: np.ndarray, digits: int) -> list[float | None]:
    """So many significant digits; nothing for what is not finite, for which JSON has no number."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values.tolist()]
