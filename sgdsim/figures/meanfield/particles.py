"""What the figures of wide networks share: values of every run at the last time, and their histograms."""

import tomllib
from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from sgdsim.analysis.names import KEPT
from sgdsim.figures.common.curves import evenly
from sgdsim.figures.style import CATEGORIES, MARKERS
from sgdsim.figures.typeset import shown
from sgdsim.store.stored import Stored

HISTOGRAM = "histogram"
"""The observable of shares of bins."""
TICKS = 4
GUIDE: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (5, 3))}
"""The line of an exponent of theory."""


def finals(run: Stored, name: str, cell: int) -> Float[np.ndarray, "replicas ..."]:
    """An observable of every replica at the last save time; those that diverged are left out."""
    values = run.results[f"{name}{KEPT}"].isel(cell=cell).transpose("replica", ...).to_numpy()
    # A run that diverged is in no histogram, as it is in no mean.
    return values[np.isfinite(values.reshape(len(values), -1)).all(axis=1)]


def bin_edges(run: Stored) -> Float[np.ndarray, " edges"] | None:
    """Edges of the histograms; None where the experiment does not say them."""
    problem = tomllib.loads(run.experiment).get("problem", {})
    if not (problem.get("bins") and problem.get("window")):
        return None
    low, high = problem["window"]
    return np.linspace(low, high, problem["bins"] + 1)


def density(fractions: Float[np.ndarray, "*runs bins"], edges: Float[np.ndarray, " edges"]) -> np.ndarray:
    """The density of which the share of every bin is given."""
    return fractions / (edges[1] - edges[0])


def point_style(index: int, colour: str | None = None) -> dict[str, Any]:
    """Points with error bars, of a series of this number."""
    return {
        "color": colour or CATEGORIES[index % len(CATEGORIES)],
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 4.5,
        "capsize": 2.5,
        "elinewidth": 1.2,
    }


def logarithmic_sizes(axes: Axes, sizes: Iterable[float | int]) -> None:
    """A logarithmic axis of N: powers of ten where two of them are in reach, otherwise some of the sizes themselves."""
    axes.set(xscale="log", xlabel="$N$")
    sizes = list(sizes)
    # Two powers of ten in reach make a scale; with fewer the sizes themselves are written.
    powers = np.log10(max(sizes)) // 1 - np.ceil(np.log10(min(sizes)))
    if powers < 1:
        some = evenly(sorted({int(size) for size in sizes}), TICKS)
        axes.set_xticks(some, [shown(size) for size in some])


def marked(style: dict[str, Any]) -> dict[str, Any]:
    """What a line takes of the style of points with error bars."""
    return {name: style[name] for name in ("color", "marker", "markersize")}
