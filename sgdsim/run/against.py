"""A quantity of the cells against a parameter, point by point and without a law: [[report.against]] in summary.json."""

from collections.abc import Collection, Sequence

import numpy as np
import xarray as xr

from sgdsim.contracts import System
from sgdsim.errors import ArgumentError
from sgdsim.experiment.cells import Cell
from sgdsim.experiment.groups import groups
from sgdsim.experiment.schema import AgainstSection
from sgdsim.laws.law import reason
from sgdsim.laws.quantities import quantity_of
from sgdsim.store.summary import Points


def read_points(
    system: System, cells: Sequence[Cell], data: Sequence[xr.Dataset], asked: AgainstSection, failed: Collection[int]
) -> Points:
    """The points of one figure; the cells that failed have none."""
    series: dict[str, list[list[float]]] = {}
    missed: dict[str, int] = {}
    for label, members in groups(cells, asked.axis):
        rows = []
        for index in (index for index in members if index not in failed):
            x = float(cells[index].problem.parameters()[asked.axis])
            try:
                rows.append([x, *quantity_of(system, asked.quantity, asked.level, data[index])])
            except ArgumentError as error:
                rows.append([x, *[np.nan] * 3])
                why = reason(error).removeprefix("no fit: ")
                missed[why] = missed.get(why, 0) + 1
        series[label] = sorted(rows, key=lambda row: row[0])
    return Points(quantity=asked.quantity, axis=asked.axis, level=asked.level, series=series, missed=missed)
