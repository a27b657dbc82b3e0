"""A figure of a package: the excess risk at the end of every cell against the dimension."""

from dataclasses import dataclass
from typing import ClassVar

from matplotlib.figure import Figure

from sgdsim.figures.kinds import FigureKind


@dataclass(frozen=True)
class SettledRisk(FigureKind):
    name: ClassVar[str] = "settled_risk"

    def lacks(self, run):
        return "" if {"excess_risk", "d"} <= {*run.results.variables} else "an excess risk, and a dimension d"

    def caption(self, run):
        return "Excess risk at the last save time against the dimension, with theory as a cross."

    def draw(self, run):
        figure = Figure(figsize=(4.2, 3.0), layout="constrained")
        axes, end = figure.subplots(), run.results.isel(time=-1)
        axes.errorbar(end.d, end.excess_risk, end.excess_risk_sem, fmt="o")
        if "excess_risk_theory" in end:
            axes.plot(end.d, end.excess_risk_theory, "x")
        axes.set(xlabel="d", ylabel="excess risk", xscale="log")
        return figure


FIGURE = SettledRisk()
