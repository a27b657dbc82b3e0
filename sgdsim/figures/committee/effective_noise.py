"""Drift against the effective noise of SGD along a trajectory, in one step and over a unit of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import alive, cell_label, is_logarithmic
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import CATEGORIES, INK, NAMED_COLOURS, WIDTH
from sgdsim.store.stored import Stored

NAMES = ("drift", "noise_covariance", "noise_trace")
LARGEST_ERROR = 0.5
"""Relative error up to which a point is drawn."""
DRIFT: dict[str, Any] = {"marker": "o", "linestyle": "-"}
NOISE: dict[str, Any] = {"marker": "s", "linestyle": (0, (4, 2)), "markerfacecolor": "white"}
"""Of points and lines of either; full and open."""
LONG = 0.45
"""Opacity of what happens over a unit of time."""
COLUMNS = 2


@dataclass(frozen=True)
class EffectiveNoiseFigure(FigureKind):
    """A panel for each cell, in the colour of its region, and below the time from which on drift is the larger."""

    name: ClassVar[str] = "effective_noise"

    def lacks(self, run: Stored) -> str:
        """Drift and noise, measured and by theory."""
        return _lacking(run)

    def caption(self, run: Stored) -> str:
        """Points and lines, one step and many."""
        return (
            "A panel for each cell: how far drift and noise move the order parameters (M, Q) in one step, |f| dt and "
            "the root of the trace of the covariance of a step, and, pale, over a unit of time, |f| and that root "
            "times dt^(-1/2), as independent steps add. Points: measured by fresh batches along the trajectories, with "
            "standard errors over replicas; lines: right-hand side of the ODE and covariance of a step by theory, "
            "along the solution of the ODE. Last panel: the steps after which drift has moved them by as much as "
            "noise, the square of the ratio of noise to drift in one step. Points with an error of more than half "
            "their value are left out."
        )

    def draw(self, run: Stored) -> Figure:
        """A panel for each cell, and one for the crossover."""
        cells = alive(run)
        rows = -(-(len(cells) + 1) // COLUMNS)
        figure = Figure(figsize=(WIDTH, 2.5 * rows + 0.4), layout="constrained")
        panels = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
        for axes, cell in zip(panels, cells, strict=False):
            draw_effective_noise(run, cell, axes)
        draw_crossover(run, panels[len(cells)])
        panels[0].set_ylabel(r"change of $(M, Q)$")
        for axes in panels[len(cells) + 1 :]:
            axes.remove()
        figure.legend(handles=_keys(), loc="outside upper center", ncols=3)
        return figure


def draw_effective_noise(run: Stored, cell: int | None = None, ax: Axes | None = None) -> Axes:
    """|f| dt and the noise of a step against time in one cell, and both over a unit of time.

    - `cell`: by default the first with finite values.

    **Raises:** ArgumentError where drift and noise were not measured, and for another cell.
    """
    found = {} if _lacking(run) else {str(one): one for one in alive(run)}
    cell = pick(found, None if cell is None else str(cell), _lacking(run))
    axes, dt = panel(ax), run.dt(cell)
    colour, t = _colours(run)[cell], run.times(cell)
    for window, opacity in ((dt, 1.0), (1.0, LONG)):
        look = {"color": colour, "alpha": opacity}
        for (mean, error, theory), style, factor in (
            (_drift(run, cell), DRIFT, window),
            (_noise(run, cell), NOISE, window**0.5),
        ):
            points = {key: value for key, value in style.items() if key != "linestyle"}
            bars = {"linestyle": "none", "markersize": 3.5, "capsize": 1.5}
            axes.errorbar(t, factor * mean, factor * error, **bars, **points, **look)
            axes.plot(t, factor * theory, linestyle=style["linestyle"], linewidth=1.1, **look)
    axes.set(yscale="log", xlabel="$t$", title=_title(run, cell))
    if is_logarithmic(t):
        axes.set_xscale("log")
    return axes


def draw_crossover(run: Stored, ax: Axes | None = None) -> Axes:
    """(noise/drift)^2 of one step against time in every cell: the steps from which on drift is the larger.

    **Raises:** ArgumentError where drift and noise were not measured.
    """
    cells = pick({} if _lacking(run) else {"": alive(run)}, None, _lacking(run))
    axes = panel(ax)
    for cell in cells:
        colour, t, dt = _colours(run)[cell], run.times(cell), run.dt(cell)
        drift, drift_error, drift_theory = _drift(run, cell)
        noise, noise_error, noise_theory = _noise(run, cell)
        ratio = noise**2 / (dt * drift**2)
        relative = 2 * np.hypot(drift_error / drift, noise_error / noise)
        ratio, error = np.where(relative < LARGEST_ERROR, ratio, np.nan), ratio * relative
        look = {"color": colour, "markersize": 3.5, "capsize": 1.5, "marker": "o", "linestyle": "none"}
        axes.errorbar(t, ratio, error, label=cell_label(run, cell), **look)
        axes.plot(t, noise_theory**2 / (dt * drift_theory**2), color=colour, linewidth=1.1)
    axes.set(yscale="log", xlabel="$t$", ylabel="steps until drift is larger")
    if is_logarithmic(run.times(cells[0])):
        axes.set_xscale("log")
    return axes


def _lacking(run: Stored) -> str:
    """What is missing; empty where nothing is."""
    if any(name not in run.observables or not run.knows(name) for name in NAMES):
        return "drift and noise, measured and by theory: noise_draws in [problem], and a theory"
    return "" if alive(run) else "a cell with a replica that stayed finite"


def _drift(run: Stored, cell: int) -> tuple[Float[np.ndarray, " times"], ...]:
    """|f| of the mean over replicas, its standard error, and that of theory.

    Of |mean|^2 the part that its own error adds is taken away. Errors of entries are correlated as the noise of a step
    is. NaN where the error is too large.
    """
    mean, sem, theory = _parts(run, "drift", cell)
    covariance = run.results["noise_covariance"].isel(cell=cell).to_numpy()
    scale = sem / np.sqrt(np.einsum("taa->ta", covariance))
    errors = covariance * scale[:, :, None] * scale[:, None, :]
    square = (mean**2 - sem**2).sum(axis=1)
    variance = 4 * np.einsum("ta,tab,tb->t", mean, errors, mean) + 2 * (errors**2).sum(axis=(1, 2))
    return *_root(square, np.sqrt(variance)), np.sqrt((theory**2).sum(axis=1))


def _noise(run: Stored, cell: int) -> tuple[Float[np.ndarray, " times"], ...]:
    """The root of the trace of the covariance over dt, its standard error, and that of theory."""
    mean, sem, theory = _parts(run, "noise_trace", cell)
    return *_root(mean, sem), np.sqrt(theory)


def _parts(run: Stored, name: str, cell: int) -> tuple[np.ndarray, ...]:
    return tuple(run.results[f"{name}{part}"].isel(cell=cell).to_numpy() for part in ("", "_sem", "_theory"))


def _root(
    square: Float[np.ndarray, " times"], error: Float[np.ndarray, " times"]
) -> tuple[Float[np.ndarray, " times"], Float[np.ndarray, " times"]]:
    """The root with its error; NaN where its relative error would be too large."""
    known = square * 2 * LARGEST_ERROR > error
    root = np.sqrt(np.where(known, square, np.nan))
    return root, error / (2 * root)


def _colours(run: Stored) -> Mapping[int, str]:
    """That of the region, of cells that have one each, and categories otherwise."""
    cells = alive(run)
    regions = [str(run.parameters[cell].get("region")) for cell in cells]
    if len({*regions}) == len(cells) and {*regions} <= NAMED_COLOURS.keys():
        return {cell: NAMED_COLOURS[region] for cell, region in zip(cells, regions, strict=True)}
    return {cell: CATEGORIES[place % len(CATEGORIES)] for place, cell in enumerate(cells)}


def _title(run: Stored, cell: int) -> str:
    """Region and place in the grid."""
    region = run.parameters[cell].get("region")
    return ", ".join(filter(None, [str(region) if region else "", cell_label(run, cell)]))


def _keys() -> list[Line2D]:
    """Drift and noise, in a step and over a unit of time."""
    return [
        Line2D([], [], color=INK, markersize=4, label="drift in a step", **DRIFT),
        Line2D([], [], color=INK, markersize=4, label="noise in a step", **NOISE),
        Line2D([], [], color=INK, alpha=LONG, linewidth=3, label="pale: over a unit of time"),
    ]
