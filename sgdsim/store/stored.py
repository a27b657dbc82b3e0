"""What a run directory holds, as the figures and the page read it."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sgdsim.analysis.numbers import plain
from sgdsim.errors import ExperimentError
from sgdsim.laws.catalogue import was_made
from sgdsim.laws.power import FittedPower
from sgdsim.laws.text import called
from sgdsim.store.summary import Points, Summary

DEVIATIONS = {
    "max_deviation": ("deviation", r"$\max_t\,\mathrm{E}\, |\Omega - \bar\Omega|_\infty$"),
    "sup_deviation": ("largest deviation", r"$\mathrm{E}\,\max_t\, |\Omega - \bar\Omega|_\infty$"),
    "final_deviation": ("final deviation", r"$\mathrm{E}\,|\Omega - \bar\Omega|_\infty$ at the final time"),
}
"""The distances of a replica from theory that every system has, in words and as mathematics."""
DEVIATION = "deviation"
"""|Omega - Omega_bar|_inf at every save time, averaged over the replicas: an average that is no observable."""
REACHED = {
    "samples_to_level": "samples",
    "steps_to_level": r"steps $\nu$",
    "relaxation_time": r"relaxation time $\tau$",
}
"""What is counted until the first scalar observable has fallen to a level."""


@dataclass(frozen=True)
class Stored:
    """A finished run: `results` has a leading `cell` axis, the rest is as in the files of the same names."""

    results: xr.Dataset
    summary: Summary
    provenance: dict[str, Any]
    experiment: str

    @classmethod
    def load(cls, directory: Path) -> "Stored":
        """Reads results.nc, summary.json, provenance.json and experiment.toml.

        **Raises:** ExperimentError naming the files that are not there, or that this version does not read.
        """
        names = ("results.nc", "summary.json", "provenance.json", "experiment.toml")
        absent = [name for name in names if not (directory / name).is_file()]
        if absent:
            what = f"no {', '.join(absent)}" if directory.is_dir() else "there is no such folder"
            raise ExperimentError([f"{directory}: {what}; a report needs a finished run: sgdsim run CONFIG -o DIR"])
        with xr.open_dataset(directory / "results.nc", engine="h5netcdf") as results:
            loaded = results.load()
        return cls(
            results=loaded,
            summary=Summary.load(directory / "summary.json"),
            provenance=json.loads((directory / "provenance.json").read_text()),
            experiment=(directory / "experiment.toml").read_text(),
        )

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures that the experiment asks for."""
        return tuple(self._report.get("figures", ()))

    @property
    def abscissae(self) -> tuple[str, ...]:
        """What risks are drawn against: the variables of `results` that the experiment asks for, time by default."""
        asked = (name for key, name in (("samples", "samples"), ("steps", "step")) if self._report.get(key, False))
        return tuple(asked) or ("t",)

    @property
    def per_dimension(self) -> bool:
        """Whether every cell has an input dimension d, for samples to be counted by."""
        return all("d" in cell.parameters for cell in self.summary.cells)

    @property
    def _report(self) -> dict[str, Any]:
        return tomllib.loads(self.experiment).get("report", {})

    @property
    def simulated(self) -> bool:
        """Whether there are replicas; otherwise the run holds theory alone."""
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
        first = list(self.summary.cells[0].final) if self.summary.cells else []
        ranks = {name: rank for rank, name in enumerate(first)}  # the system's own order, its risk first
        return tuple(
            sorted(names, key=lambda name: (self.results[self.column(name)].ndim > 2, ranks.get(name, len(ranks))))
        )

    @property
    def scalars(self) -> tuple[str, ...]:
        """Names of the observables that are single numbers; the first is the system's risk."""
        return tuple(name for name in self.observables if self.results[self.column(name)].dims == ("cell", "time"))

    @property
    def fits(self) -> dict[str, FittedPower]:
        """The power laws that could be fitted, by name."""
        return self.laws("power")

    @property
    def against(self) -> Sequence[Points]:
        """The quantities that are drawn against a parameter without a law, in the order of the experiment."""
        return self.summary.against

    def laws(self, kind: str) -> dict[str, Any]:
        """The fits of one kind of law that could be made, by name: what the summary holds of them."""
        return {name: found for name, found in self.summary.fits.items() if found.law == kind and was_made(found)}

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
        return tuple(name for name in self.observables if f"{name}_predicted_std" in self.results)

    def words(self, name: str) -> str:
        """A quantity in words."""
        if name in DEVIATIONS:
            return DEVIATIONS[name][0]
        if name in self.observables:
            return self.results[self.column(name)].attrs["long_name"].removesuffix(", theory")
        return name.replace("_", " ")

    def called(self, points: Points) -> str:
        """The quantity of points in words, e.g. "samples to level 0.001"."""
        return called(points.quantity, points.level, self.words)

    def quantity_label(self, quantity: str, level: float | None = None) -> str:
        """A quantity of the cells on an axis of a figure."""
        if quantity in DEVIATIONS:
            return DEVIATIONS[quantity][1]
        if quantity in REACHED and level is not None:
            return f"{REACHED[quantity]} to ${self.symbol(self.scalars[0])} = {plain(level)}$"
        return f"final {self.words(quantity)}, ${self.symbol(quantity)}$"

    def symbol(self, name: str) -> str:
        """An observable as mathematics, without the dollars."""
        return self.results[self.column(name)].attrs["symbol"].strip("$")

    @property
    def varying(self) -> tuple[str, ...]:
        """Names of the grid axes that take more than one value."""
        cells = [cell.axes for cell in self.summary.cells]
        return tuple(name for name in cells[0] if len({cell[name] for cell in cells}) > 1) if cells else ()

    def times(self, cell: int) -> np.ndarray:
        """The realised save times of a cell, shape (times,)."""
        return self.results["t"].isel(cell=cell).to_numpy()
