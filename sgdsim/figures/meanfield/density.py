"""The law of the particles against its limit: histograms for growing N, and their Wasserstein distance from it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sgdsim.analysis.bootstrap import mean_and_sem
from sgdsim.analysis.histograms import binned_wasserstein
from sgdsim.analysis.names import KEPT
from sgdsim.analysis.numbers import plain
from sgdsim.figures.common.curves import THEORY, alive, evenly
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import (
    GUIDE,
    HISTOGRAM,
    bin_edges,
    density,
    finals,
    logarithmic_sizes,
    marked,
    point_style,
)
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import INK, WIDTH, series_colours
from sgdsim.store.stored import Stored

COLUMNS = 3
LIMIT = 'a theory of the histogram: [theory] kind = "limit"'
FILL = "#9db8d2"


@dataclass(frozen=True)
class DensityFigure(FigureKind):
    """A row of panels for each beta, by growing N, and below them the distances from the limit."""

    name: ClassVar[str] = "density"

    def lacks(self, run: Stored) -> str:
        """Histograms of runs and of a limit."""
        return _lacks_histograms(run) or ("" if _rows(run) else LIMIT)

    def caption(self, run: Stored) -> str:
        """What is filled, dashed and open, and how the distances below are measured."""
        return (
            "Particles at the final time: one run (filled), the mean over all runs (line), and the limit's density "
            "(dashed): Fokker-Planck at beta = 1, characteristics below. W1: Wasserstein-1 distance of one run from "
            "the limit, mean over runs, in the variable of the histogram. Below: the same against N with its standard "
            "error (filled marks), and that of the mean over runs (open); dashed: N^-1/2."
        )

    def draw(self, run: Stored) -> Figure:
        """Histograms above, distances below."""
        rows = _rows(run)
        columns = min(COLUMNS, max(map(len, rows.values())))
        heights = [1.45 * len(rows) + 0.45, 2.5]
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
        axes = above.subplots(len(rows), columns, squeeze=False, sharex=True, sharey=True)
        for line, (beta, cells) in zip(axes, rows.items(), strict=True):
            chosen = evenly(cells, columns)
            for axis, cell in zip(line, chosen, strict=False):
                draw_density(run, cell, axis).set(xlabel="", ylabel="")
            for axis in line[len(chosen) :]:
                axis.remove()
            line[0].set_ylabel(rf"$\beta$ = {beta:g}")
        for axis in axes[-1]:
            axis.set_xlabel("$w$")
        keys = [
            Patch(color=FILL, label="one run"),
            Line2D([], [], color="#2f7fc1", linewidth=1.0, label="mean over runs"),
            Line2D([], [], **THEORY, label="limit"),
        ]
        above.legend(handles=keys, loc="outside upper center", ncols=3)
        draw_distances(run, below.subplots(1, 1))
        return figure


def draw_density(run: Stored, cell: int | None = None, ax: Axes | None = None) -> Axes:
    """Particles at the final time: one run (filled), the mean over all runs (line), and the limit's density (dashed).

    - `cell`: by default the first with a limit.

    **Raises:** ArgumentError where the run has no final histograms, or no limit of them.
    """
    cells = [one for row in _known(run).values() for one in row]
    cell = pick({str(one): one for one in cells}, None if cell is None else str(cell), LIMIT)
    axes = panel(ax)
    _draw_panel(axes, run, cell)
    axes.set(xlabel="$w$", ylabel="density")
    return axes


def draw_distances(run: Stored, ax: Axes | None = None) -> Axes:
    """The Wasserstein-1 distance of one run from the limit against N, for every beta, and (open) that of their mean.

    **Raises:** ArgumentError where the run has no final histograms, or no limit of them.
    """
    rows = _known(run)
    axes = panel(ax)
    _draw_distances(axes, run, rows)
    return axes


def _known(run: Stored) -> dict[float, list[int]]:
    """The cells with a limit, by beta. **Raises:** ArgumentError where there are none."""
    rows = {} if _lacks_histograms(run) else _rows(run)
    pick({str(beta): cells for beta, cells in rows.items()}, None, _lacks_histograms(run) or LIMIT)
    return rows


def _lacks_histograms(run: Stored) -> str:
    if f"{HISTOGRAM}{KEPT}" not in run.results or bin_edges(run) is None:
        return "final histograms of every run: set problem.bins and problem.window"
    return ""


def _rows(run: Stored) -> dict[float, list[int]]:
    """Cells with a limit, by beta, each row by increasing N."""
    found: dict[float, list[int]] = {}
    for cell in alive(run) if f"{HISTOGRAM}_theory" in run.results else ():
        if np.isfinite(_limit(run, cell)).all():
            found.setdefault(_parameter(run, cell, "beta"), []).append(cell)
    return {beta: sorted(found[beta], key=lambda cell: _parameter(run, cell, "N")) for beta in sorted(found)}


def _parameter(run: Stored, cell: int, name: str) -> float | int:
    return run.parameters[cell][name]


def _limit(run: Stored, cell: int) -> Float[np.ndarray, " bins"]:
    return run.results[f"{HISTOGRAM}_theory"].isel(cell=cell, time=-1).to_numpy()


def _edges(run: Stored) -> Float[np.ndarray, " edges"]:
    edges = bin_edges(run)
    assert edges is not None
    return edges


def _distances(run: Stored, cell: int) -> tuple[float, float, float]:
    """W1 of one run from the limit, its standard error, and W1 of the mean over runs."""
    runs, limit, edges = finals(run, HISTOGRAM, cell), _limit(run, cell), _edges(run)
    width = float(edges[1] - edges[0])
    # Each run and their mean: the first falls as N^-1/2 with the scatter of particles, the second shows what is left
    # of a bias.
    each = binned_wasserstein(runs, np.broadcast_to(limit, runs.shape), width)
    mean, error = mean_and_sem(each)
    return mean, error, float(binned_wasserstein(runs.mean(axis=0)[None], limit[None], width)[0])


def _draw_panel(axes: Axes, run: Stored, cell: int) -> None:
    edges, runs = _edges(run), finals(run, HISTOGRAM, cell)
    axes.stairs(density(runs[0], edges), edges, fill=True, color=FILL)
    axes.stairs(density(runs.mean(axis=0), edges), edges, color="#2f7fc1", linewidth=1.0)
    axes.plot((edges[1:] + edges[:-1]) / 2, density(_limit(run, cell), edges), zorder=3, **THEORY)
    text = f"$N$ = {plain(_parameter(run, cell, 'N'))}\n$W_1$ = {_distances(run, cell)[0]:.2g}"
    axes.annotate(text, (0.97, 0.95), xycoords="axes fraction", ha="right", va="top", fontsize=7.5)


def _draw_distances(axes: Axes, run: Stored, rows: dict[float, list[int]]) -> None:
    for index, ((beta, cells), colour) in enumerate(zip(rows.items(), series_colours(len(rows)), strict=False)):
        N = np.array([_parameter(run, cell, "N") for cell in cells], np.float64)
        one, error, pooled = np.array([_distances(run, cell) for cell in cells]).T
        style = point_style(index, colour)
        axes.errorbar(N, one, error, label=rf"$\beta$ = {beta:g}", linewidth=1.1, **style)
        axes.plot(N, pooled, linewidth=0.8, markerfacecolor="white", **marked(style))
        if index == 0:
            # Below the points, so that the guide does not cover them.
            axes.plot(N, 0.75 * one[0] * np.sqrt(N[0] / N), color=INK, **GUIDE)
    axes.set(yscale="log", ylabel="Wasserstein distance $W_1$")
    logarithmic_sizes(axes, [_parameter(run, cell, "N") for cells in rows.values() for cell in cells])
    keys = axes.get_legend_handles_labels()[0]
    keys.append(Line2D([], [], color="#888888", marker="o", markerfacecolor="white", label="mean over runs"))
    keys.append(Line2D([], [], color=INK, label="$N^{-1/2}$", **GUIDE))
    axes.legend(handles=keys, loc="center left", bbox_to_anchor=(1.0, 0.5))
