"""What a run directory holds, as the figures and the page read it."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from sgdsim.analysis.numbers import plain
from sgdsim.errors import ExperimentError
from sgdsim.laws.catalogue import was_made
from sgdsim.laws.law import Found
from sgdsim.laws.power import FittedPower
from sgdsim.laws.quantities import MEDIANS
from sgdsim.laws.text import called
from sgdsim.store.curves import DEVIATIONS, Curves
from sgdsim.store.summary import Points, Summary

REACHED = {
    "samples_to_level": "samples",
    "steps_to_level": r"steps $\nu$",
    "relaxation_time": r"relaxation time $\tau$",
}
"""What is counted until the risk has fallen to a level."""


@dataclass(frozen=True)
class Stored(Curves):
    """A finished run: its curves, and the rest as in the files of the same names."""

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
    def axes(self) -> Sequence[Mapping[str, Any]]:
        """The coordinates of every cell in the grid."""
        return [cell.axes for cell in self.summary.cells]

    @property
    def parameters(self) -> Sequence[Mapping[str, Any]]:
        """The parameters of the problem of every cell."""
        return [cell.parameters for cell in self.summary.cells]

    def dt(self, cell: int) -> float:
        """The time of one step of SGD in a cell."""
        return self.summary.cells[cell].parameters["dt"]

    def plateau(self, cell: int) -> tuple[float, float] | None:
        """Begin and end of the plateau of a cell's risk; None where there is none."""
        found = self.summary.cells[cell].plateau
        return None if found is None else (found.begin, found.end)

    @property
    def per_dimension(self) -> bool:
        """Whether every cell has an input dimension d, for samples to be counted by."""
        return all("d" in cell.parameters for cell in self.summary.cells)

    @property
    def _first(self) -> Sequence[str]:
        """The risk, and the scalars in the system's own order."""
        cells = self.summary.cells
        # A JSON object has no order that every writer keeps: the risk is told by its name.
        return list(dict.fromkeys([self.summary.risk, *(cells[0].final if cells else ())]))

    @property
    def _report(self) -> dict[str, Any]:
        return tomllib.loads(self.experiment).get("report", {})

    @property
    def fits(self) -> dict[str, FittedPower]:
        """The power laws that could be fitted, by name."""
        return self.laws(FittedPower)

    @property
    def against(self) -> Sequence[Points]:
        """The quantities that are drawn against a parameter without a law, in the order of the experiment."""
        return self.summary.against

    def laws(self, kind: type[Found]) -> dict[str, Found]:
        """The fits of one kind of law, e.g. `FittedPower`, that could be made, by name, as the summary holds them."""
        return {name: found for name, found in self.summary.fits.items() if isinstance(found, kind) and was_made(found)}

    def called(self, points: Points) -> str:
        """The quantity of points in words, e.g. "samples to level 0.001"."""
        return called(points.quantity, points.level, self.words)

    def quantity_label(self, quantity: str, level: float | None = None) -> str:
        """A quantity of the cells on an axis of a figure."""
        if quantity in DEVIATIONS:
            return DEVIATIONS[quantity][1]
        if quantity in MEDIANS:
            return MEDIANS[quantity].words
        if quantity in REACHED and level is not None:
            return f"{REACHED[quantity]} to ${self.symbol(self.risk)} = {plain(level)}$"
        return f"final {self.words(quantity)}, ${self.symbol(quantity)}$"
