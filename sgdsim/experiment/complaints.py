"""Everything that is wrong with one experiment, collected and told at once."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from sgdsim.contracts import Scalar
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.locate import KeyPath
from sgdsim.experiment.source import Source
from sgdsim.experiment.wording import join_path, show

_SHOWN = 3
MOST = 100
"""Complaints that are told at once: whoever has more has another mistake, and mends the first ones first."""


@dataclass
class _Complaint:
    path: KeyPath
    text: str
    remedy: str
    got: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)

    def message(self, n_cells: int) -> str:
        """The complaint without its place, for an experiment of so many cells."""
        return self.text + self._details(n_cells) + (f"; {self.remedy}" if self.remedy else "")

    def _details(self, n_cells: int) -> str:
        """What was got: " (got -3.0 and -2.0)" or, of some cells, " (got 4 at d = 4, and alike in 3 more cells)"."""
        if not self.got:
            return ""
        if any(self.cells) and len(self.cells) < n_cells:
            more = len(self.cells) - 1
            alike = f", and alike in {more} more cell{'s' * (more > 1)}" if more else ""
            return f" (got {self.got[0]} at {self.cells[0]}{alike})"
        shown, more = self.got[:_SHOWN], len(self.got) - _SHOWN
        shown += [f"{more} more"] if more > 0 else []
        return f" (got {' and '.join(filter(None, [', '.join(shown[:-1]), shown[-1]]))})"


class Complaints:
    """Collects what is wrong; what many cells or values share is told once.

    `n_cells`: cells of the experiment, once they are known; what is wrong with all of them is not blamed on one.
    `homes`: the keys of every table, once the system is known, for hints about those that stand in a wrong one.
    """

    def __init__(self, source: Source) -> None:
        self.n_cells = 0
        self.homes: Mapping[str, Collection[str]] = {}
        self._source = source
        self._complaints: dict[tuple[KeyPath, str], _Complaint] = {}
        self._blamed: set[tuple[KeyPath, tuple[Scalar, ...]]] = set()

    def __bool__(self) -> bool:
        return bool(self._complaints)

    @property
    def full(self) -> bool:
        """Whether there are more than are told: what is wrong besides need not be worded."""
        return len(self._complaints) > MOST

    def add(self, path: KeyPath, text: str, *, got: str = "", remedy: str = "", cell: str = "") -> None:
        """One complaint: "KEY: TEXT (got GOT at CELL); REMEDY".

        Texts that differ in their numbers only ("must be <= 96", "must be <= 296") are one complaint.
        """
        key = (path, re.sub(r"\d+(\.\d+)?", "#", text))
        if self.full and key not in self._complaints:
            return
        complaint = self._complaints.setdefault(key, _Complaint(path, text, remedy))
        if got not in ("", *complaint.got):
            complaint.got.append(got)
        complaint.cells.append(cell)

    def add_argument(self, path: KeyPath, error: ArgumentError, axes: Mapping[str, Scalar]) -> None:
        """An ArgumentError, blamed on the key at `path`, of the cell with these grid coordinates.

        Of several about one key of one cell the first is told: they are likely to be one mistake.
        """
        subject = "" if error.argument in (path[0], path[-1]) else f"`{error.argument}` "
        hint = error.remedy.removesuffix(".")
        if hint[1:2].islower():  # no symbol, such as M0
            hint = hint[0].lower() + hint[1:]
        cell = tuple(axes.values())
        if (path, cell) in self._blamed:
            return
        self._blamed.add((path, cell))
        others = {name: value for name, value in axes.items() if name != path[-1] or subject}
        where = ", ".join(f"{name} = {show(value)}" for name, value in others.items())
        self.add(
            path,
            f"{subject}must {error.must}",
            got="" if error.got is None else show(error.got),
            remedy=hint,
            cell=where,
        )

    def raise_all(self) -> NoReturn:
        """Raises ExperimentError with one line for each complaint, in the order of the file."""
        lines = []
        for complaint in self._complaints.values():
            order, place = self._source.blame(complaint.path)
            lines.append((order, f"{place}: {join_path(complaint.path)}: {complaint.message(self.n_cells)}"))
        told = [line for _, line in sorted(lines, key=lambda entry: entry[0])]
        if self.full:
            told[MOST:] = [f"{self._source.name}: and more: mend these first"]
        raise ExperimentError(told)
