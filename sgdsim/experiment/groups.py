"""Which cells of a grid belong to one fit."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from sgdsim.contracts import Scalar
from sgdsim.store.blocks import describe


@runtime_checkable
class Gridded(Protocol):
    """What belongs to a fit: coordinates in a grid, and a problem with `parameters()`."""

    @property
    def axes(self) -> Mapping[str, Scalar]:
        """Its coordinates."""
        ...

    @property
    def problem(self) -> Any:
        """What has parameters."""
        ...


def groups(
    cells: Sequence[Gridded],
    against: str,
    second: str | None = None,
    along: str | None = None,
    apart: Collection[str] = (),
) -> list[tuple[str, list[int]]]:
    """The cells of each law against the parameter `against`: a label and their indices.

    The law runs along one axis of the grid, and there is one law for every combination of the others; its label names
    their values ("noise=0.001"), or is empty if there is one law only. Where `against` is not an axis itself but
    follows from several (dt, from d and kappa), the law runs along the axis of most values among those that change it.
    An axis that runs together with that one (a zip group) is part of it, and one whose value another settles is not
    named beside it. A law with a `second` parameter runs along an axis that changes this one too, if there is any.
    `along` names the axis where this is not the one that is meant, and `apart` axes of which every value has a law of
    its own, whatever runs together.
    """
    moving = along or _moving_axis(cells, against, second)
    others = [] if moving is None else _others(cells, moving, apart)
    members: dict[tuple[Scalar, ...], list[int]] = {}
    for position, cell in enumerate(cells):
        members.setdefault(tuple(cell.axes[name] for name in others), []).append(position)
    return [(describe(dict(zip(others, values, strict=True))), rows) for values, rows in members.items()]


def _others(cells: Sequence[Gridded], moving: str, apart: Collection[str]) -> list[str]:
    """The axes of every value of which there is a law."""
    others: list[str] = []
    for name in _varying(cells):
        leaders = others if name in apart and name != moving else (moving, *others)
        if not any(_follows(cells, name, leader) for leader in leaders):
            others.append(name)
    return others


def _varying(cells: Sequence[Gridded]) -> list[str]:
    """Names of the axes that take more than one value."""
    return [name for name in cells[0].axes if len({cell.axes[name] for cell in cells}) > 1]


def _moving_axis(cells: Sequence[Gridded], against: str, second: str | None) -> str | None:
    varying = _varying(cells)
    if against in varying:
        return against
    candidates = [name for name in varying if _changes(cells, name, against)]
    both = [name for name in candidates if second is not None and _changes(cells, name, second)]
    return max(both or candidates, key=lambda name: len({cell.axes[name] for cell in cells}), default=None)


def _changes(cells: Sequence[Gridded], axis: str, against: str) -> bool:
    """Whether the parameter differs between two cells that differ in this axis, and in what runs with it, only."""
    others = [name for name in _varying(cells) if not _follows(cells, name, axis)]
    seen: dict[tuple[Scalar, ...], set[Scalar]] = {}
    for cell in cells:
        key = tuple(cell.axes[name] for name in others)
        seen.setdefault(key, set()).add(cell.problem.parameters()[against])
    return any(len(values) > 1 for values in seen.values())


def _follows(cells: Sequence[Gridded], axis: str, leader: str) -> bool:
    """Whether the value of one axis is settled by that of another, as in a zip group."""
    return len({(cell.axes[leader], cell.axes[axis]) for cell in cells}) == len({cell.axes[leader] for cell in cells})
