"""Cells that failed for good, with the error of each."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sgdsim.store.files import read_json, write_text
from sgdsim.store.worker import this_worker


@dataclass(frozen=True)
class Failures:
    """The folder of failures: a file for every cell that failed and has not been tried again since."""

    folder: Path

    def record(self, cell: int, error: str, trace: str = "") -> None:
        """Notes why a cell failed: the error in a line, and where in the code it came up, if it can be noted."""
        entry = {"cell": cell, "error": error, "by": this_worker().name, "trace": trace}
        # Whoever made the cell knows it without the note.
        with suppress(OSError):
            write_text(self._path(cell), json.dumps(entry, indent=1) + "\n")

    def forget(self, cell: int) -> None:
        """The cell is tried again."""
        with suppress(OSError):
            self._path(cell).unlink(missing_ok=True)

    def read(self) -> dict[int, str]:
        """The error of every cell that failed."""
        found = {}
        for path in sorted(self.folder.glob("c*.json")):
            with suppress(OSError, ValueError):
                match read_json(path):
                    case {"cell": int(cell), "error": str(error)}:
                        found[cell] = error
        return found

    def _path(self, cell: int) -> Path:
        return self.folder / f"c{cell:05d}.json"
