"""Training on finite data: risk of the population and of the data, the gap between them, and the way of the weights."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from sgdsim.figures.common.cell_panels import layout_of
from sgdsim.figures.common.curves import alive, marks
from sgdsim.figures.common.risk import OPACITIES, draw_risk
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.style import WIDTH
from sgdsim.store.stored import Stored

GAP = "generalisation_gap"
PANELS = ("excess_risk", "empirical_risk", GAP, "distance")
"""In the order of the panels; the gap, which may be of either sign, on a linear axis."""


@dataclass(frozen=True)
class GeneralisationFigure(FigureKind):
    """Four observables of every cell against time."""

    name: ClassVar[str] = "generalisation"

    def lacks(self, run: Stored) -> str:
        """The observables of finite data, of a cell that stayed finite."""
        if not set(PANELS) <= set(run.scalars):
            return "finite data: a table [data]"
        return "" if alive(run) else "a cell with a replica that stayed finite"

    def caption(self, run: Stored) -> str:
        """What the panels are."""
        a, b, c, d = (run.words(name) for name in PANELS)
        theory = " Dashed: theory, which is of fresh data." if run.has_theory else ""
        return (
            f"a: {a}; b: {b}, with the noise of the labels; c: {c}, of the population's risk with that noise; d: {d}. "
            f"Means over the replicas with the standard error (dark band) and the standard deviation of one replica "
            f"(light band).{theory}"
        )

    def draw(self, run: Stored) -> Figure:
        """Two rows of two panels under one legend of the cells."""
        layout = layout_of(run)
        cells = {cell: label for _, part in layout.panels for cell, label in part.items()}
        figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
        for axes, name in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
            draw_risk(run, name, list(cells), "t", axes)
            axes.set_title(run.words(name))
            axes.set_ylabel(f"${run.symbol(name)}$")
            if name == GAP:
                axes.set_yscale("linear")
                axes.set_ylim(*_limits(run, list(cells)))
        handles, labels = figure.axes[0].get_legend_handles_labels()
        meanings = marks(run, OPACITIES)
        names = [*labels, *(str(key.get_label()) for key in meanings)]
        figure.legend([*handles, *meanings], names, loc="outside upper center", ncols=3, fontsize=7.5)
        return figure


def _limits(run: Stored, cells: list[int]) -> tuple[float, float]:
    """Room for the means of the gap, and for no gap."""
    means = run.results[run.column(GAP)].isel(cell=cells).to_numpy()
    low, high = min(0.0, float(np.nanmin(means))), max(0.0, float(np.nanmax(means)))
    return low - 0.08 * (high - low), high + 0.12 * (high - low)
