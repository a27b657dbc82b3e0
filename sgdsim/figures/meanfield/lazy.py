"""The lazy scaling N^-a, a < 1: how far particles move, and how far the network is from its linearisation."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.analysis.numbers import rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.curves import (
    BANDS,
    THEORY,
    alive,
    band_mark,
    by_columns,
    draw_band,
    is_logarithmic,
    logarithmic_times,
)
from sgdsim.figures.common.fits import by_axis, numbers
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import GUIDE, logarithmic_sizes, marked, point_style
from sgdsim.figures.panels import around, panel, pick
from sgdsim.figures.style import INK, WIDTH, series_colours
from sgdsim.figures.typeset import shown, typeset
from sgdsim.laws.power import FittedPower
from sgdsim.store.stored import Stored

AXIS, AGAINST = "a", "N"
MEASURES = {"displacement": r"$\mathrm{E}\,|W_T - W_0|^2$", "gap": r"$\mathrm{E}\,|m_T - m^{\rm lin}_T|_\infty$"}
OPACITIES = {"std": 0.14, "sem": 0.4}
ROOM = 0.35
"""Of the axis below the laws, for their slopes."""


@dataclass(frozen=True)
class LazyFigure(FigureKind):
    """Displacement and gap against N with their slopes, and the risk over time at the largest N."""

    name: ClassVar[str] = "lazy"

    def lacks(self, run: Stored) -> str:
        """Power laws of both against N, for each exponent a."""
        found = {name: _laws(run, name) for name in MEASURES}
        absent = [name for name, laws in found.items() if not laws]
        if absent:
            return f'power laws of "{absent[0]}" against "N", and `a` in the grid'
        return "" if alive(run) else "a cell with a replica that stayed finite"

    def caption(self, run: Stored) -> str:
        """What the three panels show, and what is dashed in each."""
        theory = " Dashed: the tangent-kernel limit, where there is one." if run.knows(run.risk) else ""
        return (
            "a: mean squared displacement of a particle at the final time. b: largest distance of the "
            "predictions from those of the network linearised about its start, driven by the same noise. Means over "
            "runs with standard errors; lines: fitted powers of N. Dashed: theory, N^(2 (a - 1)). c: "
            f"{run.words(run.risk)} at the largest N, with its standard error and the standard deviation of "
            f"one run.{theory}{quality.caution(law for name in MEASURES for law in _laws(run, name).values())}"
        )

    def draw(self, run: Stored) -> Figure:
        """Three panels, the slopes in the first two, and one legend above all."""
        figure = Figure(figsize=(WIDTH, 3.5), layout="constrained")
        *laws, right = figure.subplots(1, 3)
        for axes, name in zip(laws, MEASURES, strict=True):
            draw_laziness(run, name, axes)
            handles = axes.get_legend_handles_labels()[0]
            low, high = axes.get_ylim()
            axes.set_ylim(low * (low / high) ** ROOM, high)
            slopes = [_slope(law) for law in _laws(run, name).values()]
            style = {"fontsize": 6.5, "title_fontsize": 6.5, "handlelength": 1.0, "borderaxespad": 0.2}
            axes.legend(handles, slopes, loc="lower left", title="slope", alignment="left", **style)
        _draw_risks(right, run, _colours(run))
        _draw_legend(figure, run, _colours(run))
        return figure


def draw_laziness(run: Stored, measure: str = "displacement", ax: Axes | None = None) -> Axes:
    """Displacement of a particle or gap from the linearised network, against N for every a, with the fitted powers.

    Dashed are the exponents 2 (a - 1) of theory; series are labelled by a and their slopes.

    - `measure`: "displacement" or "gap".

    **Raises:** ArgumentError for another measure, and where the run has no power laws of it against N for every a.
    """
    measure = pick({name: name for name in MEASURES if _laws(run, name)}, measure, "power laws against N for every a")
    axes, laws = panel(ax), _laws(run, measure)
    colours = _colours(run) or dict(zip(laws, series_colours(len(laws)), strict=True))
    for index, (exponent, law) in enumerate(laws.items()):
        _draw_law(axes, exponent, law, index, colours[exponent])
    axes.set(yscale="log", ylabel=MEASURES[measure])
    logarithmic_sizes(axes, np.concatenate([numbers(law.points)[:, 0] for law in laws.values()]))
    return axes


def _colours(run: Stored) -> dict[float, str]:
    """The colour of every a, the same in all panels."""
    exponents = list(_laws(run, "displacement"))
    return dict(zip(exponents, series_colours(len(exponents)), strict=True))


def _laws(run: Stored, quantity: str) -> dict[float, FittedPower]:
    """The power laws of a quantity against N, by increasing a."""
    fits = {name: fit for name, fit in run.fits.items() if (fit.quantity, fit.against) == (quantity, AGAINST)}
    return by_axis(fits, AXIS)


def _draw_law(axes: Axes, exponent: float, law: FittedPower, index: int, colour: str) -> None:
    N, mean, sem = numbers(law.points).T
    label = f"$a$ = {exponent:g}: slope {_slope(law)}"
    axes.errorbar(N, mean, sem, linestyle="none", label=label, **point_style(index, colour))
    span = around(N, 1.25)
    axes.plot(span, law.at(span), color=colour, linewidth=1.2)
    expected = law.expected_slope
    if expected is not None:
        middle, height = (np.exp(np.log(values).mean()) for values in (N, mean))
        axes.plot(span, height * (span / middle) ** expected, color=colour, zorder=3, **GUIDE)


def _slope(law: FittedPower) -> str:
    """The fitted power, and how well it holds."""
    return f"{typeset(rounded(law.slope, law.slope_error))}{quality.label(law, ', ', ', fails')}"


def _draw_legend(figure: Figure, run: Stored, colours: dict[float, str]) -> None:
    """The exponents a, then what dashes and bands are."""
    keys: list[Any] = [
        Line2D([], [], label=f"$a$ = {exponent:g}", linewidth=1.6, **marked(point_style(index, colour)))
        for index, (exponent, colour) in enumerate(colours.items())
    ]
    means: list[Any] = [Line2D([], [], color="#888888", label=r"slope of theory, $2(a - 1)$", **GUIDE)]
    if run.knows(run.risk):
        means.append(Line2D([], [], **THEORY, label="tangent kernel"))
    means += [band_mark(words, OPACITIES[part]) for part, words in BANDS.items()]
    handles, columns = by_columns([keys, means])
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, fontsize=7.5, columnspacing=1.4)


def _draw_risks(axes: Axes, run: Stored, colours: dict[float, str]) -> None:
    """The risk of the largest N for every a, over theory."""
    name, cells = run.risk, _largest(run)
    for exponent, cell in cells.items():
        times, rows = run.times(cell), run.results.isel(cell=cell)
        mean, colour = rows[name].to_numpy(), colours.get(exponent, INK)
        for part in BANDS:
            width = rows[f"{name}_{part}"].to_numpy()
            draw_band(axes, times, np.maximum(mean - width, 0.05 * mean), mean + width, colour, OPACITIES[part])
        axes.plot(times, mean, color=colour, linewidth=1.6)
        if run.knows(name):
            axes.plot(times, rows[f"{name}_theory"].to_numpy(), **THEORY, zorder=3)
    first = next(iter(cells.values()))
    N = shown(run.summary.cells[first].parameters[AGAINST])
    axes.set(yscale="log", xlabel="$t$", ylabel=f"{run.words(name).partition(',')[0]}, $N$ = {N}")
    if is_logarithmic(run.times(first)):
        logarithmic_times(axes)


def _largest(run: Stored) -> dict[float, int]:
    """The cell of the largest N for every a."""
    cells = {cell: run.summary.cells[cell].parameters for cell in alive(run)}
    ordered = sorted(cells, key=lambda cell: (cells[cell][AXIS], cells[cell][AGAINST]))
    return {cells[cell][AXIS]: cell for cell in ordered}
