"""The code that simulates: which files have a hand in the numbers of a block, and what they hold."""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import sgdsim
from sgdsim.errors import ExperimentError
from sgdsim.store.imported import imported_by

if TYPE_CHECKING:  # the contracts need JAX, without which a run can be looked at
    from sgdsim.contracts import Problem, System

ROOMS = ("contracts", "ensemble", "images", "native", "rules", "training")
"""Rooms of sgdsim that every kernel is made of."""
MODULES = ("experiment/axis.py", "experiment/cells.py", "experiment/grid.py")
"""What makes the problems of the cells out of an experiment."""
_SUFFIXES = (".py", ".h")
_BESIDE = ("pydantic",)
"""Whose classes a system may use as they are, and whose versions are no code of it."""
_SHOWN = 3
_READ: dict[Path, tuple[object, str]] = {}
"""Files as this process has them: by which import, and the checksum that they had when they were first looked at."""


@dataclass(frozen=True)
class Code:
    """Files of Python and C++ by name, e.g. "sgdsim/committee/chain.py", each with a checksum of its content."""

    files: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """A short name for all of them: what blocks carry."""
        text = "\n".join(f"{name} {checksum}" for name, checksum in sorted(self.files.items()))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def differing(self, other: "Code") -> list[str]:
        """The files in which two codes differ, those that only one of them has included."""
        names = sorted({*self.files, *other.files})
        return [name for name in names if self.files.get(name) != other.files.get(name)]

    def difference(self, other: "Code") -> str:
        """The files in which two codes differ, in words: "sgdsim/rules/rule.py and 2 more"."""
        names = self.differing(other)
        more = len(names) - _SHOWN
        return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def code_of(*classes: type, modules: tuple[str, ...] = ()) -> Code:
    """The code behind some classes of a system, as it lies on disk: what all kernels share, and their own packages.

    - `modules`: others of Python, by name, whose packages have a hand in the numbers too.

    Whole files are compared: whether a change touches a number cannot be told from its text. What a file of somebody's
    own imports is followed, up to packages that are installed.

    **Raises:** ExperimentError where a file was changed since this process has loaded it, or a module is in no file.
    """
    own = Path(sgdsim.__file__).parent
    files = [*(path for room in ROOMS for path in _below(own / room)), *(own / name for name in MODULES)]
    found = {f"sgdsim/{path.relative_to(own).as_posix()}": _checksum(path) for path in files}
    waiting = list(dict.fromkeys((*(one.__module__ for one in classes), *modules)))
    while waiting:
        waiting += _add_package(waiting.pop(), found)
    return Code(found)


def code_of_system(system: "System", problems: Iterable["Problem"] = ()) -> Code:
    """The code that simulates a system, ours or that of a package, and what some problems bring with them.

    **Raises:** ExperimentError as `code_of` does.
    """
    modules = {module for problem in problems for module in problem.code_modules()}
    return code_of(system.problem_section, type(system.default_simulator), modules=tuple(sorted(modules)))


def _add_package(module: str, found: dict[str, str]) -> Iterator[str]:
    """Adds the files of the room of sgdsim, or of the package, that holds a module; tells what they import."""
    top, *rest = module.split(".")
    if top == "sgdsim" and rest:
        top = f"sgdsim.{rest[0]}"
    elif top in _BESIDE or top in sys.stdlib_module_names:
        return
    # A package without an __init__ has no file of its own: then the module counts alone.
    name = top if getattr(sys.modules.get(top), "__file__", None) else module
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        problem = f"module {name}: is in no file, so that a run folder cannot know its code"
        raise ExperimentError([f'{problem}; write it to a file, and name that: "my_module:function"'])
    path, spec = Path(file), getattr(sys.modules[name], "__spec__", None)
    whole = path.name == "__init__.py"
    for one in _below(path.parent) if whole else [path]:
        inside = f"/{one.relative_to(path.parent).as_posix()}" if whole else path.suffix
        known = name.replace(".", "/") + inside
        if known not in found:
            found[known] = _checksum(one, spec)
            if not name.startswith("sgdsim") and one.suffix == ".py":
                yield from imported_by(one, "" if whole else name.rpartition(".")[0])


def _below(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix in _SUFFIXES and path.is_file()]


def _checksum(path: Path, spec: object = None) -> str:
    """That of a file, which a process must not have loaded as it was before.

    - `spec`: of its module: another one after it was imported again.
    """
    about = path.stat()
    found = _read_checksum(path, about.st_mtime_ns, about.st_size)
    known, before = _READ.setdefault(path, (spec, found))
    if known is not spec:
        _READ[path] = spec, found
    elif before != found:
        problem = "was changed after this process had loaded it, so that its numbers would be those of other code"
        raise ExperimentError([f"{path}: {problem}; begin a new process, or in a notebook restart the kernel"])
    return found


@lru_cache(maxsize=4096)
def _read_checksum(path: Path, changed: int, size: int) -> str:
    # Line ends as a checkout on another system may have them are no other code.
    return hashlib.blake2b(path.read_bytes().replace(b"\r\n", b"\n"), digest_size=8).hexdigest()
