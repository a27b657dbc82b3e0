"""Propagation of chaos of two particles: covariance and distance covariance against N, at all and given the data."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import alive
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import logarithmic_sizes, point_style
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import INK, WIDTH, series_colours
from sgdsim.store.stored import Stored

LABELS = {"covariance": r"$|\mathrm{Cov}(W^1, W^2)|$", "dependence": r"$\mathrm{dCov}^2(W^1, W^2)$"}
GIVEN = "_given_data"
LACKS = 'covariance and dependence: set simulator.kind = "copies"'
CROSS: dict[str, Any] = {"marker": "x", "color": INK, "linestyle": "none", "markersize": 5, "zorder": 4}
SURE = 2.0
"""Standard errors below which a mean counts as 0, and is drawn as the bound that they give."""


@dataclass(frozen=True)
class DependenceFigure(FigureKind):
    """A row for each measure of dependence, a column for each noise; series of every beta."""

    name: ClassVar[str] = "dependence"

    def lacks(self, run: Stored) -> str:
        """What the copies of a network give."""
        return "" if _noises(run) else LACKS

    def caption(self, run: Stored) -> str:
        """What is measured, and what open symbols and arrows are."""
        theory = " Crosses: the linearised equations." if "covariance_theory" in run.results else ""
        return (
            "Above: size of the covariance of two particles of a run at the final time; below: their squared distance "
            "covariance, which is 0 where they are independent and nowhere else; both without bias, mean over replicas "
            f"with its standard error. Full: at all; open: given the data. Arrows: {SURE:g} standard errors, where the "
            f"mean is below them.{theory} SGD at beta = 1 has a random limit: its particles are independent only given "
            "the data."
        )

    def draw(self, run: Stored) -> Figure:
        """Two rows with one legend above."""
        noises = _noises(run)
        figure = Figure(figsize=(min(1.0, 0.5 * len(noises) + 0.1) * WIDTH, 4.8), layout="constrained")
        rows = figure.subplots(2, len(noises), sharex=True, sharey="row", squeeze=False)
        for row, name in zip(rows, LABELS, strict=True):
            for axes, noise in zip(row, noises, strict=True):
                draw_dependence(run, name, noise, axes)
            for axes in row[1:]:
                axes.set_ylabel("")
        for axes, noise in zip(rows[0], noises, strict=True):
            axes.set(title=f"{noise} noise", xlabel="")
        _draw_legend(figure, run)
        return figure


def draw_dependence(run: Stored, name: str = "covariance", noise: str | None = None, ax: Axes | None = None) -> Axes:
    """Covariance or dependence of two particles against N for every beta, at all and, open, given the data.

    - `name`: "covariance" or "dependence"; `noise`: "common" or "independent", by default the first of the run.

    **Raises:** ArgumentError where the run does not observe it.
    """
    chosen = pick({one: one for one in _noises(run)}, noise, LACKS)
    axes = panel(ax)
    betas = _betas(run)
    for index, (beta, colour) in enumerate(zip(betas, series_colours(len(betas)), strict=True)):
        cells = [cell for cell in alive(run, 2) if _of(run, cell) == (chosen, beta)]
        cells.sort(key=lambda cell: run.summary.cells[cell].parameters["N"])
        for observable, filled in ((name, True), (f"{name}{GIVEN}", False)):
            _draw_series(axes, run, observable, cells, point_style(index, colour), filled)
    axes.set(yscale="log", ylabel=LABELS[name])
    logarithmic_sizes(axes, [run.summary.cells[cell].parameters["N"] for cell in alive(run, 2)])
    return axes


def _of(run: Stored, cell: int) -> tuple[str, float]:
    parameters = run.summary.cells[cell].parameters
    return parameters["noise"], parameters["beta"]


def _noises(run: Stored) -> list[str]:
    if any(f"{name}{GIVEN}" not in run.results for name in LABELS):
        return []
    return sorted({_of(run, cell)[0] for cell in alive(run, 2)})


def _betas(run: Stored) -> list[float]:
    return sorted({_of(run, cell)[1] for cell in alive(run, 2)})


def _draw_series(axes: Axes, run: Stored, name: str, cells: list[int], style: dict[str, Any], filled: bool) -> None:
    """Means with bars where they are known, arrows where only a bound is."""
    points: Float[np.ndarray, "points 3"] = np.array([_point(run, name, cell) for cell in cells])
    # Aside, so that open and full symbols of the same value are both seen.
    N, mean, error = points[:, 0] * (1.0 if filled else 1.12), points[:, 1], points[:, 2]
    known = np.abs(mean) > SURE * error
    face: dict[str, Any] = {} if filled else {"markerfacecolor": "white"}
    size = np.abs(mean[known])
    bars = [np.minimum(error[known], 0.9 * size), error[known]]
    axes.errorbar(N[known], size, bars, linestyle="none", **style, **face)
    axes.plot(N[~known], SURE * error[~known], marker="v", markersize=4, color=style["color"], linewidth=0, **face)
    column = f"{name}_theory"
    if column in run.results:
        theory = np.array([float(run.results[column].isel(cell=cell, time=-1)) for cell in cells])
        axes.plot(N, np.abs(theory), **CROSS)


def _point(run: Stored, name: str, cell: int) -> tuple[float, float, float]:
    mean, error = (float(run.results[f"{name}{end}"].isel(cell=cell, time=-1)) for end in ("", "_sem"))
    return float(run.summary.cells[cell].parameters["N"]), mean, error


def _draw_legend(figure: Figure, run: Stored) -> None:
    betas = _betas(run)
    keys = []
    for index, (beta, colour) in enumerate(zip(betas, series_colours(len(betas)), strict=True)):
        style = point_style(index, colour)
        keys.append(Line2D([], [], linewidth=0, marker=style["marker"], color=colour, label=rf"$\beta$ = {beta:g}"))
    grey: dict[str, Any] = {"color": "#888888", "linewidth": 0}
    keys.append(Line2D([], [], marker="o", markerfacecolor="white", label="given the data", **grey))
    keys.append(Line2D([], [], marker="v", label="bound", **grey))
    if "covariance_theory" in run.results:
        keys.append(Line2D([], [], label="linear theory", **CROSS))
    figure.legend(handles=keys, loc="outside upper center", ncols=len(keys), fontsize=7.5, columnspacing=1.2)
