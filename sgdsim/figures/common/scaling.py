"""The finite-size law: deviation from theory against dt, with the fitted power law and the exponent of theory."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import plain, rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.fits import coordinates, group_label, panels
from sgdsim.figures.kinds import FigureKind
from sgdsim.figures.panels import around, legend_beside, panel, pick
from sgdsim.figures.style import CATEGORIES, INK, MARKERS, WIDTH, math_name
from sgdsim.figures.typeset import folded, shown, typeset
from sgdsim.laws.law import number
from sgdsim.laws.power import FittedPower
from sgdsim.laws.quantities import MEDIANS
from sgdsim.store.stored import DEVIATIONS, Stored

PANEL, HEIGHT = 3.9, 4.3
"""Width of one panel and height of a column of two, inches."""
AXIS = 26
"""Characters that an axis label shows in one line, at most, to stay beside its panel."""
LACKS = "a fit: add a table [fits.NAME] to the experiment, on an axis of the grid"
CROSSES: dict[str, Any] = {"marker": "x", "color": INK, "linestyle": "none", "markersize": 5.5, "zorder": 4}
"""What theory predicts of the points."""


@dataclass(frozen=True)
class ScalingFigure(FigureKind):
    """Every fit of the run on logarithmic axes, with the ratio of the points to the fitted law below."""

    name: ClassVar[str] = "scaling"

    def lacks(self, run: Stored) -> str:
        """At least one fit with a finite slope."""
        return "" if panels(run.fits) else LACKS

    def caption(self, run: Stored) -> str:
        """Measured points, laws and the ratio."""
        fits = [fit for series in panels(run.fits).values() for fit in series.values()]
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
        middle = "Median" if all(fit.quantity in MEDIANS for fit in fits) else "Mean"
        points = f"{middle} over replicas with its standard error" if run.simulated else "Values of theory"
        return (
            f"{points}, against {against}. Solid: power law fitted by weighted least "
            f"squares{errors}{theory}. Below: the same, divided by the fitted law."
            f"{predicted}{quality.caution(fits)}"
        )

    def draw(self, run: Stored) -> Figure:
        """Two panels for each named fit: side by side where each has one law, else in rows with legends beside."""
        found = panels(run.fits)
        if max(map(len, found.values())) > 1:
            return _draw_rows(run, list(found))
        figure = Figure(figsize=(PANEL * len(found), HEIGHT), layout="constrained")
        axes = figure.subplots(2, len(found), squeeze=False, sharex="col", height_ratios=(3, 1))
        for (upper, lower), name in zip(axes.T, found, strict=True):
            _draw_pair(run, name, upper, lower)
            upper.legend(*_legend(upper), loc="best", fontsize=7)
        for lower in axes[1, 1:]:
            lower.set_ylabel("")
        return figure


def _draw_pair(run: Stored, name: str, upper: Axes, lower: Axes) -> None:
    """The laws of one fit and, on the same axis below, their ratios."""
    draw_scaling(run, name, upper)
    draw_scaling_ratio(run, name, lower)
    upper.set_xlabel("")


def _draw_rows(run: Stored, names: list[str]) -> Figure:
    """A row for each fit: several laws leave no corner of a panel that none of them crosses."""
    figure = Figure(figsize=(WIDTH, HEIGHT * len(names)), layout="constrained")
    for part, name in zip(figure.subfigures(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        upper, lower = part.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        _draw_pair(run, name, upper, lower)
        legend_beside(part, *_legend(upper), fontsize=7)
    return figure


def _guide(fit: FittedPower) -> tuple[float, str] | None:
    """The exponent to compare with, and what it is.

    Where the one expected assumes a bound to be sharp, that of the predicted points is better, if there are any.
    """
    if fit.expected_slope is None:
        return None
    if fit.expected_assumes and fit.theory_slope is not None:
        return fit.theory_slope, "predicted"
    return fit.expected_slope, "theory"


def _axis_label(run: Stored, fit: FittedPower) -> str:
    label = run.quantity_label(fit.quantity, fit.level)
    return folded(f"{label} / ln {math_name(fit.against)}" if fit.log else label, AXIS)


def draw_scaling(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """A quantity against a parameter on logarithmic axes: points with their errors, and the power law fitted to them.

    Crosses are what theory predicts of every point, dashed is the exponent of theory; all are labelled.

    - `name`: of the fit in the experiment, without a group; by default the first. Its groups are drawn in one panel.

    **Raises:** ArgumentError where the run has no such fit.
    """
    series = pick(panels(run.fits), name, LACKS)
    axes, first = panel(ax), next(iter(series.values()))
    for index, (group, fit) in enumerate(series.items()):
        x, mean, sem = np.array(fit.points, np.float64).T
        span, style = around(x), _style(index)
        axes.errorbar(x, mean, sem, label=_label(group, fit), **style)
        axes.plot(span, fit.at(span), color=style["color"])
        predicted = _predicted(fit)
        if predicted is not None:
            axes.plot(x, predicted, label="predicted, without a fit", **CROSSES)
        _draw_guide(axes, fit, span, _guide_colour(series, index))
    axes.set(xscale="log", yscale="log", xlabel=math_name(first.against), ylabel=_axis_label(run, first))
    return axes


def draw_scaling_ratio(run: Stored, name: str | None = None, ax: Axes | None = None) -> Axes:
    """The points, the predictions and the exponent of theory of `draw_scaling`, divided by the fitted law.

    - `name`: as there.

    **Raises:** ArgumentError where the run has no such fit.
    """
    series = pick(panels(run.fits), name, LACKS)
    axes, first = panel(ax), next(iter(series.values()))
    for index, fit in enumerate(series.values()):
        x, mean, sem = np.array(fit.points, np.float64).T
        law = fit.at(x)
        axes.errorbar(x, mean / law, sem / law, **_style(index))
        predicted = _predicted(fit)
        if predicted is not None:
            axes.plot(x, predicted / law, **CROSSES)
        _draw_guide(axes, fit, around(x), _guide_colour(series, index), divided=True)
    axes.axhline(1.0, color=INK, linewidth=0.8)
    axes.set(xscale="log", xlabel=math_name(first.against), ylabel="measured / fit")
    return axes


def _style(index: int) -> dict[str, Any]:
    """The points of a group: open where the colours come again."""
    colour, marker = CATEGORIES[index % len(CATEGORIES)], MARKERS[index % len(MARKERS)]
    style = {"fmt": marker, "color": colour, "markersize": 4.5, "capsize": 2.5, "elinewidth": 1.2}
    return style | ({"markerfacecolor": "white"} if index >= len(CATEGORIES) else {})


def _guide_colour(series: dict[str, FittedPower], index: int) -> str:
    """The exponent of theory has the colour of its group, where there are several."""
    return INK if len(series) == 1 else CATEGORIES[index % len(CATEGORIES)]


def _label(group: str, fit: FittedPower) -> str:
    """A group with its exponent, and chi2 below: in one line no corner of a panel would be wide enough."""
    name = group_label(coordinates(group), "simulation")
    chi2 = quality.label(fit, ",\n")
    return f"{name}: slope {typeset(rounded(fit.slope, fit.slope_error))}{chi2}"


def _predicted(fit: FittedPower) -> Float[np.ndarray, " points"] | None:
    """What theory says of the points, if it says anything."""
    predicted = np.array(fit.theory_points, np.float64)
    return predicted if np.isfinite(predicted).any() else None


def _legend(axes: Axes) -> tuple[list[Any], list[str]]:
    """Handles and labels, each once, what theory says behind what was measured."""
    handles, labels = axes.get_legend_handles_labels()
    first = dict(zip(labels[::-1], handles[::-1], strict=True))
    order = sorted(dict.fromkeys(labels), key=lambda label: label.startswith(("predicted", "theory")))
    return [first[label] for label in order], order


def _draw_guide(axes: Axes, fit: FittedPower, span: np.ndarray, colour: str, *, divided: bool = False) -> None:
    """The law with the exponent of theory, if there is one, that agrees with the fit in the middle of the points.

    It is `divided` by the fitted law, or not.
    """
    guide = _guide(fit)
    if guide is None:
        return
    slope, source = guide
    # The guide has the slope of theory and the height of the fit: it crosses it in the middle of a logarithmic axis.
    middle = np.sqrt(span[0] * span[-1])
    ratio = (span / middle) ** (slope - number(fit.slope))
    heights = ratio if divided else ratio * fit.at(span)
    style: dict[str, Any] = {"color": colour, "linewidth": 1.0, "linestyle": (0, (5, 3)), "zorder": 3}
    axes.plot(span, heights, label=f"{source}: slope {shown(slope)}", **style)
