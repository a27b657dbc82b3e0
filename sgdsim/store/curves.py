"""A Dataset of cells as the figures read it: its observables, their words and symbols, and what sets cells apart."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from sgdsim.analysis.names import BIAS, INTRODUCTION, LARGEST, PREDICTED, PREDICTED_STD, STD
from sgdsim.analysis.plateau import find_plateau
from sgdsim.errors import ArgumentError

DEVIATIONS = {
    "max_deviation": ("deviation", r"$\max_t\,\mathrm{E}\, |\Omega - \bar\Omega|_\infty$"),
    "sup_deviation": ("largest deviation", r"$\mathrm{E}\,\max_t\, |\Omega - \bar\Omega|_\infty$"),
    "final_deviation": ("final deviation", r"$\mathrm{E}\,|\Omega - \bar\Omega|_\infty$ at the final time"),
}
"""The distances of a replica from theory that every system has, in words and as mathematics."""
APART = {BIAS: "bias", STD: "standard deviation", LARGEST: "largest over time"}
"""What is said of a scalar observable, by the ending of its name: at the last save time, the third of all of them."""
DEVIATION = "deviation"
"""|Omega - Omega_bar|_inf at every save time, averaged over the replicas: an average that is no observable."""
_NO_PARAMETERS = ("system", "title", "experiment", "axes", "manifest", *INTRODUCTION)
"""Attributes of a Dataset that are no parameters of its problem."""


@dataclass(frozen=True)
class Curves:
    """Means, errors and theory of the cells of a grid, from a Dataset alone.

    - `results`: with a leading dimension `cell`, as results.nc has it.
    """

    results: xr.Dataset

    @classmethod
    def of(cls, data: xr.Dataset, first: Sequence[str] = ()) -> "Curves":
        """A Dataset of `sgdsim.simulate` or `sgdsim.solve`, which becomes one cell, or one of results.nc.

        - `first`: the observables that come before the others, in this order: the risk and the system's other scalars.

        **Raises:** ArgumentError for a Dataset without a dimension `time`.
        """
        if "time" not in data.dims:
            remedy = "Take one that simulate or solve returned, or results.nc."
            raise ArgumentError("data", "have a dimension time", list(data.dims), remedy)
        ranks = {name: rank for rank, name in enumerate(first)}
        data = data[sorted(map(str, data.data_vars), key=lambda name: ranks.get(name, len(ranks)))]
        return cls(data if "cell" in data.dims else _beside_a_clock(data).expand_dims("cell"))

    @property
    def axes(self) -> Sequence[Mapping[str, Any]]:
        """The coordinates of every cell in the grid; empty where there was none."""
        names = self.results.attrs.get("axes", "").split()
        return [{name: row[name] for name in names} for row in self.parameters]

    @property
    def parameters(self) -> Sequence[Mapping[str, Any]]:
        """The parameters of the problem of every cell."""
        same = {name: value for name, value in self.results.attrs.items() if name not in _NO_PARAMETERS}
        columns = {str(name): values for name, values in self.results.coords.items() if values.dims == ("cell",)}
        columns.pop("cell", None)
        cells = range(self.results.sizes["cell"])
        return [same | {name: values.values[cell].item() for name, values in columns.items()} for cell in cells]

    @property
    def varying(self) -> tuple[str, ...]:
        """Names of the grid axes that take more than one value."""
        rows = self.axes
        return tuple(name for name in rows[0] if len({row[name] for row in rows}) > 1) if rows else ()

    @property
    def simulated(self) -> bool:
        """Whether there are replicas; otherwise there is theory alone."""
        return any(str(name).endswith("_sem") for name in self.results.data_vars)

    def column(self, name: str) -> str:
        """The variable of `results` that has an observable's curve: the mean, or theory where nothing was simulated."""
        return name if name in self.results else f"{name}_theory"

    @property
    def observables(self) -> tuple[str, ...]:
        """Names of the variables that have a mean and a standard error at every save time, scalars first.

        Where nothing was simulated, those that theory has.
        """
        averages = [str(name) for name in self.results.data_vars if f"{name}_sem" in self.results]
        names = [name for name in averages if name != DEVIATION and name not in DEVIATIONS]
        if not names:
            theory = [str(name) for name in self.results.data_vars if str(name).endswith("_theory")]
            names = [name.removesuffix("_theory") for name in theory]
        ranks = {name: rank for rank, name in enumerate(self._first)}
        return tuple(
            sorted(names, key=lambda name: (self.results[self.column(name)].ndim > 2, ranks.get(name, len(ranks))))
        )

    @property
    def _first(self) -> Sequence[str]:
        """Observables that come before the others whatever their order in `results`, the risk first."""
        return ()

    @property
    def scalars(self) -> tuple[str, ...]:
        """Names of the observables that are single numbers."""
        return tuple(name for name in self.observables if self.results[self.column(name)].dims == ("cell", "time"))

    @property
    def risk(self) -> str:
        """The system's risk: the first scalar, where `_first` puts it.

        **Raises:** ArgumentError where no observable is a single number.
        """
        if not self.scalars:
            raise ArgumentError("data", "have an observable that is a single number", list(self.observables))
        return self.scalars[0]

    @property
    def abscissae(self) -> tuple[str, ...]:
        """What risks are drawn against."""
        return ("t",)

    @property
    def per_dimension(self) -> bool:
        """Whether every cell has an input dimension d, for samples to be counted by."""
        return all("d" in row for row in self.parameters)

    @property
    def has_theory(self) -> bool:
        """Whether there is a theory beside a simulation."""
        return any(self.knows(name) for name in self.observables)

    def knows(self, name: str) -> bool:
        """Whether theory has this observable, beside a simulation."""
        return self.simulated and f"{name}_theory" in self.results

    @property
    def has_predictions(self) -> bool:
        """Whether theory predicts the standard deviation of an observable."""
        return bool(self.predicted)

    @property
    def predicted(self) -> tuple[str, ...]:
        """Names of the observables whose standard deviation theory predicts."""
        return tuple(name for name in self.observables if f"{name}{PREDICTED_STD}" in self.results)

    def words(self, name: str) -> str:
        """A quantity in words."""
        if name in DEVIATIONS:
            return DEVIATIONS[name][0]
        if name in self.observables:
            return self.results[self.column(name)].attrs["long_name"].removesuffix(", theory")
        for ending, words in APART.items():
            if name.endswith(ending):
                return f"{words} of the {self.words(name.removesuffix(ending))}"
        return name.replace("_", " ")

    def symbol(self, name: str) -> str:
        """An observable as mathematics, without the dollars."""
        return self.results[self.column(name)].attrs["symbol"].strip("$")

    def times(self, cell: int) -> Float[np.ndarray, " times"]:
        """The realised save times of a cell."""
        return self.results["t"].isel(cell=cell).to_numpy()

    def dt(self, cell: int) -> float:
        """The time of one step of SGD in a cell; NaN where the theory was solved without steps."""
        if "step" not in self.results:
            return math.nan
        step = self.results["step"].isel(cell=cell).to_numpy()
        return float(self.times(cell)[-1] / step[-1])

    def plateau(self, cell: int) -> tuple[float, float] | None:
        """Begin and end of the plateau of a cell's risk; None where there is none."""
        found = find_plateau(self.times(cell), self.results[self.column(self.risk)].isel(cell=cell).to_numpy())
        return None if found is None else (found.begin, found.end)


def _beside_a_clock(data: xr.Dataset) -> xr.Dataset:
    """The Dataset of one problem; that of `solve`, which has no steps, becomes the theory of a run without replicas."""
    if "t" in data:
        return data
    curves = [str(name) for name, values in data.data_vars.items() if "symbol" in values.attrs]
    names = {name: f"{name}_theory" for name in curves if not name.endswith((PREDICTED_STD, PREDICTED))}
    return data.rename(names).assign(t=("time", data["time"].to_numpy()))
