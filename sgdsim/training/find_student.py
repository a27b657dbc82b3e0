"""Functions of students by name: ours, those of installed packages, and any that can be imported."""

import difflib
import importlib
from collections.abc import Callable
from typing import Any

from sgdsim import students
from sgdsim.errors import ArgumentError
from sgdsim.plugins import Catalogue

STUDENTS: Catalogue[Any] = Catalogue(
    {
        one.__name__: one
        for one in (students.two_layers, students.three_layers, students.normalised, students.attention)
    },
    "sgdsim.students",
    Callable,  # type: ignore[arg-type]
)
"""By one word: ours, and the entry points of packages in the group sgdsim.students."""
ARGUMENT = "module"


def find_student(name: str) -> Callable[..., Any]:
    """The function of a name: one of `STUDENTS`, or of "package:function", whose package is imported here.

    **Raises:** ArgumentError where there is none.
    """
    if ":" not in name:
        if name not in STUDENTS:
            close = difflib.get_close_matches(name, STUDENTS, 1)
            remedy = f"Did you mean {close[0]!r}?" if close else 'Any other is written "package:function".'
            raise ArgumentError(ARGUMENT, f"be one of {', '.join(STUDENTS)}, or package:function", name, remedy)
        return STUDENTS[name]
    package, _, function = name.partition(":")
    if not all(part.isidentifier() for part in [*package.split("."), *function.split(".")]):
        raise ArgumentError(ARGUMENT, "be written package:function", name, 'E.g. "my_package.students:three_layers".')
    found = _imported(name, package)
    for part in function.split("."):
        close = difflib.get_close_matches(part, dir(found), 1)
        found = getattr(found, part, None)
        if found is None:
            remedy = f"Did you mean {close[0]!r}?" if close else ""
            raise ArgumentError(ARGUMENT, f"name a function that is in {package}", name, remedy)
    if not callable(found):
        raise ArgumentError(ARGUMENT, "name a function", f"{name}, {type(found).__name__}")
    return found


def _imported(name: str, package: str) -> Any:
    try:
        return importlib.import_module(package)
    except Exception as error:  # the code of others may fail in any way
        missing = isinstance(error, ModuleNotFoundError) and error.name and f"{package}.".startswith(f"{error.name}.")
        remedy = "Install it: a file beside the experiment is not looked at." if missing else "Mend it."
        reason = f"{name}, {type(error).__name__}: {error}"
        raise ArgumentError(ARGUMENT, f"name a package that can be imported, {package}", reason, remedy) from error
