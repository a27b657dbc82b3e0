"""The grid of an experiment: axes of problem keys, and the points of their product."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel

from sgdsim.contracts import Scalar
from sgdsim.errors import ArgumentError
from sgdsim.experiment.axis import MAX_CELLS, Axis, read_axis
from sgdsim.experiment.complaints import Complaints
from sgdsim.experiment.locate import KeyPath
from sgdsim.experiment.schema import hint
from sgdsim.experiment.wording import join_path, show, unknown

Factor = dict[str, Axis]
"""Axes that run together: a single axis, or those of a zip group."""


@dataclass
class Grid:
    """A product of factors, the last running fastest: single axes in the order of the file, then the zip groups.

    `paths` says where each axis is written; `broken` are the keys whose axes could not be read.
    """

    factors: list[Factor] = field(default_factory=list)
    paths: dict[str, KeyPath] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return math.prod(len(_rows(factor)) for factor in self.factors)

    def points(self) -> Iterator[dict[str, Scalar]]:
        """The value of every axis at each point, in order."""
        for combination in itertools.product(*map(_rows, self.factors)):
            yield {key: value for row in combination for key, value in row.items()}

    def to_table(self) -> dict[str, Any]:
        """The table [grid] that gives this grid, every axis a list."""
        table: dict[str, Any] = {}
        for factor in self.factors:
            if any("zip" in self.paths[key] for key in factor):
                table.setdefault("zip", []).append(factor)
            else:
                table |= factor
        return table


def _rows(factor: Factor) -> list[dict[str, Scalar]]:
    return [dict(zip(factor, values, strict=True)) for values in zip(*factor.values(), strict=True)]


@dataclass(frozen=True)
class Home:
    """A table whose keys may be axes instead, e.g. [problem]: its name, what is fixed in it, and its section."""

    name: str
    fixed: Mapping[str, Any]
    section: type[BaseModel]


def read_grid(table: dict[str, Any], homes: Sequence[Home], complaints: Complaints) -> Grid:
    """The grid of a table [grid], with complaints about what is wrong with it; no two homes have a key in common."""
    reader = _Reader(homes, complaints)
    for key, spec in table.items():
        if key != "zip":
            reader.read_factor({key: spec}, ("grid",))
    groups = table.get("zip", [])
    if isinstance(groups, list) and all(isinstance(group, dict) for group in groups):
        for index, group in enumerate(groups):
            reader.read_factor(group, ("grid", "zip", index))
    else:
        complaints.add(("grid", "zip"), "must be tables [[grid.zip]], one for each group of axes", got=show(groups))
    grid = reader.grid
    if len(grid) > MAX_CELLS:
        complaints.add(("grid",), f"must have at most {MAX_CELLS} cells", got=str(len(grid)))
        grid.broken.update(grid.paths)
    return grid


@dataclass
class _Reader:
    homes: Sequence[Home]
    complaints: Complaints
    grid: Grid = field(default_factory=Grid)

    def read_factor(self, specs: dict[str, Any], path: KeyPath) -> None:
        """Reads a single axis, or a zip group; one with a mistake in it becomes broken."""
        factor: Factor = {}
        for key, spec in specs.items():
            if self._claim(key, (*path, key)):
                try:
                    factor[key] = read_axis(key, spec, _number_kind(self._home(key).section, key))
                except ArgumentError as error:
                    self.complaints.add_argument((*path, key), error, {})
        if factor.keys() == specs.keys() and self._is_regular(factor, path):
            self.grid.factors += [factor] if factor else []
        else:
            self.grid.broken.update(specs)

    def _claim(self, key: str, path: KeyPath) -> bool:
        """Whether a key may be an axis, here; it is one from now on."""
        paths, home = self.grid.paths, self._home(key)
        if key not in home.section.model_fields:
            self.complaints.add(path, self._unknown(key, path))
        elif key in paths:
            self.complaints.add(path, f"is an axis already, as {join_path(paths[key])}", remedy="remove one of the two")
        elif key in home.fixed:
            self.complaints.add(path, f"is set in [{home.name}] too", remedy="remove one of the two")
        else:
            paths[key] = path
            return True
        return False

    def _home(self, key: str) -> Home:
        """The table that a key belongs to; the first where it is a key of none."""
        return next((home for home in self.homes if key in home.section.model_fields), self.homes[0])

    def _unknown(self, key: str, path: KeyPath) -> str:
        """What is said of a key that no table has whose keys may be axes."""
        found = next(filter(None, (hint(path, home.section, self.complaints) for home in self.homes)), "")
        if " in [" in found or " of [" in found:
            found += " Only" * found.endswith("?") or "; only"
            *names, last = (f"[{home.name}]" for home in self.homes)
            found += f" keys of {' and '.join(filter(None, [', '.join(names), last]))} can be axes"
        return unknown("key", key, [name for home in self.homes for name in home.section.model_fields], found)

    def _is_regular(self, factor: Factor, path: KeyPath) -> bool:
        """Whether the axes of a factor are equally long, and no point comes twice."""
        if len({len(axis) for axis in factor.values()}) > 1:
            lengths = ", ".join(f"{key} has {len(axis)}" for key, axis in factor.items())
            self.complaints.add(path, f"must have equally many values of every axis, but {lengths}")
            return False
        points = Counter(tuple(row.items()) for row in _rows(factor))
        twice = [point for point, count in points.items() if count > 1]
        if twice:
            place = path if len(factor) > 1 else (*path, *factor)
            got = ", ".join(f"{key} = {show(value)}" for key, value in twice[0])
            self.complaints.add(place, "must not have a point twice", got=got, remedy="remove one of the two")
        return not twice


def _number_kind(section: type[BaseModel], key: str) -> type:
    """int or float, for a key that takes such a number (or none), else object."""
    annotation = section.model_fields[key].annotation
    kinds = [getattr(kind, "__origin__", kind) for kind in get_args(annotation) or (annotation,)]  # of Annotated
    return next((kind for kind in (float, int) if kind in kinds), object)
