"""A finished run as Python has it: its numbers, what was fitted to them, and the experiment that it was."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from sgdsim.analysis.axes import numbered
from sgdsim.laws.catalogue import headline
from sgdsim.laws.law import Fitted
from sgdsim.printable import card, html_card
from sgdsim.store.origin import mixture
from sgdsim.store.stored import Stored
from sgdsim.store.summary import Summary

if TYPE_CHECKING:
    import pandas as pd

    from sgdsim.store.frames import Per


@dataclass(frozen=True, repr=False, eq=False)
class Run:
    """A finished run of a folder: what `sgdsim.run` and `sgdsim.open_run` return, and `sgdsim.plot` draws.

    - `folder`: where it lies.
    - `stored`: what is in its files, as figures and page read it.
    """

    folder: Path
    stored: Stored

    @cached_property
    def data(self) -> xr.Dataset:
        """results.nc: statistics, theory and parameters of every cell, over (cell, time)."""
        return numbered(self.stored.results)

    @property
    def summary(self) -> Summary:
        """summary.json: size and speed, and of every cell its deviations and final values with their errors."""
        return self.stored.summary

    @property
    def fits(self) -> Mapping[str, Fitted]:
        """The laws that the experiment asks for, by name and, in brackets, the group of cells."""
        return self.summary.fits

    @cached_property
    def experiment(self) -> dict[str, Any]:
        """The experiment as tables, every default filled in: `sgdsim.run` takes it."""
        return tomllib.loads(self.stored.experiment)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where, when and with what it was made."""
        return self.stored.provenance

    @property
    def report(self) -> Path:
        """The page with all figures and tables."""
        return self.folder / "report.html"

    def to_dataframe(self, per: "Per" = "time", observables: Sequence[str] | None = None) -> "pd.DataFrame":
        """A tidy table: see `sgdsim.to_dataframe`."""
        # Here and not above: pandas takes a while to load, and that file imports this one.
        from sgdsim.store.frames import to_dataframe

        return to_dataframe(self, per, observables)

    def __repr__(self) -> str:
        return card(*self._introduction)

    def _repr_html_(self) -> str:
        return html_card(*self._introduction)

    @property
    def _introduction(self) -> tuple[str, dict[str, str]]:
        """A title, and what there is to say by names."""
        summary, stored = self.summary, self.stored
        axes = {name: list(dict.fromkeys(row[name] for row in stored.axes)) for name in stored.varying}
        size = f"{len(summary.cells)} cells" if len(summary.cells) != 1 else "1 cell"
        seed = self.experiment.get("ensemble", {}).get("seed")
        rows = {
            "system": summary.system,
            "cells": size + "".join(f", {name} = {_span(values)}" for name, values in axes.items()),
            "start": _table(self.experiment.get("start")),
            "simulator": _table(self.experiment.get("simulator")),
            "theory": _table(self.experiment.get("theory")),
            "replicas": f"{summary.n_replicas}, {summary.n_diverged} diverged" if summary.n_replicas else "",
            "seed": "" if seed is None else str(seed),
            "times": _table(self.experiment.get("times")),
            "fits": "\n".join(f"{name}: {headline(found)}" for name, found in self.fits.items()),
            "failed": "\n".join(f"cell {cell.cell}: {cell.error}" for cell in summary.cells if cell.error),
            "made by": ", ".join(f"{name} {version}" for name, version in list(summary.versions.items())[:2]),
            "mixed": mixture(summary.origins),
            "took": f"{summary.wall_seconds:.1f} s",
            "folder": str(self.folder),
        }
        return f"Run: {summary.title}", rows


def open_run(folder: str | PathLike[str]) -> Run:
    """The finished run of a folder, that `sgdsim run` or `sgdsim.run` has left there.

    **Raises:** ExperimentError naming the files that are not there, that this version does not read, or that are not as
    they were written.
    """
    path = Path(folder)
    return Run(path, Stored.load(path))


def _table(table: Mapping[str, Any] | None) -> str:
    """A table of the experiment in a line; lists by their length."""
    entries = (table or {}).items()
    return ", ".join(
        f"{key} = {f'{len(value)} values' if isinstance(value, list) else value}" for key, value in entries
    )


def _span(values: list[Any]) -> str:
    """The values of an axis, or the first and the last of many."""
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return ", ".join(texts) if len(texts) <= 4 else f"{texts[0]} ... {texts[-1]} ({len(texts)} values)"
