"""Three regimes of training on a quadratic target: risks against the number of units over the dimension."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.figures.common.curves import THEORY, alive
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import point_style
from sgdsim.figures.panels import panel, pick
from sgdsim.figures.style import CATEGORIES
from sgdsim.store.stored import Stored

RISKS = {"features_risk": "features_risk", "tangent_risk": "tangent_risk", "excess_risk": "network_risk"}
"""What is measured, and the least risk by theory."""
WORDS = {"features_risk": "random features", "tangent_risk": "neural tangent", "excess_risk": "network, by SGD"}
COLOURS = dict(zip(RISKS, (CATEGORIES[2], CATEGORIES[0], CATEGORIES[4]), strict=True))
LACKS = 'several N of the three models: simulator.kind = "regimes" and theory.kind = "regimes"'


@dataclass(frozen=True)
class RegimesFigure(FigureKind):
    """One panel: the three risks, relative to that of no network, over theory."""

    name: ClassVar[str] = "regimes"

    def lacks(self, run: Stored) -> str:
        """The risks of all three models for several N."""
        return "" if _cells(run) else LACKS

    def caption(self, run: Stored) -> str:
        """What is measured and what is theory."""
        return (
            "Risk over that of no network against the number of units N over the dimension d, for a quadratic target: "
            "random features and neural tangent models, fitted to the population, and the network trained by SGD; mean "
            "over starts with its standard error. Dashed: a mean over starts that is exact (neural tangent), leading "
            "orders in 1/d (random features), and the best network of N units."
        )

    def draw(self, run: Stored) -> Figure:
        """The panel."""
        figure = Figure(figsize=(4.6, 3.4), layout="constrained")
        draw_regimes(run, figure.subplots()).legend(fontsize=7.5)
        return figure


def draw_regimes(run: Stored, ax: Axes | None = None) -> Axes:
    """Risks of random features, neural tangent model and network against N/d, labelled, over theory.

    **Raises:** ArgumentError where the run has not all three for several N.
    """
    cells = _cells(run)
    pick({str(cell): cell for cell in cells}, None, LACKS)
    axes = panel(ax)
    parameters = [run.summary.cells[cell].parameters for cell in cells]
    ratio = np.array([one["N"] / one["d"] for one in parameters])
    for index, (name, theory) in enumerate(RISKS.items()):
        mean, error, least = (_last(run, key, cells) for key in (name, f"{name}_sem", f"{theory}_theory"))
        style = point_style(index, COLOURS[name])
        axes.errorbar(ratio, mean, error, linestyle="none", label=WORDS[name], **style)
        axes.plot(ratio, least, color=COLOURS[name], linewidth=THEORY["linewidth"], linestyle=THEORY["linestyle"])
    axes.set(xlabel="$N/d$", ylabel="risk / risk of no network", ylim=(-0.03, 1.03))
    return axes


def _last(run: Stored, name: str, cells: list[int]) -> Float[np.ndarray, " cells"]:
    return run.results[name].isel(cell=cells, time=-1).to_numpy()


def _cells(run: Stored) -> list[int]:
    """Cells with all risks, by N; none of several dimensions."""
    names = {f"{name}_sem" for name in RISKS} | {f"{name}_theory" for name in RISKS.values()}
    if not names <= set(run.results):
        return []
    cells = sorted(alive(run, 2), key=lambda cell: run.summary.cells[cell].parameters["N"])
    alike = len({run.summary.cells[cell].parameters["d"] for cell in cells}) == 1
    return cells if alike and len(cells) > 1 else []
