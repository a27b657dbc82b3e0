"""What a run directory holds, as the figures and the page read it."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from sgdsim.analysis.names import BIAS, STD
from sgdsim.analysis.numbers import plain
from sgdsim.errors import ExperimentError
from sgdsim.laws.catalogue import was_made
from sgdsim.laws.law import Found
from sgdsim.laws.power import FittedPower
from sgdsim.laws.quantities import MEDIANS
from sgdsim.laws.text import called
from sgdsim.store.curves import DEVIATIONS, Curves
from sgdsim.store.directory import RunDirectory
from sgdsim.store.files import atomic, read_bytes, read_json, read_text, write_text
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

        **Raises:** ExperimentError naming the files that are not there, that this version does not read, or that are
        not as they were written.
        """
        names = ("results.nc", "summary.json", "provenance.json", "experiment.toml")
        absent = [name for name in names if not (directory / name).is_file()]
        if absent:
            what = f"no {', '.join(absent)}" if directory.is_dir() else "there is no such folder"
            raise ExperimentError([f"{directory}: {what}; a report needs a finished run: sgdsim run CONFIG -o DIR"])
        run = RunDirectory(directory)
        if run.index.exists():
            run.checked_manifest()
        run.read_experiment()
        summary = Summary.load(directory / "summary.json")
        return cls(
            results=read_results(directory / "results.nc", summary),
            summary=summary,
            provenance=_read_provenance(directory / "provenance.json"),
            experiment=read_text(directory / "experiment.toml"),
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
        if quantity.endswith((BIAS, STD)):
            return self.words(quantity).replace(" of the ", "\nof the final ", 1)
        return f"final {self.words(quantity)}, ${self.symbol(quantity)}$"


def store_results(directory: Path, data: xr.Dataset, summary: Summary) -> Summary:
    """Writes results.nc and summary.json; returns the summary, which vouches for the numbers by a digest now."""
    # In memory first: on a full disk the HDF5 library takes the process down with it.
    content = bytes(data.to_netcdf(engine="netcdf4"))
    with atomic(directory / "results.nc") as stream:
        stream.write(content)
    vouching = summary.model_copy(update={"results": file_digest(content)}).sealed()
    write_text(directory / "summary.json", vouching.text())
    return vouching


def read_results(path: Path, summary: Summary) -> xr.Dataset:
    """The numbers of results.nc.

    **Raises:** ExperimentError where it is not the file of which the summary speaks.
    """
    try:
        raw = read_bytes(path)
        if file_digest(raw) != summary.results:
            raise ValueError("its digest is not that in summary.json")
        with xr.open_dataset(raw, engine="netcdf4") as results:
            return results.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        remedy = f"write it anew: sgdsim run {path.parent}"
        raise ExperimentError(
            [f"{path}: is not as it was written ({' '.join(str(error).split())}); {remedy}"]
        ) from None


def file_digest(content: bytes) -> str:
    """Of a whole file."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _read_provenance(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        why, remedy = " ".join(str(error).split()), f"write it anew: sgdsim run {path.parent}"
        raise ExperimentError([f"{path}: is damaged ({why}); {remedy}"]) from None
