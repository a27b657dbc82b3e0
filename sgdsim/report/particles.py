"""What the figures of wide networks share: values of every run at the last time, their histograms, and errors."""

import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from sgdsim.analysis.dataset import KEPT
from sgdsim.report.stored import Stored
from sgdsim.report.style import CATEGORIES, MARKERS

HISTOGRAM = "histogram"
"""The observable of shares of bins."""
RESAMPLES = 400
GUIDE: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (5, 3))}
"""The line of an exponent of theory."""


def finals(run: Stored, name: str, cell: int) -> Float[np.ndarray, "replicas ..."]:
    """An observable of every replica at the last save time; those that diverged are left out."""
    values = run.results[f"{name}{KEPT}"].isel(cell=cell).transpose("replica", ...).to_numpy()
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


def with_error(statistic: Callable[..., float], *samples: Float[np.ndarray, "replicas ..."]) -> tuple[float, float]:
    """A statistic of replicas and its standard error, by drawing them again: the same for the same data."""
    rng = np.random.default_rng(0)
    count = len(samples[0])
    picks = rng.integers(count, size=(RESAMPLES, count))
    spread = np.std([statistic(*(sample[pick] for sample in samples)) for pick in picks], ddof=1)
    return float(statistic(*samples)), float(spread)


def point_style(index: int, colour: str | None = None) -> dict[str, Any]:
    """Points with error bars, of a series of this number."""
    return {
        "color": colour or CATEGORIES[index % len(CATEGORIES)],
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 4.5,
        "capsize": 2.5,
        "elinewidth": 1.2,
    }


def marked(style: dict[str, Any]) -> dict[str, Any]:
    """What a line takes of the style of points with error bars."""
    return {name: style[name] for name in ("color", "marker", "markersize")}
