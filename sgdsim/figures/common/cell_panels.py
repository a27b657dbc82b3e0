"""How the learning curves of a grid are laid out: which cells share a panel, and the colour and mark of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from sgdsim.figures.common.curves import alive, place_label
from sgdsim.figures.style import MARKERS, NAMED_COLOURS, NAMED_MARKERS, series_colours
from sgdsim.store.curves import Curves

SHADES = (-0.3, 0.45)
"""Of several curves in one colour: from mixed with black to mixed with white."""


@dataclass(frozen=True)
class PanelLayout:
    """Which cells share a panel: its title and its cells with their labels, in the order of the grid.

    Cells of a panel differ in one factor of the grid: the dimension d where it varies, else that of most values.
    """

    panels: tuple[tuple[str, dict[int, str]], ...]
    classes: tuple[str | None, ...]
    """Of every cell, the value of the parameter that is named by colours; None where there is no such parameter."""

    @property
    def classed(self) -> bool:
        """Whether cells are of several classes, so that colours stand for these."""
        return len(set(self.classes)) > 1

    def mixed(self, cells: Iterable[int]) -> bool:
        """Whether these cells are of several classes."""
        return len({self.classes[cell] for cell in cells}) > 1

    @property
    def labels(self) -> list[str]:
        """What tells the cells of a panel apart, of all panels."""
        return list(dict.fromkeys(label for _, panel in self.panels for label in panel.values()))


def classes_of(run: Curves) -> tuple[str | None, ...]:
    """Of every cell, the parameter all of whose values are names of colours."""
    rows = run.parameters
    for name in rows[0] if rows else ():
        # By its values, not by its name: which parameter a system calls by colours is the system's matter.
        if all(row.get(name) in NAMED_COLOURS for row in rows):
            return tuple(row[name] for row in rows)
    return (None,) * len(rows)


def layout_of(run: Curves) -> PanelLayout:
    """Panels and labels; cells without a finite replica are left out."""
    axes = run.axes
    factors = _factors(axes, run.varying)
    inner = max(factors, key=lambda names: ("d" in names, len(_values(axes, names))), default=())
    outer = [name for names in factors if names != inner for name in names]
    panels: dict[str, dict[int, str]] = {}
    for cell in alive(run):
        panels.setdefault(place_label(axes[cell], outer), {})[cell] = place_label(axes[cell], inner)
    return PanelLayout(tuple(panels.items()), classes_of(run))


def _factors(axes: Sequence[Mapping[str, Any]], names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The axes, with those that run together (a zip group) as one."""
    factors: list[tuple[str, ...]] = []
    for name in names:
        for index, group in enumerate(factors):
            # Axes that run together, as those of a zip group, have no more pairs of values than either has values.
            both = len(_values(axes, (*group, name)))
            if both == len(_values(axes, group)) or both == len(_values(axes, (name,))):
                factors[index] = (*group, name)
                break
        else:
            factors.append((name,))
    return factors


def _values(axes: Sequence[Mapping[str, Any]], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return list(dict.fromkeys(tuple(cell[name] for name in names) for cell in axes))


def title_of(layout: PanelLayout, title: str, cells: Iterable[int]) -> str:
    """The panel's own axes, and its class where the grid has several and the panel one."""
    classes = {layout.classes[cell] for cell in cells}
    return f"{title} ({classes.pop()})" if layout.classed and title and len(classes) == 1 else title


def colours_of(layout: PanelLayout, cells: Mapping[int, str]) -> dict[int, str]:
    """A colour for every cell of a panel: shades of its class's, or a place on the ordered palette."""
    if not layout.classed:
        palette = dict(zip(layout.labels, series_colours(len(layout.labels)), strict=True))
        return {cell: palette[label] for cell, label in cells.items()}
    colours = {}
    for name, base in NAMED_COLOURS.items():
        members = [cell for cell in cells if layout.classes[cell] == name]
        mixes = np.linspace(*SHADES, len(members)) if len(members) > 1 else [0.0]
        colours |= {cell: _mixed(base, mix) for cell, mix in zip(members, mixes, strict=False)}
    return colours


def _mixed(colour: str, mix: float) -> str:
    """The colour mixed with white (mix > 0) or black (mix < 0)."""
    share = abs(mix)
    red, green, blue = ((1 - share) * part + share * (mix > 0) for part in to_rgb(colour))
    return to_hex((red, green, blue))


def marks_of(layout: PanelLayout, cells: Mapping[int, str], cell: int, index: int) -> dict[str, Any]:
    """A few marks along the curve: those of its class if the panel's cells are of several, else of its order."""
    named = NAMED_MARKERS[layout.classes[cell] or ""] if layout.mixed(cells) else MARKERS[index % len(MARKERS)]
    # Marks begin at different places: curves that lie on one another still show all of theirs.
    return {"marker": named, "markersize": 3.5, "markevery": (0.04 + 0.03 * index, 0.2)} if len(cells) > 1 else {}
