"""Components of a matrix as curves: which are drawn, how they are called, and where their names stand."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from sgdsim.store.curves import Curves

Component = tuple[int, ...]
COMPONENTS = 3
"""Components of a matrix drawn at most, from the largest at the final time to the smallest."""


def series(run: Curves, variable: str, cell: int, component: Component) -> Float[np.ndarray, " times"]:
    """One component of a variable of a cell against time; of a scalar, the component ()."""
    values = run.results[variable].isel(cell=cell).to_numpy()  # (times, *dims)
    return values[(slice(None), *component)]


def having(run: Curves, name: str, cells: list[int]) -> list[int]:
    """The cells that have the observable at all, e.g. a second layer only where it is trained."""
    values = run.results[run.column(name)]
    return [cell for cell in cells if bool(np.isfinite(values.isel(cell=cell, time=-1)).any())]


def chosen_components(run: Curves, name: str, cells: list[int]) -> list[Component]:
    """At most COMPONENTS indices that every drawn cell with the observable has.

    Of the mirror images of a symmetric matrix one is left out.
    """
    cells = having(run, name, cells)
    final = run.results[run.column(name)].isel(cell=cells, time=-1).to_numpy()  # (cells, *dims)
    # Of a symmetric matrix each element is shown once.
    symmetric = final.ndim == 3 and final.shape[1] == final.shape[2] and _equal(final, final.swapaxes(1, 2))
    indices = [
        index
        for index in np.ndindex(final.shape[1:])
        if np.isfinite(final[(slice(None), *index)]).all() and not (symmetric and index[0] > index[1])
    ]
    # By the last of the cells that are drawn, so that components keep their order in all of them.
    indices.sort(key=lambda index: -final[(-1, *index)])
    picks = np.linspace(0, len(indices) - 1, min(COMPONENTS, len(indices))).round().astype(int)
    return [indices[pick] for pick in picks]


def _equal(left: np.ndarray, right: np.ndarray) -> bool:
    return bool(np.allclose(left, right, rtol=1e-12, atol=1e-300, equal_nan=True))


def loudest(run: Curves, name: str, cells: list[int]) -> Component:
    """The component that fluctuates most in the first of the cells, of those that are drawn."""
    components, first = chosen_components(run, name, cells), having(run, name, cells)[0]
    return max(components, key=lambda component: float(series(run, f"{name}_std", first, component).sum()))


def component_label(run: Curves, name: str, component: Component) -> str:
    """M_12, or M_{3,12} where an index has two digits; counted from 1 as in the papers."""
    # From ten on two indices side by side would read as one number.
    separator = "," if max(component) > 8 else ""
    return f"${run.symbol(name)}_{{{separator.join(str(index + 1) for index in component)}}}$"


def label_components(axes: Axes, run: Curves, name: str, cells: list[int], components: list[Component]) -> None:
    """Names of the components at the right end of their curves, pushed apart where they would overlap."""
    bottom, top = axes.get_ylim()
    gap = 0.1 * (top - bottom)
    ceiling, last = np.inf, having(run, name, cells)[-1]
    for component in components:  # largest first
        height = min(series(run, run.column(name), last, component)[-1], ceiling)
        ceiling = height - gap
        place = (run.times(last)[-1], height)
        label = component_label(run, name, component)
        axes.annotate(label, place, xytext=(3, 0), textcoords="offset points", va="center", fontsize=8)
