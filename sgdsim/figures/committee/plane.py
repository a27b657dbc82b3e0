"""The (delta, kappa) plane of a grid: its cells, the size of one, and the lines between the regions."""

from dataclasses import dataclass

import numpy as np

from sgdsim.analysis.numbers import plain
from sgdsim.store.blocks import describe
from sgdsim.store.stored import Stored
from sgdsim.store.summary import CellSummary

HORIZONTAL, VERTICAL, SIZE = "delta", "kappa", "d"
"""Axes of the plane, and the dimension that the exponents are fitted along."""
STEPS = "steps_per_time"
"""The axis that may stand in place of the dimension."""

Place = tuple[float, float]
"""(delta, kappa) of a cell of the map."""


@dataclass(frozen=True)
class Map:
    """The cells of the map, the size of one, and what is measured in each at the largest dimension."""

    cells: dict[Place, CellSummary]
    step: Place
    boundaries: dict[str, float]
    """kappa + delta on the blue line, and on the line below which all is red (Veiga et al. 2022, figure 1)."""

    @classmethod
    def of(cls, run: Stored) -> "Map":
        """The cells of largest d at every (delta, kappa)."""
        cells: dict[Place, CellSummary] = {}
        # The largest dimension comes last and stays.
        for cell in sorted(run.summary.cells, key=lambda cell: cell.parameters[SIZE]):
            cells[_place(cell)] = cell
        # Cells are as large as the least distance of two: a grid with a gap has a gap, and no cell covers another.
        steps = [min(np.diff(np.unique(values)), default=1.0) for values in zip(*cells, strict=True)]
        mu, rho = (next(iter(cells.values())).parameters.get(name, 0.0) for name in ("mu", "rho"))
        lines = {"blue": rho * mu - mu, "red": rho * mu - (1 + mu) / 2}
        return cls(cells, (float(steps[0]), float(steps[1])), lines)

    @property
    def window(self) -> tuple[Place, Place]:
        """Least and largest delta and kappa that the cells cover."""
        places = np.array(list(self.cells))
        low, high = places.min(axis=0) - np.array(self.step) / 2, places.max(axis=0) + np.array(self.step) / 2
        return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and rows of cells that fill the window."""
        sides = [(high - low) / step for (low, high), step in zip(self.window, self.step, strict=True)]
        return round(sides[0]), round(sides[1])


def lacks_plane(run: Stored) -> str:
    """What is missing for the cells to lie in the plane; empty where nothing is."""
    if not {HORIZONTAL, VERTICAL} <= set(run.varying):
        return f"a grid over {HORIZONTAL} and {VERTICAL}, with at least two values of each"
    others = set(run.varying) - {HORIZONTAL, VERTICAL, SIZE, STEPS}
    if others:
        return f"a grid over {HORIZONTAL}, {VERTICAL} and {SIZE} only, and not over {', '.join(sorted(others))}"
    if any(cell.get("mu", 0.0) >= 1 for cell in run.parameters):
        return "a batch that grows more slowly than d, mu < 1: beyond, there is no blue line"
    return ""


def group_of(cell: CellSummary) -> str:
    """The name of a cell's fit along d among those of all cells."""
    return describe({name: value for name, value in cell.axes.items() if name in (HORIZONTAL, VERTICAL)})


def fraction(number: float) -> str:
    """A boundary in plain text: 0, -1/2, or a decimal number."""
    return "-1/2" if number == -0.5 else plain(number)


def _place(cell: CellSummary) -> Place:
    return cell.parameters[HORIZONTAL], cell.parameters[VERTICAL]
