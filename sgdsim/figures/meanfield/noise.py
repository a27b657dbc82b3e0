"""Which noise? How far runs differ from one another when N grows, where particles share their noise and where not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.analysis.bootstrap import with_error
from sgdsim.analysis.names import KEPT
from sgdsim.analysis.pairs import pair_covariance
from sgdsim.figures.common.curves import THEORY, alive, by_columns
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
from sgdsim.figures.typeset import shown
from sgdsim.store.stored import Stored

SHARED, OWN = ("sgd", "common"), ("sde", "independent")
NAMES = {
    SHARED: "SGD",
    ("sde", "common"): "SDE, common noise",
    ("sgd", "independent"): "SGD, own data for each particle",
    OWN: "SDE, independent noise",
}
"""The dynamics, by the parameters `dynamics` and `noise`."""
RUNS = 6
"""Runs of which the densities are drawn."""
HISTOGRAMS = "final histograms of every run: set problem.bins and problem.window"
_NEEDED = tuple(f"{name}{KEPT}" for name in ("m", "mean", "variance", HISTOGRAM))


Kind = tuple[str, str]
Measure = Callable[[Stored, int], tuple[float, float]]
"""A number of a cell, and its standard error."""


@dataclass(frozen=True)
class NoiseFigure(FigureKind):
    """Variances between runs and correlations within them against N, and densities run by run."""

    name: ClassVar[str] = "noise"

    def lacks(self, run: Stored) -> str:
        """Final values of every run, a histogram, and two kinds of noise."""
        if any(name not in run.results for name in _NEEDED) or bin_edges(run) is None:
            return HISTOGRAMS
        return "" if len(_series(run)) > 1 else "two kinds of noise, from the keys `dynamics` and `noise`"

    def caption(self, run: Stored) -> str:
        """What the four panels show, and where their errors come from."""
        known = any(_theory(run, cells) is not None for cells in _series(run).values())
        fp = " Dashed: the Fokker-Planck density." if known else ""
        return (
            "a: variance between runs of a prediction at the final time (of the middle input); dashed: 1/N. b: "
            "correlation of two particles of one run, (variance of the runs' means - mean variance in a run / (N - 1)) "
            "/ total; open symbols: its size where it is negative. Errors by bootstrap over runs. Below: densities of "
            f"the particles of single runs at the largest N, a colour for each run.{fp} With noise that all particles "
            "share, the limit is random; with noise of their own it is not."
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels of numbers over two of densities."""
        found = _series(run)
        figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
        (left, right), below = figure.subplots(2, 2)
        draw_variance_between_runs(run, left)
        draw_pair_correlation(run, right)
        shown = [kind for kind in (SHARED, OWN) if kind in found]
        for axes, kind in zip(below, shown or list(found)[:2], strict=False):
            _draw_densities(axes, run, found, kind)
        for axes in below[len(shown) :]:
            axes.remove()
        _draw_legend(figure, run, found)
        return figure


def draw_variance_between_runs(run: Stored, ax: Axes | None = None) -> Axes:
    """The variance between runs of the prediction at the middle input and the final time, against N, with 1/N dashed.

    A labelled series for each dynamics and noise; errors by bootstrap over the runs.

    **Raises:** ArgumentError where the run does not keep final predictions of every run.
    """
    found = _kept(run, "m")
    axes = panel(ax)
    for index, (kind, cells) in enumerate(found.items()):
        _draw_series(axes, run, kind, cells, index, _variance_of_prediction)
        if kind == OWN:
            _draw_guide(axes, index)
    return _finish(axes, run, found, "variance of $m$ between runs")


def draw_pair_correlation(run: Stored, ax: Axes | None = None) -> Axes:
    """The correlation of two particles of one run at the final time against N, open marks for negative values.

    A labelled series for each dynamics and noise; see `analysis.pairs.pair_covariance`.

    **Raises:** ArgumentError where the run does not keep final means and variances of every run.
    """
    found = _kept(run, "mean", "variance")
    axes = panel(ax)
    for index, (kind, cells) in enumerate(found.items()):
        _draw_series(axes, run, kind, cells, index, _correlation)
    return _finish(axes, run, found, "|correlation| of two particles")


def _kept(run: Stored, *names: str) -> dict[Kind, list[int]]:
    """Cells of every dynamics with the final values of these observables. **Raises:** ArgumentError without."""
    found = _series(run) if all(f"{name}{KEPT}" in run.results for name in names) else {}
    pick({NAMES[kind]: cells for kind, cells in found.items()}, None, f"{' and '.join(names)} of every run at the end")
    return found


def _finish(axes: Axes, run: Stored, found: dict[Kind, list[int]], label: str) -> Axes:
    axes.set(yscale="log", ylabel=label)
    logarithmic_sizes(axes, [_size(run, cell) for cells in found.values() for cell in cells])
    return axes


def _series(run: Stored) -> dict[Kind, list[int]]:
    """Cells of every dynamics by increasing N."""
    found: dict[Kind, list[int]] = {}
    for cell in alive(run, least=3):
        parameters = run.summary.cells[cell].parameters
        found.setdefault((parameters["dynamics"], parameters["noise"]), []).append(cell)
    return {kind: sorted(found[kind], key=lambda cell: _size(run, cell)) for kind in NAMES if kind in found}


def _size(run: Stored, cell: int) -> int:
    return run.summary.cells[cell].parameters["N"]


def _variance_of_prediction(run: Stored, cell: int) -> tuple[float, float]:
    """The variance between runs of m at the middle input."""
    m = finals(run, "m", cell)
    variance, error = with_error(lambda values: np.var(values, ddof=1), m[:, (m.shape[1] - 1) // 2])
    return float(variance), float(error)


def _correlation(run: Stored, cell: int) -> tuple[float, float]:
    """The intraclass correlation of the first weight."""
    mean, variance = (finals(run, name, cell)[:, 0] for name in ("mean", "variance"))
    found = pair_covariance(mean, variance, _size(run, cell))
    return found.correlation, found.correlation_error


def _draw_series(axes: Axes, run: Stored, kind: Kind, cells: list[int], index: int, measure: Measure) -> None:
    points = np.array([(_size(run, cell), *measure(run, cell)) for cell in cells])
    N, size, error, negative = points[:, 0], np.abs(points[:, 1]), points[:, 2], points[:, 1] < 0
    low = np.minimum(error, 0.9 * size)  # a bar that reaches 0 has no end on a logarithmic axis
    style = point_style(index)
    axes.errorbar(N, size, [low, error], linewidth=1.1, label=NAMES[kind], **style)
    axes.plot(N[negative], size[negative], linewidth=0, markerfacecolor="white", zorder=4, **marked(style))


def _draw_guide(axes: Axes, index: int) -> None:
    """1/N through the first point of the series just drawn."""
    N, value = (np.asarray(data, float) for data in axes.containers[-1][0].get_data())
    axes.plot(N, 0.4 * value[0] * N[0] / N, color=INK, **GUIDE)


def _draw_densities(axes: Axes, run: Stored, found: dict[Kind, list[int]], kind: Kind) -> None:
    """A few runs at the largest N, with the density of theory, that of independent noise where there is no other."""
    edges, cell = bin_edges(run), found[kind][-1]
    assert edges is not None
    runs = density(finals(run, HISTOGRAM, cell)[:RUNS], edges)
    for values, colour in zip(runs, series_colours(len(runs)), strict=True):
        axes.stairs(values, edges, color=colour, linewidth=1.1)
    theory = _theory(run, found[kind])
    theory = theory if theory is not None else _theory(run, found.get(OWN, []))
    if theory is not None:
        axes.plot((edges[1:] + edges[:-1]) / 2, density(theory, edges), zorder=3, **THEORY)
    axes.set(xlabel="$w$", ylabel="density", title=f"{NAMES[kind]}, $N$ = {shown(_size(run, cell))}: {len(runs)} runs")


def _theory(run: Stored, cells: list[int]) -> Float[np.ndarray, " bins"] | None:
    """The limit's histogram at the final time, where there is one."""
    name = f"{HISTOGRAM}_theory"
    if name not in run.results:
        return None
    curves = [run.results[name].isel(cell=cell, time=-1).to_numpy() for cell in cells]
    return next((curve for curve in curves if np.isfinite(curve).all()), None)


def _draw_legend(figure: Figure, run: Stored, found: dict[Kind, list[int]]) -> None:
    """The dynamics, then what dashes and open symbols are."""
    keys = []
    for index, kind in enumerate(found):
        keys.append(Line2D([], [], linewidth=1.1, label=NAMES[kind], **marked(point_style(index))))
    grey: dict[str, Any] = {"color": "#888888", "markerfacecolor": "white"}
    means = [Line2D([], [], color=INK, label="a: $1/N$", **GUIDE)] if OWN in found else []
    means.append(Line2D([], [], marker="o", markersize=4.5, linewidth=0, label="b: negative", **grey))
    if any(_theory(run, cells) is not None for cells in found.values()):
        means.append(Line2D([], [], label="c, d: Fokker-Planck density", **THEORY))
    rows = [keys[first : first + 2] for first in range(0, len(keys), 2)]
    handles, columns = by_columns([[*row, *means[index::2]] for index, row in enumerate(rows[:2])] + rows[2:])
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, fontsize=7.5, columnspacing=1.4)
