"""What the figures of the law quantity = (a + b log v) x^s share: points, curves, and the series they fall in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.analysis.numbers import plain
from sgdsim.figures.style import CATEGORIES, INK, MARKERS, math_name
from sgdsim.figures.typeset import shown
from sgdsim.laws.law import number
from sgdsim.laws.log_power import FittedForm, FittedLogPower
from sgdsim.store.stored import DEVIATIONS, Stored

RATIO = "ratio to the law"
PANEL = 5.2
"""Width of one column, inches."""
SIZE = "d"
"""An axis that moves the points of a law along it, and so sets no series apart where another axis does."""
MOST_SERIES = len(CATEGORIES)
PREDICTED: dict[str, Any] = {"color": INK, "marker": "x", "markersize": 5, "linestyle": "none", "zorder": 4}
"""Of what theory says of a point."""
RIVAL = (0, (5, 3))
"""Dashes of the form with sqrt(log v)."""

Drawing = Callable[[Stored, str, Axes], Axes]


@dataclass(frozen=True)
class Collapsed:
    """The points of one fitted law, and what they are divided by so that one variable is left.

    - `x`, `v`: the two parameters of the law at the points, normally dt and p; `mean`, `sem`: of the quantity.
    - `theory`: what theory predicts at the points, NaN where nothing.
    - `curve`: v, x and prediction of theory at further v; empty without.
    - `series`: the points of each series, by its label.
    """

    fit: FittedLogPower
    x: Float[np.ndarray, " points"]
    v: Float[np.ndarray, " points"]
    mean: Float[np.ndarray, " points"]
    sem: Float[np.ndarray, " points"]
    theory: Float[np.ndarray, " points"]
    curve: Float[np.ndarray, "3 widths"]
    series: dict[str, list[int]]

    @classmethod
    def of(cls, run: Stored, fit: FittedLogPower) -> "Collapsed":
        """The points of a law as they stand in the summary."""
        x, v, mean, sem = np.array(fit.points, np.float64).T
        theory = np.array(fit.theory_points, np.float64)
        curve = np.array(fit.theory_curve or np.empty((0, 3)), np.float64).T
        return cls(fit, x, v, mean, sem, theory, curve, _series(run, fit))

    @property
    def power(self) -> float:
        """The exponent s of x."""
        return number(self.fit.exponent)

    def growth(self, v: Float[np.ndarray, " points"], rival: FittedForm | None = None) -> np.ndarray:
        """a + b log v, or for the numbers of the `rival` a + b sqrt(log v)."""
        form, grown = (self.fit, np.log(v)) if rival is None else (rival, np.sqrt(np.log(v)))
        return number(form.a) + number(form.b) * grown

    def draw(self, axes: Axes, at: np.ndarray, divisor: np.ndarray, *, labelled: bool = True) -> None:
        """The points of every series, divided, with their errors, and the predictions."""
        for index, (label, places) in enumerate(self.series.items()):
            style: dict[str, Any] = {
                "fmt": MARKERS[index % len(MARKERS)],
                "color": CATEGORIES[index % len(CATEGORIES)],
                "markersize": 4.5,
                "capsize": 2.5,
                "elinewidth": 1.2,
            }
            heights, errors = (values[places] / divisor[places] for values in (self.mean, self.sem))
            axes.errorbar(at[places], heights, errors, label=label if labelled else None, **style)
        if np.isfinite(self.theory).any():
            label = "predicted, without a fit" + self._quality() if labelled else None
            axes.plot(at, self.theory / divisor, label=label, **PREDICTED)

    def _quality(self) -> str:
        """chi2 of the points against the predictions, for a legend."""
        chi2 = self.fit.theory_chi2
        return "" if chi2 is None else rf": $\chi^2$/points = {chi2:.3g}/{self.fit.theory_dof}"


def _series(run: Stored, fit: FittedLogPower) -> dict[str, list[int]]:
    """The points by the value of the axis of the grid that has fewest values, apart from those of the law itself.

    One series where every such axis takes a value of its own at each point.
    """
    cells = [run.summary.cells[index] for index in fit.cells]
    values = {name: [cell.axes[name] for cell in cells] for name in run.varying}
    # An axis that differs at every point tells nothing apart.
    most = min(MOST_SERIES, len(cells) - 1)
    few = {name: len(set(some)) for name, some in values.items() if 1 < len(set(some)) <= most}
    if not few:
        return {"simulation" if run.simulated else "theory": list(range(len(cells)))}
    name = min(few, key=lambda axis: (few[axis], axis == SIZE))
    found: dict[str, list[int]] = {}
    for place, value in enumerate(values[name]):
        found.setdefault(f"{math_name(name)} = {shown(value)}", []).append(place)
    return found


def draw_columns(run: Stored, names: Iterable[str], upper: Drawing, lower: Drawing) -> Figure:
    """A column for each law: the panel of the law, and that of the ratio to it below."""
    names = list(names)
    figure = Figure(figsize=(PANEL * len(names), 4.9), layout="constrained")
    axes = figure.subplots(2, len(names), squeeze=False, sharex="col", height_ratios=(5, 2))
    for column, name in zip(axes.T, names, strict=True):
        upper(run, name, column[0])
        lower(run, name, column[1])
        column[0].set_xlabel("")
        column[0].legend(loc="upper left", fontsize=7)
    for axis in axes[1, 1:]:
        axis.set_ylabel("")
    return figure


def quantity_label(run: Stored, fit: FittedLogPower) -> str:
    """The quantity for an axis."""
    return DEVIATIONS[fit.quantity][1] if fit.quantity in DEVIATIONS else run.words(fit.quantity)


def power_of(name: str, exponent: float) -> str:
    """A parameter to a power as mathematics, without the dollars; sqrt(dt) for one half."""
    base = math_name(name).strip("$")
    return rf"\sqrt{{{base}}}" if exponent == 0.5 else rf"{base}^{{{plain(exponent, digits=3)}}}"


def mark_widths(axes: Axes, values: Float[np.ndarray, " points"]) -> None:
    """Ticks of a logarithmic axis at values that occur, as many as stand apart."""
    chosen: list[float] = []
    for value in np.unique(values):
        # In units of the axis: the longer it is, the farther two ticks have to be apart.
        if not chosen or value / chosen[-1] > np.ptp(np.log(values)) / 6 + 1.2:
            chosen.append(float(value))
    axes.set_xticks(chosen, [shown(value) for value in chosen])
