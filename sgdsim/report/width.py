"""The deviation from theory against the width of the student, at fixed dt, under the bound C log(p) sqrt(dt)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from sgdsim.analysis.numbers import plain
from sgdsim.report.kinds import FigureKind
from sgdsim.report.stored import DEVIATIONS, Stored
from sgdsim.report.style import CATEGORIES, INK, MARKERS

WIDTH_OF_STUDENT = "p"


@dataclass(frozen=True)
class Series:
    """The cells of one dt, by increasing p. `predicted` is NaN where the run holds no prediction of fluctuations."""

    dt: float
    p: Float[np.ndarray, " cells"]
    mean: Float[np.ndarray, " cells"]
    sem: Float[np.ndarray, " cells"]
    predicted: Float[np.ndarray, " cells"]

    @property
    def constant(self) -> float:
        """C of the bound: it goes through the point of the smallest p > 1."""
        first = int(np.argmax(self.p > 1))
        return float(self.mean[first] / (np.log(self.p[first]) * np.sqrt(self.dt)))

    def bound(self, p: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
        """C log(p) sqrt(dt)."""
        return self.constant * np.log(p) * np.sqrt(self.dt)


@dataclass(frozen=True)
class WidthFigure(FigureKind):
    """E max_t |Omega - Omega_bar|_inf against p on a logarithmic axis, where the bound is straight."""

    name: ClassVar[str] = "width"

    def lacks(self, run: Stored) -> str:
        """Deviations at two widths p > 1 of the same dt, and one cell for each."""
        found = _series(run)
        if any(len(np.unique(series.p)) < len(series.p) for series in found):
            return "a grid in which every width p comes once for each dt"
        return "" if found else "deviations from a theory at two or more widths p > 1, at the same dt"

    def caption(self, run: Stored) -> str:
        """Points, bound, prediction, ratio."""
        predicted = any(np.isfinite(series.predicted).any() for series in _series(run))
        theory = " Crosses: predicted by the linear theory of fluctuations." if predicted else ""
        return (
            "Mean over replicas of the largest deviation from theory, with its standard error, against the width of "
            "the student. Dashed: the form C log(p) sqrt(dt) of the bound, with C from the smallest p > 1."
            f"{theory} Below: measured deviation in units of that form; it falls where the bound is not sharp."
        )

    def draw(self, run: Stored) -> Figure:
        """Deviation above, ratio to the bound below."""
        figure = Figure(figsize=(4.6, 4.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(5, 2))
        found = _series(run)
        for index, series in enumerate(found):
            label = f"$dt = {plain(series.dt)}$: " if len(found) > 1 else ""
            _draw_series(upper, lower, series, label, index)
        widths = np.unique(np.concatenate([series.p for series in found]))
        lower.axhline(1.0, color=INK, linewidth=0.8)
        lower.set(xscale="log", xlabel="$p$", ylabel="measured / bound")
        lower.set_xticks(_spaced(widths), [plain(int(p)) for p in _spaced(widths)])
        lower.xaxis.set_minor_formatter(NullFormatter())
        upper.set(ylabel=DEVIATIONS["sup_deviation"][1], ylim=(0, None))
        handles, labels = upper.get_legend_handles_labels()
        order = sorted(range(len(labels)), key=lambda index: "simulation" not in labels[index])
        upper.legend([handles[index] for index in order], [labels[index] for index in order], loc="upper left")
        return figure


def _series(run: Stored) -> list[Series]:
    """One series for every dt at which two widths p > 1 were compared with a theory."""
    rows: dict[float, list[tuple[float, ...]]] = {}
    for cell in run.summary["cells"]:
        deviation = cell["sup_deviation"]
        if deviation["mean"] is not None:
            values = (
                cell["parameters"][WIDTH_OF_STUDENT],
                deviation["mean"],
                deviation["sem"] or 0.0,
                _predicted(cell),
            )
            rows.setdefault(cell["dt"], []).append(values)
    series = [Series(dt, *np.array(sorted(values), np.float64).T) for dt, values in rows.items()]
    return [one for one in series if len(np.unique(one.p[one.p > 1])) > 1]


def _predicted(cell: dict[str, Any]) -> float:
    value = (cell.get("predicted") or {}).get("sup_deviation")
    return np.nan if value is None else value


def _draw_series(upper: Axes, lower: Axes, series: Series, label: str, index: int) -> None:
    colour, marker = CATEGORIES[index % len(CATEGORIES)], MARKERS[index % len(MARKERS)]
    points: dict[str, Any] = {"fmt": marker, "color": colour, "markersize": 4.5, "capsize": 2.5, "elinewidth": 1.2}
    bound = {"color": colour, "linewidth": 1.0, "linestyle": (0, (5, 3))}
    span = np.geomspace(max(1.0, series.p.min() / 1.2), series.p.max() * 1.2, 64)
    upper.errorbar(series.p, series.mean, series.sem, label=f"{label}simulation", **points)
    text = rf"{label}$C\,\log(p)\,\sqrt{{dt}}$, $C = {plain(series.constant, digits=3)}$"
    upper.plot(span, series.bound(span), label=text, **bound)
    wide = series.p > 1
    scale = series.bound(series.p[wide])
    lower.errorbar(series.p[wide], series.mean[wide] / scale, series.sem[wide] / scale, **points)
    if np.isfinite(series.predicted).any():
        style = {"color": INK, "marker": "x", "markersize": 5, "linewidth": 0.8}
        upper.plot(series.p, series.predicted, label=f"{label}predicted fluctuations", **style)
        lower.plot(series.p[wide], series.predicted[wide] / scale, **style)


def _spaced(widths: Float[np.ndarray, " widths"]) -> list[float]:
    """Widths that may stand below a logarithmic axis without touching one another."""
    chosen = [float(widths[0])]
    for p in widths[1:]:
        if p / chosen[-1] > 1.25:
            chosen.append(float(p))
    return chosen
