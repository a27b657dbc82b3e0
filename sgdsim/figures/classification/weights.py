"""What the figures of weights read off a run: the histograms of every seed, their bins, and their distances."""

import tomllib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sgdsim.analysis.names import KEPT
from sgdsim.store.stored import Stored

ONE, ACTIVE = "histogram", "active_histogram"
"""Histograms of the weights from the corner pixel, and from all pixels that vary."""


@dataclass(frozen=True)
class Bins:
    """Bins of equal width, by their edges."""

    edges: Float[np.ndarray, " edges"]

    @property
    def width(self) -> float:
        """The width of one bin, in units of a weight."""
        return float(self.edges[1] - self.edges[0])


def bins_of(run: Stored) -> Bins:
    """The bins that the experiment asks for. **Raises:** KeyError where they differ between cells."""
    problem = tomllib.loads(run.experiment)["problem"]
    low, high = problem["window"]
    return Bins(np.linspace(low, high, problem["bins"] + 1))


def lacks_histograms(run: Stored) -> str:
    """What a figure of them would need; empty where nothing is missing."""
    if f"{ONE}{KEPT}" not in run.results or f"{ACTIVE}{KEPT}" not in run.results:
        return "histograms of weights of every replica, as the system classification has them"
    if not {"bins", "window"} <= tomllib.loads(run.experiment).get("problem", {}).keys():
        return "the same bins and window in all cells"
    return "" if len(cells(run)) else "a replica that stayed finite"


def cells(run: Stored) -> list[int]:
    """Cells with a histogram."""
    return [cell for cell in range(run.results.sizes["cell"]) if len(seeds(run, ONE, cell))]


def seeds(run: Stored, name: str, cell: int) -> Float[np.ndarray, "seeds bins"]:
    """The histograms of the seeds of a cell that stayed finite."""
    values = run.results[f"{name}{KEPT}"].isel(cell=cell).to_numpy()
    return values[np.isfinite(values).all(axis=1)]


def central(density: Float[np.ndarray, "rows bins"], edges: Float[np.ndarray, " edges"]) -> tuple[float, float]:
    """The edges that hold all but a thousandth of the mass on either side, of the mean of the rows."""
    mass = np.cumsum(density.mean(axis=0))
    # Of the mean over seeds: one seed with a far weight would stretch the panel.
    low, high = np.searchsorted(mass / mass[-1], [1e-3, 1 - 1e-3])
    return float(edges[low]), float(edges[min(high + 1, len(edges) - 1)])


def whole(density: Float[np.ndarray, "rows bins"], edges: Float[np.ndarray, " edges"]) -> tuple[float, float]:
    """The edges that hold all mass of every row."""
    taken = np.flatnonzero(density.any(axis=0))
    return float(edges[taken[0]]), float(edges[taken[-1] + 1])
