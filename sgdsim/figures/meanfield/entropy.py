"""Noise as entropic regularisation: stationary laws, and their entropy and energy against the learning rate."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sgdsim.figures.common.curves import THEORY, alive
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.meanfield.particles import HISTOGRAM, bin_edges, density, finals, point_style
from sgdsim.figures.panels import legend_beside, panel, pick
from sgdsim.figures.style import CATEGORIES, WIDTH, series_colours
from sgdsim.figures.typeset import shown
from sgdsim.store.stored import Stored

AXIS = "gamma"
WORDS = {"entropy": "entropy $S$", "energy": "energy $U$", "free_energy": "free energy $F$"}
LACKS = (
    'entropies and the stationary law of several gamma: problem.neighbours, problem.bins, theory.kind = "stationary"'
)


@dataclass(frozen=True)
class EntropyFigure(FigureKind):
    """Densities, entropy against time, and entropy, energy and free energy against gamma."""

    name: ClassVar[str] = "entropy"

    def lacks(self, run: Stored) -> str:
        """Entropies of runs, of the limit and of the stationary law."""
        return "" if _cells(run) else LACKS

    def caption(self, run: Stored) -> str:
        """What is run, what is solved, and what is stationary."""
        return (
            "a: particles at the final time, all runs (steps), and the stationary law (dashed), for every gamma. b: "
            "entropy of the law against time, of particles by their spacings (dots), of the Fokker-Planck equation "
            "(line) and of the stationary law (dashed). c: at the final time, over the stationary law, against gamma: "
            "energy U, the excess risk with weight decay, and free energy F = U - T S, T = (gamma/2) E Sigma."
        )

    def draw(self, run: Stored) -> Figure:
        """Three panels with a legend beside them."""
        figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
        first, second, third = figure.subplots(1, 3)
        draw_stationary(run, first)
        draw_entropy(run, second)
        draw_energies(run, third).legend(fontsize=7)
        keys = [*first.get_legend_handles_labels()[0], Line2D([], [], **THEORY, label="stationary")]
        legend_beside(figure, keys, fontsize=7)
        return figure


def draw_stationary(run: Stored, ax: Axes | None = None) -> Axes:
    """Densities of the particles at the final time over the stationary laws, a labelled colour for every gamma.

    **Raises:** ArgumentError where the run has no entropies and stationary laws.
    """
    axes, edges = panel(ax), bin_edges(run)
    assert edges is not None
    for gamma, (cell, colour) in _found(run).items():
        mean = density(finals(run, HISTOGRAM, cell).mean(axis=0), edges)
        axes.stairs(mean, edges, color=colour, label=rf"$\gamma$ = {shown(gamma)}")
        law = run.results[f"stationary_{HISTOGRAM}_theory"].isel(cell=cell, time=-1).to_numpy()
        line: dict[str, Any] = THEORY | {"color": colour}
        axes.plot((edges[1:] + edges[:-1]) / 2, density(law, edges), **line)
    axes.set(xlabel="$w$", ylabel="density")
    return axes


def draw_entropy(run: Stored, ax: Axes | None = None) -> Axes:
    """Entropy against time, of particles, of the limit and of the stationary law, a colour for every gamma.

    **Raises:** ArgumentError where the run has no entropies and stationary laws.
    """
    axes = panel(ax)
    for cell, colour in _found(run).values():
        times = run.times(cell)
        mean, error = _values(run, "entropy", cell), _values(run, "entropy_sem", cell)
        axes.errorbar(times, mean, error, linestyle="none", color=colour, marker="o", markersize=2.5)
        axes.plot(times, _values(run, "entropy_theory", cell), color=colour, linewidth=1.0)
        line: dict[str, Any] = THEORY | {"color": colour}
        axes.axhline(_values(run, "stationary_entropy_theory", cell)[-1], **line)
    axes.set(xlabel="$t$", ylabel=WORDS["entropy"])
    return axes


def draw_energies(run: Stored, ax: Axes | None = None) -> Axes:
    """Energy and free energy at the final time against gamma, labelled, over those of the stationary law.

    **Raises:** ArgumentError where the run has no entropies and stationary laws.
    """
    axes, found = panel(ax), _found(run)
    gammas, cells = list(found), [cell for cell, _ in found.values()]
    for index, name in enumerate(("energy", "free_energy")):
        mean, error = (np.array([_values(run, f"{name}{end}", cell)[-1] for cell in cells]) for end in ("", "_sem"))
        style = point_style(index, CATEGORIES[index])
        axes.errorbar(gammas, mean, error, linestyle="none", label=WORDS[name], **style)
        law = [_values(run, f"stationary_{name}_theory", cell)[-1] for cell in cells]
        line: dict[str, Any] = THEORY | {"color": CATEGORIES[index]}
        axes.plot(gammas, law, **line)
    axes.set(xscale="log", xlabel=r"$\gamma$")
    return axes


def _values(run: Stored, name: str, cell: int) -> Float[np.ndarray, " times"]:
    return run.results[name].isel(cell=cell).to_numpy()


def _found(run: Stored) -> dict[float, tuple[int, str]]:
    """Cells and colours by gamma. **Raises:** ArgumentError where there are none."""
    cells = _cells(run)
    pick({str(gamma): cell for gamma, cell in cells.items()}, None, LACKS)
    colours = series_colours(len(cells))
    return {gamma: (cell, colour) for (gamma, cell), colour in zip(cells.items(), colours, strict=True)}


def _cells(run: Stored) -> dict[float, int]:
    """Cells by gamma, each with a stationary law; none where they differ in something else."""
    names = {f"{HISTOGRAM}_final", f"stationary_{HISTOGRAM}_theory", "stationary_entropy_theory", "entropy_sem"}
    if not names <= set(run.results) or bin_edges(run) is None:
        return {}
    cells = [cell for cell in alive(run, 2) if np.isfinite(_values(run, "stationary_entropy_theory", cell)).all()]
    found = {float(run.summary.cells[cell].parameters[AXIS]): cell for cell in cells}
    return {gamma: found[gamma] for gamma in sorted(found)} if len(found) == len(cells) else {}
