"""A quantity of the cells against a parameter, point by point and without a law: [[report.against]] in summary.json."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import xarray as xr

from sgdsim.contracts import System
from sgdsim.errors import ArgumentError
from sgdsim.experiment.cells import Cell
from sgdsim.experiment.groups import groups
from sgdsim.laws.law import reason
from sgdsim.laws.quantities import Fit, quantity_of


def read_points(
    system: System, cells: Sequence[Cell], data: Sequence[xr.Dataset], asked: Fit, failed: Collection[int]
) -> dict[str, Any]:
    """The points of one figure, as they stand in the summary; the cells that failed have none.

    - `series`: for each combination of the other axes of the grid, by its label ("" where there is one only), the
      points [x, mean, standard error, theory] by increasing x. What is not known is NaN.
    - `missed`: why a cell has no point (a level that is not reached), and in how many this is so.
    """
    series: dict[str, list[list[float]]] = {}
    missed: dict[str, int] = {}
    for label, members in groups(cells, asked.against):
        rows = []
        for index in (index for index in members if index not in failed):
            x = float(cells[index].problem.parameters()[asked.against])
            try:
                rows.append([x, *quantity_of(system, asked, data[index])])
            except ArgumentError as error:
                rows.append([x, *[np.nan] * 3])
                why = reason(error).removeprefix("no fit: ")
                missed[why] = missed.get(why, 0) + 1
        series[label] = sorted(rows, key=lambda row: row[0])
    return {
        "quantity": asked.quantity,
        "axis": asked.against,
        "level": asked.level,
        "series": series,
        "missed": missed,
    }
