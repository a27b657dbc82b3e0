"""What all drawing functions share: the axes that they draw into, and the choice of what is drawn."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from sgdsim.errors import ArgumentError

Entry = TypeVar("Entry")


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
