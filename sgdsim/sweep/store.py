"""The run directory: everything a sweep leaves on disk, and all that taking it up again needs."""

import json
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from sgdsim.ensemble.tiles import Tiles
from sgdsim.errors import ExperimentError
from sgdsim.sweep.blocks import Block, BlockResult
from sgdsim.sweep.files import atomic, sweep_stale, write_text

OTHER_FOLDER = "choose another folder with -o DIR"


@dataclass(frozen=True)
class CellLayout:
    """How one cell is cut into blocks, and where it lies in the grid."""

    axes: Mapping[str, Any]
    replicas: int
    lanes: int
    blocks: Sequence[Block]

    def to_json(self) -> dict[str, Any]:
        """As the index of a run directory holds it."""
        tiles = [[block.tiles.start, block.tiles.stop] for block in self.blocks]
        return {"axes": dict(self.axes), "replicas": self.replicas, "lanes": self.lanes, "blocks": tiles}

    @classmethod
    def from_json(cls, cell: int, entry: Mapping[str, Any]) -> "CellLayout":
        """The inverse of `to_json`."""
        blocks = [Block(cell, range(first, last)) for first, last in entry["blocks"]]
        return cls(axes=entry["axes"], replicas=entry["replicas"], lanes=entry["lanes"], blocks=blocks)


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run.

        experiment.toml    the experiment, every default filled in
        provenance.json    versions, devices, seed, when and how it was run
        blocks/            index.json (how the cells are cut into blocks) and one .npz for every finished block
        results.nc         all numbers, once every block is there
        summary.json       fits, errors, counts, speed
        figures/, report.html

    A block file that exists is a block that is done: files are written to a temporary name and renamed.
    """

    path: Path

    @property
    def experiment(self) -> Path:
        """The experiment as resolved."""
        return self.path / "experiment.toml"

    @property
    def provenance(self) -> Path:
        """Where, when and with what the run was made."""
        return self.path / "provenance.json"

    @property
    def blocks(self) -> Path:
        """The folder of the block files."""
        return self.path / "blocks"

    @property
    def index(self) -> Path:
        """The cut of the cells into blocks."""
        return self.blocks / "index.json"

    @property
    def results(self) -> Path:
        """The merged numbers."""
        return self.path / "results.nc"

    @property
    def summary(self) -> Path:
        """The numbers a reader wants first."""
        return self.path / "summary.json"

    @property
    def exists(self) -> bool:
        """Whether a run was ever started here."""
        return self.experiment.is_file() and self.index.is_file()

    def make(self) -> None:
        """Makes the folders, tries to write in them, and sweeps what a killed run left half-written.

        **Raises:** ExperimentError where the folder cannot be made or written.
        """
        try:
            self.blocks.mkdir(parents=True, exist_ok=True)
            for folder in (self.path, self.blocks):
                with tempfile.TemporaryFile(dir=folder):
                    pass
                sweep_stale(folder)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ExperimentError([f"{self.path}: cannot write a run here ({reason}); {OTHER_FOLDER}"]) from error

    def read_experiment(self) -> dict[str, Any]:
        """The experiment of the run, as resolved."""
        try:
            return tomllib.loads(self.experiment.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _unreadable(self.experiment, "the folder is not a run, or was damaged", error) from error

    def write_experiment(self, resolved: Mapping[str, Any]) -> None:
        """Stores the experiment."""
        write_text(self.experiment, tomli_w.dumps(resolved))

    def read_layout(self) -> list[CellLayout]:
        """How every cell is cut into blocks."""
        try:
            entries = json.loads(self.index.read_text(encoding="utf-8"))["cells"]
            return [CellLayout.from_json(cell, entry) for cell, entry in enumerate(entries)]
        except (OSError, ValueError, KeyError) as error:
            raise _unreadable(self.index, "the folder is not a run, or was damaged", error) from error

    def write_layout(self, layout: Sequence[CellLayout]) -> None:
        """Stores how every cell is cut into blocks."""
        write_text(self.index, json.dumps({"cells": [cell.to_json() for cell in layout]}, indent=1) + "\n")

    def done(self, block: Block) -> bool:
        """Whether a block is on disk."""
        return (self.blocks / block.name).is_file()

    def write_block(self, block: Block, result: BlockResult) -> None:
        """Stores a finished block."""
        facts = {"lanes": result.lanes, "replica_steps": result.replica_steps, "wall_seconds": result.wall_seconds}
        with atomic(self.blocks / block.name) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **result.tiles.to_arrays(), **{f"run.{name}": value for name, value in facts.items()})

    def read_block(self, block: Block) -> BlockResult:
        """Reads a finished block.

        **Raises:** ExperimentError where the file is damaged or is not that of this block.
        """
        path = self.blocks / block.name
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = dict(stored)
            facts = {name: arrays.pop(f"run.{name}").item() for name in ("lanes", "replica_steps", "wall_seconds")}
            result = BlockResult(tiles=Tiles.from_arrays(arrays), **facts)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise _unreadable(path, "delete it and run the same command again", error) from error
        if len(result.tiles.count) != len(block.tiles):
            raise ExperimentError([f"{path}: holds other tiles than the run; delete it and run the same command again"])
        return result


def _unreadable(path: Path, remedy: str, error: Exception) -> ExperimentError:
    return ExperimentError([f"{path}: cannot be read ({type(error).__name__}: {error}); {remedy}"])
