"""The run directory: everything a run leaves on disk, and all that taking it up again needs."""

import json
import os
import tempfile
import tomllib
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import tomli_w

from sgdsim._version import __version__
from sgdsim.errors import ExperimentError
from sgdsim.store.block_file import FORMAT, BlockHeader, BlockResult, SpoiltBlock, read_block, write_block
from sgdsim.store.blocks import Block, CellLayout
from sgdsim.store.claims import Claims
from sgdsim.store.failures import Failures
from sgdsim.store.files import create_text, remove_stale, write_text
from sgdsim.store.identity import fingerprint
from sgdsim.store.log import Log
from sgdsim.store.presence import Watch

OTHER_FOLDER = "choose another folder with -o DIR"
_NO_RUN = "the folder is not a run, or was damaged"
_FOLDERS = 256
"""Subfolders of `blocks`, so that none holds more than a few hundred of 10^5 files."""


class Unwritable(Exception):
    """A finished block could not be written: the disk is full, or read-only, or gone. A person must mend that."""


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run.

        experiment.toml    the experiment, every default filled in
        provenance.json    versions, devices, seed, when and how it was run
        blocks/            index.json (how the cells are cut into blocks) and, in subfolders, a .npz of every one done
        live/              signs of life of the processes at work, and what each has claimed
        logs/              what each process did
        failed/            cells that failed for good
        aside/             block files that were damaged or belonged elsewhere
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
    def aside(self) -> Path:
        """Where blocks go that must not be merged."""
        return self.path / "aside"

    @property
    def results(self) -> Path:
        """Path of results.nc, the merged numbers."""
        return self.path / "results.nc"

    @property
    def summary(self) -> Path:
        """The numbers a reader wants first."""
        return self.path / "summary.json"

    @cached_property
    def watch(self) -> Watch:
        """Who is at work here."""
        return Watch(self.path / "live" / "workers")

    @cached_property
    def claims(self) -> Claims:
        """Who has what in hand."""
        return Claims(self.path / "live" / "claims", self.watch)

    @property
    def log(self) -> Log:
        """What each process did."""
        return Log(self.path / "logs")

    @property
    def failures(self) -> Failures:
        """Cells that failed for good."""
        return Failures(self.path / "failed")

    @property
    def exists(self) -> bool:
        """Whether a run was ever started here."""
        return self.experiment.is_file()

    @cached_property
    def fingerprint(self) -> str:
        """The experiment's, which every block carries."""
        return fingerprint(self.read_experiment())

    def make(self) -> None:
        """Makes the folders, tries to write in them, and removes what a killed run left half-written.

        **Raises:** ExperimentError where the folder cannot be made or written.
        """
        folders = (self.path, self.blocks, self.watch.folder, self.claims.folder, self.log.folder, self.failures.folder)
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
                # A folder that can be entered may still take no file: better told now than after the first block.
                with tempfile.TemporaryFile(dir=folder):
                    pass
            for folder in (*folders, *self._subfolders()):
                remove_stale(folder)
            self.claims.remove_dead()
            self.watch.remove_dead()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ExperimentError([f"{self.path}: cannot write a run here ({reason}); {OTHER_FOLDER}"]) from error

    def read_experiment(self) -> dict[str, Any]:
        """The experiment of the run, as resolved."""
        try:
            return tomllib.loads(self.experiment.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _unreadable(self.experiment, error) from error

    def write_experiment(self, resolved: Mapping[str, Any]) -> None:
        """Stores the experiment file as it was given."""
        write_text(self.experiment, tomli_w.dumps(resolved))

    def create_experiment(self, resolved: Mapping[str, Any]) -> bool:
        """Stores the experiment unless there is one; of several runs that begin at once, one makes the folder its."""
        return create_text(self.experiment, tomli_w.dumps(resolved))

    def read_layout(self) -> list[CellLayout]:
        """How every cell is cut into blocks.

        **Raises:** ExperimentError where there is no run, or one of another version of sgdsim.
        """
        try:
            index = json.loads(self.index.read_text(encoding="utf-8"))
            version = (index.get("format"), index.get("sgdsim"))
            if version == (FORMAT, __version__):
                return [CellLayout.from_json(cell, entry) for cell, entry in enumerate(index["cells"])]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unreadable(self.index, error) from error
        begun = "an earlier version of sgdsim" if version[1] is None else f"sgdsim {version[1]}"
        remedy = f"finish it with that version, or {OTHER_FOLDER}"
        raise ExperimentError([f"{self.path}: was begun by {begun}, this is {__version__}; {remedy}"])

    def write_layout(self, layout: Sequence[CellLayout]) -> None:
        """Stores how every cell is cut into blocks."""
        write_text(self.index, _index(layout))

    def create_layout(self, layout: Sequence[CellLayout]) -> bool:
        """Stores how every cell is cut into blocks, unless that is settled."""
        return create_text(self.index, _index(layout))

    def path_of(self, block: Block) -> Path:
        """The file of a block."""
        return self.blocks / _subfolder(block.name) / block.name

    def on_disk(self) -> set[str]:
        """The names of all block files, each in the subfolder that is its place."""
        names = ((folder.name, entry.name) for folder in self._subfolders() for entry in os.scandir(folder))
        return {name for folder, name in names if _subfolder(name) == folder}

    def done(self, block: Block) -> bool:
        """Whether a block is on disk."""
        return self.path_of(block).is_file()

    def write_block(self, block: Block, result: BlockResult) -> BlockHeader:
        """Stores a finished block.

        **Raises:** Unwritable where it cannot be written.
        """
        path = self.path_of(block)
        try:
            # Made when needed: 256 empty folders would have to be listed at every start.
            path.parent.mkdir(exist_ok=True)
            return write_block(path, self.fingerprint, block, result)
        except OSError as error:
            raise Unwritable(f"{path}: cannot be written ({error.strerror or error})") from error

    def read_block(self, block: Block, lanes: int) -> tuple[BlockResult, BlockHeader]:
        """Reads a finished block.

        **Raises:** SpoiltBlock where the file is damaged or is not that of this block, OSError where it cannot be
        read (FileNotFoundError where there is none).
        """
        return read_block(self.path_of(block), self.fingerprint, block, lanes)

    def put_aside(self, block: Block, why: SpoiltBlock) -> str:
        """Moves a spoilt block out of the way, and returns what to tell of it; the block is then to be done again."""
        path, kept = self.path_of(block), self.aside / block.name
        try:
            self.aside.mkdir(exist_ok=True)
            # Kept, not deleted: a damaged file may be all that tells of a failing disk.
            path.replace(kept)
        except OSError as error:
            problem = f"{path}: {why}, and cannot be moved ({error.strerror or error}); delete it and run again"
            raise ExperimentError([problem]) from error
        return f"{path}: {why}; moved to {kept}"

    def _subfolders(self) -> list[Path]:
        with suppress(FileNotFoundError):
            return [Path(entry.path) for entry in os.scandir(self.blocks) if entry.is_dir()]
        return []


def _subfolder(name: str) -> str:
    """Where the block of this name has its place."""
    # In subfolders by checksum: a file server lists 1e5 names in one folder slowly. crc32 is the same in every
    # session, hash() is not.
    return f"{zlib.crc32(name.encode()) % _FOLDERS:02x}"


def _index(layout: Sequence[CellLayout]) -> str:
    """One line for each cell."""
    head = f'{{"format": {FORMAT}, "sgdsim": "{__version__}", "cells": [\n'
    return head + ",\n".join(json.dumps(cell.to_json()) for cell in layout) + "\n]}\n"


def _unreadable(path: Path, error: Exception) -> ExperimentError:
    return ExperimentError([f"{path}: cannot be read ({type(error).__name__}: {error}); {_NO_RUN}"])
