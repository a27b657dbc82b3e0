"""The random limit at beta = 1 becomes that of beta < 1 as gamma goes to 0: histograms, and their distance."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.analysis.bootstrap import mean_and_sem
from sgdsim.analysis.histograms import binned_wasserstein
from sgdsim.analysis.numbers import plain
from sgdsim.figures.classification.weights import ACTIVE, ONE, bins_of, cells, central, lacks_histograms, seeds
from sgdsim.figures.common.curves import evenly, place_label
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import CATEGORIES, INK, WIDTH, series_colours
from sgdsim.store.stored import Stored

PANELS = 4
"""Values of gamma whose histograms are drawn, at most."""
NAMES = {ONE: "corner pixel", ACTIVE: "all pixels that vary"}
MEAN: dict[str, Any] = {"color": INK, "linewidth": 1.1, "linestyle": (0, (4, 2))}
"""Of the mean at beta < 1."""
MARKS = {ONE: "o", ACTIVE: "s"}


@dataclass(frozen=True)
class SmallGammaFigure(FigureKind):
    """Histograms at beta = 1 for several gamma, over the mean of those at beta < 1, and distances against gamma."""

    name: ClassVar[str] = "small_gamma"

    def lacks(self, run: Stored) -> str:
        """Two values of gamma at beta = 1, and one cell at beta < 1."""
        return _lacking(run)

    def caption(self, run: Stored) -> str:
        """Lines, points and the floor."""
        reference = place_label(run.summary.cells[_references(run)[0]].axes, ("beta", "gamma"))
        reference = reference.replace("$", "").replace("\\", "").replace("gamma_0", "gamma")
        return (
            "Above: densities of the weights from the corner pixel at beta = 1, a line for each seed, over the mean of "
            f"those at {reference} (dashed). Below: Wasserstein distance of each seed's histogram from that mean, with "
            "its average over the seeds and the standard error; the horizontal lines are the same distance of the "
            "seeds at beta < 1 from the mean of the others, the floor that finite N and few seeds leave."
        )

    def draw(self, run: Stored) -> Figure:
        """A row of histograms, and the distances below it."""
        figure = Figure(figsize=(WIDTH, 4.9), layout="constrained")
        shown = evenly(_noisy(run), PANELS)
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.5))[:, 0]
        panels = above.subplots(1, len(shown), squeeze=False, sharex=True)[0]
        for axis, cell, colour in zip(panels, shown, series_colours(len(shown)), strict=True):
            _draw_histograms(axis, run, cell, colour)
        every = np.concatenate([seeds(run, ONE, cell) for cell in cells(run)])
        panels[0].set_xlim(*central(every, bins_of(run).edges))
        panels[0].set_ylabel("density of $w_{\\cdot,0}$")
        draw_small_gamma(run, below.subplots()).legend(handles=_keys(run), loc="upper left")
        above.legend(handles=_histogram_keys(run), loc="outside upper right", ncols=2)
        return figure


def _lacking(run: Stored) -> str:
    """What is missing; empty where nothing is."""
    missing = lacks_histograms(run)
    if missing:
        return missing
    if not set(run.varying) <= {"beta", "gamma"}:
        return "a grid over beta and gamma only"
    if len(_noisy(run)) < 2 or len(_references(run)) != 1:
        return "two or more values of gamma at beta = 1, and one cell at beta < 1 to compare with"
    return ""


def _noisy(run: Stored) -> list[int]:
    """Cells at beta = 1, from the largest gamma to the smallest."""
    rows = run.summary.cells
    found = [cell for cell in cells(run) if rows[cell].parameters["beta"] == 1]
    return sorted(found, key=lambda cell: -rows[cell].parameters["gamma"])


def _references(run: Stored) -> list[int]:
    """Cells at beta < 1 with two seeds at least."""
    rows = run.summary.cells
    return [cell for cell in cells(run) if rows[cell].parameters["beta"] < 1 and len(seeds(run, ONE, cell)) > 1]


def distances(run: Stored, name: str, cell: int) -> np.ndarray:
    """W_1 of every seed of a cell from the mean of the seeds at beta < 1; those themselves, from that of the others."""
    (reference,), bins = _references(run), bins_of(run)
    others, own = seeds(run, name, reference), seeds(run, name, cell)
    means = np.broadcast_to(others.mean(axis=0), own.shape)
    if cell == reference:
        means = (others.sum(axis=0) - others) / (len(others) - 1)
    return binned_wasserstein(own, means, bins.width)


def _draw_histograms(axes: Axes, run: Stored, cell: int, colour: str) -> None:
    bins = bins_of(run)
    for density in seeds(run, ONE, cell):
        axes.stairs(density / bins.width, bins.edges, color=colour, linewidth=0.9, alpha=0.75)
    mean = seeds(run, ONE, _references(run)[0]).mean(axis=0)
    axes.stairs(mean / bins.width, bins.edges, **MEAN)
    parameters = run.summary.cells[cell].parameters
    axes.set(title=place_label(parameters, ("beta", "gamma")), xlabel="$w$")
    axes.set_ylim(bottom=0)


def draw_small_gamma(run: Stored, ax: Axes | None = None) -> Axes:
    """W_1 of the histograms at beta = 1 from that of beta < 1, against gamma: every seed, the mean, and the floor.

    **Raises:** ArgumentError where the run has no histograms at two gamma and beta = 1, and at one beta < 1.
    """
    pick({} if _lacking(run) else {"run": run}, None, _lacking(run))
    axes, rows, floor_cell = panel(ax), run.summary.cells, _references(run)[0]
    for name, colour in zip(NAMES, CATEGORIES, strict=False):
        found, places = [], [rows[cell].parameters["gamma"] for cell in _noisy(run)]
        for cell, place in zip(_noisy(run), places, strict=True):
            values = distances(run, name, cell)
            axes.plot([place] * len(values), values, ".", color=colour, alpha=0.35, markersize=4)
            found.append(mean_and_sem(values))
        style = {"color": colour, "marker": MARKS[name], "markersize": 4.5, "capsize": 2.5, "linewidth": 1.3}
        means, errors = np.array(found).T
        axes.errorbar(places, means, errors, label=NAMES[name], **style)
        axes.axhline(distances(run, name, floor_cell).mean(), color=colour, linewidth=1.0, linestyle=(0, (1, 2)))
    axes.set(xscale="log", yscale="log", xlabel=r"$\gamma$ at $\beta$ = 1")
    axes.set_ylabel(rf"$W_1$ from the histogram of $\beta$ = {_beta(run)}")
    return axes


def _histogram_keys(run: Stored) -> list[Line2D]:
    """The lines of the panels above."""
    one = Line2D([], [], color="#888888", linewidth=0.9, label="one seed")
    return [one, Line2D([], [], **MEAN, label=rf"mean over seeds at $\beta$ = {_beta(run)}")]


def _beta(run: Stored) -> str:
    """The value of beta < 1."""
    return plain(run.parameters[_references(run)[0]]["beta"])


def _keys(run: Stored) -> list[Line2D]:
    """The two histograms, single seeds, and the floor."""
    keys = [
        Line2D([], [], color=colour, marker=MARKS[name], markersize=4.5, label=NAMES[name])
        for name, colour in zip(NAMES, CATEGORIES, strict=False)
    ]
    keys.append(Line2D([], [], color="#888888", marker=".", markersize=4, linewidth=0, label="one seed"))
    between = rf"between seeds at $\beta$ = {_beta(run)}"
    return [*keys, Line2D([], [], color="#888888", linewidth=1.0, linestyle=(0, (1, 2)), label=between)]
