"""What installed packages add to sgdsim: entry points, found by name and imported on first use only.

A package adds a system, a figure or a law by a line of its pyproject.toml, whose name is that of the object, in the
group sgdsim.systems, sgdsim.figures or sgdsim.laws:

    [project.entry-points."sgdsim.systems"]
    least_squares = "my_package.least_squares:SYSTEM"

Neither JAX nor a system is imported here, so that the report may ask too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from sgdsim.errors import ArgumentError

Thing = TypeVar("Thing")


def plugins(group: str) -> dict[str, Any]:
    """The entry points of installed packages in a group, e.g. "sgdsim.figures", by name. None of them is imported."""
    return {entry.name: entry for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)}


def versions_behind(group: str, names: Iterable[str]) -> dict[str, str]:
    """Names and versions of the installed packages that add these names to a group of entry points."""
    packages = [entry.dist for name in names for entry in entry_points(group=group, name=name)]
    return {package.name: package.version for package in packages if package is not None}


def load_plugin(group: str, name: str, kind: type[Thing]) -> Thing:
    """What an installed package adds under a name; its code is imported here.

    **Raises:** ArgumentError where there is no such entry point or two that differ, it cannot be imported, it is no
    object of this kind, or it has another `name`.
    """
    # A package that lies twice on the path, as an editable one may, is still one.
    found = {entry.value: entry for entry in entry_points(group=group, name=name)}
    if len(found) != 1:
        must = f"be added by one installed package to the entry points {group}"
        raise ArgumentError(name, must, " and ".join(sorted(found)) or None, "Install it, or remove all but one.")
    value, entry = found.popitem()
    try:
        thing = entry.load()
    except Exception as error:  # the code of others may fail in any way
        reason = f"{type(error).__name__}: {error}"
        raise ArgumentError(name, f"be importable as {value}", reason, "Mend the package that adds it.") from error
    _check(group, name, kind, value, thing)
    return thing


def _check(group: str, name: str, kind: type[Any], value: str, thing: Any) -> None:
    """**Raises:** ArgumentError unless a thing is of this kind and has the name that it is found by."""
    if not isinstance(thing, kind):
        remedy = f"Let the entry point of {group} name an object, not a class."
        raise ArgumentError(name, f"be a {kind.__name__}, {value}", thing, remedy)
    own = getattr(thing, "name", name)
    if own != name:
        raise ArgumentError(name, f"be the name of {value} too", own, "Name the entry point as the object.")


@dataclass(frozen=True)
class Catalogue(Mapping[str, Thing], Generic[Thing]):
    """What there is by name: our `own` and, for a name that is not among them, what installed packages add.

    - `group`: of their entry points; `kind`: what each of them must be.

    A package cannot replace what is ours. **Raises:** ArgumentError where an entry point is broken; see `load_plugin`.
    """

    own: Mapping[str, Thing]
    group: str
    kind: type[Thing]

    def __getitem__(self, name: str) -> Thing:
        if name in self.own:
            return self.own[name]
        if name not in plugins(self.group):
            raise KeyError(name)
        return load_plugin(self.group, name, self.kind)

    def versions_behind(self, names: Iterable[str]) -> dict[str, str]:
        """Names and versions of the packages that add those of some names that are not ours."""
        return versions_behind(self.group, [name for name in names if name not in self.own])

    def __contains__(self, name: object) -> bool:
        """Whether there is one of this name; nothing is imported."""
        return name in self.own or name in plugins(self.group)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self.own, *plugins(self.group)]))

    def __len__(self) -> int:
        return len(list(iter(self)))
