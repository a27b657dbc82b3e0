"""The laws of a run as the figures of them need it: by name, by group, and along an axis of the groups."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdsim.figures.style import CATEGORIES, math_name, series_colours
from sgdsim.figures.typeset import shown
from sgdsim.laws.law import Fitted, Found
from sgdsim.store.stored import Stored

PANEL = (4.4, 3.4)
"""Inches of a panel of laws against an axis of their groups."""
SPREAD = 10
"""Largest over smallest value from which an axis is logarithmic."""


def panels(laws: Mapping[str, Found]) -> dict[str, dict[str, Found]]:
    """Laws by the name of their fit, then by the group of the other axes ("" where there is one group only)."""
    found: dict[str, dict[str, Found]] = {}
    for label, law in laws.items():
        name, _, group = label.partition("[")
        found.setdefault(name, {})[group.removesuffix("]")] = law
    return found


def coordinates(group: str) -> dict[str, str]:
    """The axes that a group is named after: {"b": "0.2"} of "b=0.2"."""
    return dict(part.split("=", 1) for part in group.split(", ")) if group else {}


def by_axis(laws: Mapping[str, Found], axis: str) -> dict[float, Found]:
    """The first named fit whose groups are told apart by this axis alone, by increasing value of it."""
    for groups in panels(laws).values():
        places = [coordinates(group) for group in groups]
        if all(set(place) == {axis} for place in places):
            found = {float(place[axis]): law for place, law in zip(places, groups.values(), strict=True)}
            return dict(sorted(found.items()))
    return {}


def group_label(values: dict[str, str], alone: str = "") -> str:
    """A group in a legend, its axes as symbols."""
    return ", ".join(f"{math_name(name)} = {shown(value)}" for name, value in values.items()) or alone


def colours(count: int) -> list[str]:
    """As many colours that are told apart: categories as long as there are enough."""
    return list(CATEGORIES[:count]) if count <= len(CATEGORIES) else series_colours(count)


@dataclass(frozen=True)
class Along(Generic[Found]):
    """Laws of one name, along that axis of their groups which takes most values.

    - `axis`: its name.
    - `curves`: for every combination of the other axes, as a label, the laws by increasing value of the axis.
    """

    axis: str
    curves: dict[str, list[tuple[float, Found]]]

    @property
    def logarithmic(self) -> bool:
        """Whether the values reach over a factor of ten."""
        values = [value for curve in self.curves.values() for value, _ in curve]
        return min(values) > 0 and max(values) >= SPREAD * min(values)


def along(laws: Mapping[str, Found]) -> Along[Found] | None:
    """The laws of the groups of one name along an axis; None where no axis of numbers has two values."""
    rows = [(coordinates(group), law) for group, law in laws.items()]
    values = {name: {row[name] for row, _ in rows} for name in rows[0][0]}
    # Names of groups are texts, as the summary holds them: an axis of words has no order to be drawn in.
    numeric = [name for name, some in values.items() if len(some) > 1 and all(map(_is_number, some))]
    if not numeric:
        return None
    # The longest axis makes curves; the others tell them apart.
    axis = max(numeric, key=lambda name: len(values[name]))
    curves: dict[str, list[tuple[float, Found]]] = {}
    for row, law in rows:
        rest = {name: value for name, value in row.items() if name != axis}
        curves.setdefault(group_label(rest), []).append((float(row[axis]), law))
    return Along(axis, {label: sorted(curve, key=lambda point: point[0]) for label, curve in curves.items()})


def all_along(run: Stored, kind: type[Found]) -> dict[str, Along[Found]]:
    """The laws of one kind by name, of those whose groups have an axis to be drawn against."""
    found = {name: along(groups) for name, groups in panels(run.laws(kind)).items()}
    return {name: one for name, one in found.items() if one is not None}


def draw_along(run: Stored, kind: type[Fitted], draw: Callable[[Stored, str, Axes], Axes]) -> Figure:
    """A panel for each name of the laws of one kind, one below another."""
    found = all_along(run, kind)
    figure = Figure(figsize=(PANEL[0], PANEL[1] * len(found)), layout="constrained")
    for axes, name in zip(figure.subplots(len(found), 1, squeeze=False)[:, 0], found, strict=True):
        draw(run, name, axes)
    return figure


def numbers(values: Any) -> np.ndarray:
    """Numbers of a summary as an array, NaN for those that are missing."""
    return np.array(values, np.float64)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
