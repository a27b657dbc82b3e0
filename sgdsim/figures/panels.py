"""What all figures share: the axes that are drawn into, the choice of what is drawn, letters and legends."""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.offsetbox import AnnotationBbox, TextArea

from sgdsim.errors import ArgumentError

Entry = TypeVar("Entry")
COLOURBAR = "<colorbar>"
"""The label that matplotlib gives the axes of a colour scale."""
AWAY = (-10, 5)
"""Of a letter from the upper left corner of its panel, points: beside the multiplier that stands over an axis."""


def panel(ax: Axes | None) -> Axes:
    """The given axes; without any, those of a new figure of pyplot, which a notebook shows by itself."""
    if ax is not None:
        return ax
    # Here and not above: pyplot picks a window system when it is imported, which a report never needs.
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def around(x: Float[np.ndarray, " points"], room: float = 1.3, count: int = 64) -> Float[np.ndarray, " count"]:
    """Where a law is drawn on a logarithmic axis: from its points on to a factor `room` beyond the outer ones."""
    return np.geomspace(x.min() / room, x.max() * room, count)


def pick(found: Mapping[str, Entry], name: str | None, lacks: str) -> Entry:
    """The entry of this name; without one, the first.

    **Raises:** ArgumentError where nothing was found, with what the run `lacks`, and for a name that is not there.
    """
    if not found:
        raise ArgumentError("run", "have what is to be drawn", "none of it", f"It lacks {lacks}.")
    if name is not None and name not in found:
        raise ArgumentError("name", f"be one of {', '.join(found)}", name)
    return next(iter(found.values())) if name is None else found[name]


def legend_beside(figure: Figure | SubFigure, handles: Sequence[Any], labels: Sequence[str] = (), **style: Any) -> None:
    """A legend to the right of the panels: above them, several lines would take the height of the figure."""
    names = list(labels) or [str(handle.get_label()) for handle in handles]
    place = {"loc": "outside right upper", "handlelength": 1.6, "borderaxespad": 0.0}
    figure.legend(list(handles), names, **place | style)


def letter(figure: Figure) -> None:
    """Letters at the panels, so that a text can name them; none where there is one panel only."""
    found = [axes for axes in figure.axes if axes.axison and axes.get_visible() and axes.get_label() != COLOURBAR]
    for axes, name in zip(found, ascii_lowercase if len(found) > 1 else "", strict=False):
        # A box and no text of the axes: what is written into a panel stays what its drawing function wrote.
        text = TextArea(name, textprops={"fontsize": 9, "fontweight": "bold"})
        place: dict[str, Any] = {"xycoords": "axes fraction", "boxcoords": "offset points", "box_alignment": (1, 0)}
        axes.add_artist(AnnotationBbox(text, (0, 1), AWAY, frameon=False, pad=0, **place))
