"""The manifest of a run directory: the experiment, the code that may simulate it, and how the cells are cut.

It lies in blocks/index.json with a digest over all of it. Blocks carry the digests of experiment and code, results.nc
and summary.json that of the manifest which they were merged by: nothing else is ever merged, read or drawn together.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sgdsim._version import __version__
from sgdsim.errors import ExperimentError
from sgdsim.store.blocks import CellLayout
from sgdsim.store.code import Code
from sgdsim.store.files import read_json
from sgdsim.store.identity import REPLICAS, differing_keys, fingerprint, told_apart

FORMAT = 3
"""Of run directories and block files. A change that older versions would misread counts it up."""
BLOCK = "ensemble.block"
"""The key that cuts cells into blocks, which changes no number."""
RESTORE = "restore it from a copy, or choose another folder with -o DIR"


@dataclass(frozen=True)
class Manifest:
    """What a run directory holds.

    - `name`: of the experiment, as it was begun.
    - `experiment`: every key that makes it what it is, e.g. "problem.noise", with its value.
    - `fingerprint`: of the experiment whatever its number of replicas, see `identity.fingerprint`.
    - `codes`: the one that it was begun with, and those that were accepted beside it.
    - `cells`: how each is cut into blocks.
    """

    name: str
    experiment: Mapping[str, Any]
    fingerprint: str
    codes: Sequence[Code]
    cells: Sequence[CellLayout]

    @classmethod
    def of(cls, name: str, resolved: Mapping[str, Any], code: Code, cells: Sequence[CellLayout]) -> "Manifest":
        """That of a run that begins: of a resolved experiment, in this process's code."""
        return cls(name, told_apart(resolved), fingerprint(resolved), (code,), cells)

    @cached_property
    def digest(self) -> str:
        """Over all of it."""
        return _digest(self._body())

    @property
    def source(self) -> str:
        """Over experiment and code, however the cells are cut: what the same numbers have in common."""
        keys = {key: value for key, value in self.experiment.items() if key != BLOCK}
        return _digest({"experiment": keys, "codes": [code.digest for code in self.codes]})

    def text(self) -> str:
        """The file's content, with one line for each code and each cell."""
        head, body = {"format": FORMAT, "sgdsim": __version__, "digest": self.digest}, self._body()
        rows = {name: ",\n".join(json.dumps(entry) for entry in body.pop(name)) for name in ("codes", "cells")}
        lists = ", ".join(f'"{name}": [\n{text}\n]' for name, text in rows.items())
        return f"{json.dumps(head | body)[:-1]}, {lists}}}\n"

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Reads a file.

        **Raises:** ExperimentError where there is none, it is of another version, or not as it was written.
        """
        try:
            content = read_json(path)
        except (OSError, ValueError) as error:
            raise unreadable(path, error) from error
        found = content.pop("format", None), content.pop("sgdsim", None)
        if found != (FORMAT, __version__):
            raise _of_another_version(path, *found)
        digest = content.pop("digest", None)
        # Before anything is made of it: cuts that were shortened would be those of a smaller run.
        if digest != _digest(content):
            raise ExperimentError([f"{path}: is not as it was written (its digest is another); {RESTORE}"])
        try:
            cells = [CellLayout.from_json(cell, entry) for cell, entry in enumerate(content["cells"])]
            codes = tuple(Code(files) for files in content["codes"])
            return cls(content["name"], content["experiment"], content["fingerprint"], codes, cells)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # whoever wrote it, it was not sgdsim
            raise unreadable(path, error) from error

    def accepting(self, code: Code) -> "Manifest":
        """With one more code that may simulate."""
        return self if self.accepts(code) else replace(self, codes=(*self.codes, code))

    def accepts(self, code: Code) -> bool:
        """Whether blocks of this code belong here."""
        return any(code.digest == known.digest for known in self.codes)

    def extended(self, resolved: Mapping[str, Any], cells: Sequence[CellLayout]) -> "Manifest":
        """That of the same experiment with more replicas."""
        return replace(self, experiment=told_apart(resolved), cells=cells)

    def differing(self, resolved: Mapping[str, Any]) -> list[str]:
        """The keys in which an experiment differs from this one; the number of replicas is not compared."""
        return [key for key in differing_keys(self.experiment, resolved) if key != REPLICAS]

    def _body(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "experiment": dict(self.experiment),
            "fingerprint": self.fingerprint,
            "codes": [dict(code.files) for code in self.codes],
            "cells": [cell.to_json() for cell in self.cells],
        }


def unreadable(path: Path, error: Exception) -> ExperimentError:
    """What to say of a file without which a folder is no run."""
    why = error.strerror or str(error) if isinstance(error, OSError) else " ".join(str(error).split())
    return ExperimentError([f"{path}: cannot be read ({why}); the folder is not a run, or was damaged: {RESTORE}"])


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def _of_another_version(path: Path, found: object, version: object) -> ExperimentError:
    begun = "an earlier version of sgdsim" if version is None else f"sgdsim {version}"
    what = f"{begun} (format {found}), this is {__version__} (format {FORMAT})"
    remedy = "finish it with that version, or choose another folder with -o DIR"
    return ExperimentError([f"{path.parents[1]}: was begun by {what}; {remedy}"])
