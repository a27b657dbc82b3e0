"""The finite-size law: deviation from theory against dt, with the fitted power law and the exponent of theory."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from sgdsim.analysis.numbers import plain, rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.fits import Law
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.style import CATEGORIES, INK, MARKERS, WIDTH, math_name
from sgdsim.store.stored import DEVIATIONS, Stored

PANEL = 3.9
"""Width of one panel, inches."""
LONG = 12
"""Characters of a group's name from which on its chi2 stands in a line of its own, to stay within a panel."""


@dataclass(frozen=True)
class ScalingFigure(FigureKind):
    """Every fit of the run on logarithmic axes, with the ratio of the points to the fitted law below."""

    name: ClassVar[str] = "scaling"

    def lacks(self, run: Stored) -> str:
        """At least one fit with a finite slope."""
        return "" if _panels(run) else "a fit: add a table [fits.NAME] to the experiment, on an axis of the grid"

    def caption(self, run: Stored) -> str:
        """Measured points, laws and the ratio."""
        fits = [fit for series in _panels(run).values() for fit in series.values()]
        against = " and ".join(dict.fromkeys(fit.against.replace("_", " ") for fit in fits))
        slopes = " and ".join(dict.fromkeys(plain(guide[0]) for fit in fits if (guide := _guide(fit))))
        bound = [fit for fit in fits if _guide(fit) == (fit.expected_slope, "theory")]
        assumed = " and ".join(dict.fromkeys(fit.expected_assumes for fit in bound if fit.expected_assumes))
        theory = f"; the dashed line has the exponent of theory, {slopes}" if slopes else ""
        theory += f" ({assumed})" if assumed else ""
        known = any(fit.theory_constant is not None for fit in fits)
        predicted = " Crosses: what theory predicts of every point, without a fit." if known else ""
        bootstrap = any(fit.quantity in DEVIATIONS for fit in fits)
        errors = ", errors of a deviation by bootstrap over the replicas" if bootstrap else ""
        points = "Mean over replicas with its standard error" if run.simulated else "Values of theory"
        return (
            f"{points}, against {against}. Solid: power law fitted by weighted least "
            f"squares{errors}{theory}. Below: the same, divided by the fitted law."
            f"{predicted}{quality.caution(fits)}"
        )

    def draw(self, run: Stored) -> Figure:
        """One column of two panels for each named fit."""
        panels = _panels(run)
        figure = Figure(figsize=(max(PANEL, min(WIDTH, PANEL) * len(panels)), 4.9), layout="constrained")
        axes = figure.subplots(2, len(panels), squeeze=False, sharex="col", height_ratios=(3, 1))
        for column, series in enumerate(panels.values()):
            _draw_panel(axes[0, column], axes[1, column], series)
            first = next(iter(series.values()))
            axes[0, column].set_ylabel(_axis_label(run, first))
            axes[1, column].set_xlabel(math_name(first.against))
        axes[1, 0].set_ylabel("measured / fit")
        return figure


def _guide(fit: Law) -> tuple[float, str] | None:
    """The exponent to compare with, and what it is.

    Where the one expected assumes a bound to be sharp, that of the predicted points is better, if there are any.
    """
    if fit.expected_slope is None:
        return None
    if fit.expected_assumes and fit.theory_slope is not None:
        return fit.theory_slope, "predicted"
    return fit.expected_slope, "theory"


def _panels(run: Stored) -> dict[str, dict[str, Law]]:
    """Fits by name, then by the group of the other axes ("" where there is one group only)."""
    panels: dict[str, dict[str, Law]] = {}
    for label, fit in run.fits.items():
        name, _, group = label.partition("[")
        panels.setdefault(name, {})[group.rstrip("]")] = fit
    return panels


def _axis_label(run: Stored, fit: Law) -> str:
    label = run.quantity_label(fit.quantity, fit.level)
    return f"{label} / ln {math_name(fit.against)}" if fit.log else label


def _draw_panel(upper: Axes, lower: Axes, series: dict[str, Law]) -> None:
    for index, (group, fit) in enumerate(series.items()):
        colour, marker = CATEGORIES[index % len(CATEGORIES)], MARKERS[index % len(MARKERS)]
        x, mean, sem = np.array(fit.points, np.float64).T
        span = np.geomspace(x.min() / 1.3, x.max() * 1.3, 64)
        law = fit.constant * x**fit.slope
        slope = rounded(fit.slope, fit.slope_error)
        name = group or "simulation"
        points = {"fmt": marker, "color": colour, "markersize": 4.5, "capsize": 2.5, "elinewidth": 1.2}
        chi2 = quality.label(fit, ",\n" if len(name) > LONG else ", ")
        upper.errorbar(x, mean, sem, label=f"{name}: slope {slope}{chi2}", **points)
        upper.plot(span, fit.constant * span**fit.slope, color=colour)
        lower.errorbar(x, mean / law, sem / law, **points)
        predicted = np.array(fit.theory_points, np.float64)
        if np.isfinite(predicted).any():
            crosses = {"marker": "x", "color": INK, "linestyle": "none", "markersize": 5.5, "zorder": 4}
            upper.plot(x, predicted, label="predicted, without a fit", **crosses)
            lower.plot(x, predicted / law, **crosses)
        guide = _guide(fit)
        if guide is not None:
            _draw_guide(upper, lower, fit, guide, span, INK if len(series) == 1 else colour)
    lower.axhline(1.0, color=INK, linewidth=0.8)
    upper.set(xscale="log", yscale="log")
    left, right = upper.get_xlim()
    if right > 10 * left:  # a power of ten has its label; others would overlap
        lower.xaxis.set_minor_formatter(NullFormatter())
    handles, labels = upper.get_legend_handles_labels()
    first = dict(zip(labels[::-1], handles[::-1], strict=True))
    order = sorted(dict.fromkeys(labels), key=lambda label: label.startswith(("predicted", "theory")))
    # Above the panel: several laws leave no corner that none of them crosses.
    upper.legend([first[label] for label in order], order, loc="lower center", bbox_to_anchor=(0.5, 1.0), borderpad=0)


def _draw_guide(upper: Axes, lower: Axes, fit: Law, guide: tuple[float, str], span: np.ndarray, colour: str) -> None:
    """The law with the exponent of theory that agrees with the fit in the middle of the points."""
    slope, source = guide
    excess = slope - fit.slope
    middle = np.sqrt(span[0] * span[-1])
    ratio = (span / middle) ** excess
    style = {"color": colour, "linewidth": 1.0, "linestyle": (0, (5, 3)), "zorder": 3}
    label = f"{source}: slope {plain(slope)}"
    upper.plot(span, ratio * fit.constant * span**fit.slope, label=label, **style)
    lower.plot(span, ratio, **style)
