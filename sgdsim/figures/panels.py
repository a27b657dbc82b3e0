"""What all drawing functions share: the axes that they draw into, and the choice of what is drawn."""

from collections.abc import Mapping
from typing import TypeVar

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


def pick(found: Mapping[str, Entry], name: str | None, lacks: str) -> Entry:
    """The entry of this name; without one, the first.

    **Raises:** ArgumentError where nothing was found, with what the run `lacks`, and for a name that is not there.
    """
    if not found:
        raise ArgumentError("run", "have what is to be drawn", "none of it", f"It lacks {lacks}.")
    if name is not None and name not in found:
        raise ArgumentError("name", f"be one of {', '.join(found)}", name)
    return next(iter(found.values())) if name is None else found[name]
