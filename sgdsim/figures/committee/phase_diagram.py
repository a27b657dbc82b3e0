"""The phase diagram: regions of the (delta, kappa) plane, and in every cell of the grid what was measured there."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.errors import ArgumentError
from sgdsim.figures.committee.plane import HORIZONTAL, VERTICAL, Map, fraction, lacks_plane
from sgdsim.figures.committee.plane_drawing import draw_legend, draw_measured, draw_regions
from sgdsim.figures.committee.plane_values import comparison, measured
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import WIDTH, math_name
from sgdsim.store.stored import Stored

LACKS = "a scalar observable, or a fit of a deviation against d"
LEAST_WIDTH = 0.55
"""Inches that a cell must be wide for numbers to be written into it."""


@dataclass(frozen=True)
class PhaseDiagramFigure(FigureKind):
    """Final risk, exponent of the deviation and length of the plateau, each on a map of the regions."""

    name: ClassVar[str] = "phase_diagram"

    def lacks(self, run: Stored) -> str:
        """A grid over delta and kappa, at one or several d."""
        return lacks_plane(run) or ("" if measured(run, Map.of(run)) else LACKS)

    def caption(self, run: Stored) -> str:
        """Regions, lines, and what the cells show."""
        plane = Map.of(run)
        titles = [one.title for one in measured(run, plane).values()]
        blue, red = (fraction(plane.boundaries[name]) for name in ("blue", "red"))
        lost = " A percentage is the part of the replicas that diverged." if run.summary.n_diverged else ""
        return (
            "Regions of p = p0 d^kappa, gamma = gamma0 d^-delta (background, lines at kappa + delta = "
            f"{blue} and {red}) and in each cell what was measured: {'; '.join(titles)}. Of a divided disc the "
            "left half, with the number above it, is measured and the right half, with that below, is theory: equal "
            "shades are equal numbers."
            f"{comparison(run)}{lost}"
        )

    def draw(self, run: Stored) -> Figure:
        """Panels below one another with a colour scale each, and the regions above them."""
        plane = Map.of(run)
        panels = measured(run, plane)
        columns, rows = plane.shape
        height = float(np.clip(0.52 * rows, 1.3, 4.5)) + 0.4
        figure = Figure(figsize=(WIDTH, height * len(panels) + 0.8), layout="constrained")
        axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
        # Four fifths of the width are cells; the rest is scale and labels.
        legible = 0.8 * WIDTH / columns >= LEAST_WIDTH
        for name, axis in zip(panels, axes, strict=True):
            draw_phase_diagram(run, name, axis, legible=legible)
        for axis in axes[:-1]:
            axis.set_xlabel("")
        draw_legend(figure, plane)
        return figure


def draw_phase_diagram(
    run: Stored, quantity: str | None = None, ax: Axes | None = None, *, legible: bool = True
) -> Axes:
    """The regions of the (delta, kappa) plane, and in every cell of the grid what was measured at the largest d.

    - `quantity`: "risk" at the final time, "exponent" of a deviation against d, or "plateau", its length; by default
      the first of them that the run has.
    - `legible`: whether cells are wide enough for their numbers to be written into them.

    **Raises:** ArgumentError where the run has no grid over delta and kappa, or not this quantity.
    """
    if lacks_plane(run):
        raise ArgumentError("run", "have a phase diagram", "none", f"It lacks {lacks_plane(run)}.")
    plane = Map.of(run)
    one = pick(measured(run, plane), quantity, LACKS)
    axes = panel(ax)
    draw_regions(axes, plane)
    draw_measured(axes, plane, one, legible)
    axes.set(xlabel=math_name(HORIZONTAL), ylabel=math_name(VERTICAL))
    return axes
