"""The run directory: everything a run leaves on disk, and all that taking it up again needs."""

import os
import tempfile
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from sgdsim.bounds import check_bounds
from sgdsim.errors import ExperimentError
from sgdsim.store.block_file import BlockHeader, BlockResult, SpoiltBlock, read_block, write_block
from sgdsim.store.blocks import Block, CellLayout
from sgdsim.store.files import create_text, put_aside, read_text, remove_stale, write_text
from sgdsim.store.manifest import Manifest, unreadable
from sgdsim.store.origin import Origin
from sgdsim.store.paths import RunPaths

OTHER_FOLDER = "choose another folder with -o DIR"
_FOLDERS = 256
"""Subfolders of `blocks`, so that none holds more than a few hundred of 10^5 files."""


class Unwritable(Exception):
    """A finished block could not be written: the disk is full, or read-only, or gone. A person must mend that."""


@dataclass(frozen=True)
class RunDirectory(RunPaths):
    """A run on disk: its files are made, read, written and checked here, see `RunPaths` for what there is."""

    _known: dict[tuple[int, ...], Manifest] = field(default_factory=dict, compare=False, repr=False)

    def make(self) -> None:
        """Makes the folders, tries to write in them, and removes what a killed run left half-written.

        **Raises:** ExperimentError where the folder cannot be made or written.
        """
        beside = (self.watch.folder, self.claims.folder, self.log.folder, self.failures.folder)
        folders = (self.path, self.blocks, *beside)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for folder in (self.path / "live", *beside, self.figures):
                self._clear(folder)
            for file in (self.provenance, self.results, self.summary, self.report):
                # A folder in the place of a file could not be replaced by one.
                if file.is_dir() and not file.is_symlink():
                    put_aside(file, self.aside)
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
                # A folder that can be entered may still take no file: better told now than after the first block.
                with tempfile.TemporaryFile(dir=folder):
                    pass
            for folder in (*folders, self.figures, *self._subfolders()):
                remove_stale(folder)
            self.claims.remove_dead()
            self.watch.remove_dead()
        except OSError as error:
            # The name of what is in the way, but not that of a file that was only tried.
            where = f"{error.filename}: " if os.path.lexists(str(error.filename)) else ""
            reason = f"{where}{error.strerror or error}"
            raise ExperimentError([f"{self.path}: cannot write a run here ({reason}); {OTHER_FOLDER}"]) from error

    def read_experiment(self) -> dict[str, Any]:
        """The experiment of the run, as resolved.

        **Raises:** ExperimentError where it cannot be read.
        """
        try:
            text = read_text(self.experiment)
            check_bounds(text)
            return tomllib.loads(text)
        except (OSError, ValueError, RecursionError) as error:
            raise unreadable(self.experiment, error) from error

    def write_experiment(self, resolved: Mapping[str, Any]) -> None:
        """Stores the experiment file as it was given."""
        write_text(self.experiment, tomli_w.dumps(resolved))

    def create_experiment(self, resolved: Mapping[str, Any]) -> bool:
        """Stores the experiment unless there is one; of several runs that begin at once, one makes the folder its."""
        return create_text(self.experiment, tomli_w.dumps(resolved))

    def read_manifest(self) -> Manifest:
        """Experiment, code and layout of the run.

        **Raises:** ExperimentError where there is no run, one of another version of sgdsim, or a damaged one.
        """
        with suppress(OSError):
            # It is read again for every block, and 1e5 cells take their time: once for each file that it has been.
            found = self.index.stat()
            version = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
            if version not in self._known:
                manifest = Manifest.load(self.index)
                self._known.clear()
                self._known[version] = manifest
            return self._known[version]
        return Manifest.load(self.index)

    def checked_manifest(self) -> Manifest:
        """The manifest, once it is certain that experiment.toml says the same.

        **Raises:** ExperimentError as `read_manifest` does, and where it says something else, naming the keys.
        """
        return self.checked()[0]

    def checked(self) -> tuple[Manifest, dict[str, Any]]:
        """The manifest, and the experiment, which says the same. **Raises:** ExperimentError as `checked_manifest`."""
        manifest, stored = self.read_manifest(), self.read_experiment()
        if keys := manifest.differing(stored):
            remedy = f"put it back, or run it into another folder: sgdsim run {self.experiment} -o DIR"
            problem = f"was changed after the run was begun (differing: {', '.join(keys)})"
            raise ExperimentError([f"{self.experiment}: {problem}; {remedy}"])
        return manifest, stored

    def read_layout(self) -> list[CellLayout]:
        """How every cell is cut into blocks.

        **Raises:** ExperimentError as `read_manifest` does.
        """
        return list(self.read_manifest().cells)

    def write_manifest(self, manifest: Manifest) -> None:
        """Stores the manifest in the place of the one before."""
        write_text(self.index, manifest.text())

    def create_manifest(self, manifest: Manifest) -> bool:
        """Stores the manifest, unless there is one."""
        return create_text(self.index, manifest.text())

    def path_of(self, block: Block) -> Path:
        """The file of a block."""
        return self.blocks / _subfolder(block.name) / block.name

    def on_disk(self) -> set[str]:
        """The names of all block files, each in the subfolder that is its place."""
        return {entry.name for entry in self._entries() if _is_done(entry)}

    def done(self, block: Block) -> bool:
        """Whether a block is on disk."""
        return _is_done(self.path_of(block))

    def write_block(self, block: Block, result: BlockResult, origin: Origin) -> BlockHeader:
        """Stores a finished block.

        - `origin`: what has simulated it.

        **Raises:** Unwritable where it cannot be written.
        """
        path = self.path_of(block)
        try:
            self._clear(path.parent)
            # Made when needed: 256 empty folders would have to be listed at every start.
            path.parent.mkdir(exist_ok=True)
            if path.is_dir():
                put_aside(path, self.aside)
            return write_block(path, self.read_manifest().fingerprint, origin, block, result)
        except OSError as error:
            raise Unwritable(f"{path}: cannot be written ({error.strerror or error})") from error

    def read_block(self, block: Block, lanes: int) -> tuple[BlockResult, BlockHeader]:
        """Reads a finished block.

        **Raises:** SpoiltBlock where the file is damaged or is not that of this block, OSError where it cannot be
        read (FileNotFoundError where there is none).
        """
        return read_block(self.path_of(block), self.read_manifest(), block, lanes)

    def put_aside(self, block: Block, why: SpoiltBlock) -> str:
        """Moves a spoilt block out of the way, and returns what to tell of it; the block is then to be done again."""
        path = self.path_of(block)
        try:
            # Kept, not deleted: a damaged file may be all that tells of a failing disk.
            kept = put_aside(path, self.aside)
        except OSError as error:
            problem = f"{path}: {why}, and cannot be moved ({error.strerror or error}); delete it and run again"
            raise ExperimentError([problem]) from error
        return f"{path}: {why}; moved to {kept}"

    def _clear(self, folder: Path) -> None:
        """Moves what has the place of a folder, and is none, out of the way: a file, or a link to nothing."""
        if os.path.lexists(folder) and not folder.is_dir():
            put_aside(folder, self.aside)

    def _subfolders(self) -> list[Path]:
        with suppress(OSError), os.scandir(self.blocks) as entries:
            return [Path(entry.path) for entry in entries if _is_folder(entry)]
        return []

    def _entries(self) -> Iterator["os.DirEntry[str]"]:
        """Whatever lies in the subfolder that is its place by its name."""
        for folder in self._subfolders():
            with suppress(OSError), os.scandir(folder) as entries:
                yield from (entry for entry in entries if _subfolder(entry.name) == folder.name)


def _is_done(entry: "Path | os.DirEntry[str]") -> bool:
    """The one definition of a block that is done: a file, not a folder, nor a link to nothing or to itself."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _subfolder(name: str) -> str:
    """Where the block of this name has its place."""
    # In subfolders by checksum: a file server lists 1e5 names in one folder slowly. crc32 is the same in every
    # session, hash() is not.
    return f"{zlib.crc32(name.encode()) % _FOLDERS:02x}"
