"""The systems that experiments can be about, by name: ours, and those of installed packages."""

import importlib

from sgdsim.contracts import Problem, System
from sgdsim.errors import ArgumentError
from sgdsim.plugins import load_plugin, versions_behind
from sgdsim.plugins import plugins as plugins

SYSTEMS = ("committee", "meanfield", "classification", "recovery")
"""Ours. A package cannot replace them."""
GROUP = "sgdsim.systems"
"""The entry points of installed packages that name a `System` each."""


def known_systems() -> tuple[str, ...]:
    """The names of all systems, ours first. Nothing is imported."""
    return tuple(dict.fromkeys([*SYSTEMS, *plugins(GROUP)]))


def is_known(name: str) -> bool:
    """Whether there is a system of this name. Installed packages are asked only where it is none of ours."""
    return name in SYSTEMS or name in plugins(GROUP)


def versions_behind_system(name: str) -> dict[str, str]:
    """Name and version of the installed package that adds the system of this name; nothing where it is ours."""
    return {} if name in SYSTEMS else versions_behind(GROUP, [name])


def load_system(name: str) -> System:
    """The system of this name; its code (and JAX) is imported here, not before.

    **Raises:** ArgumentError for a name that nobody knows, or where a package's system cannot be had.
    """
    if name in SYSTEMS:
        return importlib.import_module(f"sgdsim.{name}.system").SYSTEM
    if not is_known(name):
        remedy = f"Install the package whose entry point in {GROUP} has this name."
        raise ArgumentError("system", f"be one of {', '.join(known_systems())}", name, remedy)
    return load_plugin(GROUP, name, System)


def system_of(problem: Problem) -> System:
    """The system that a problem carries or, where it carries none, the one of its name.

    **Raises:** ArgumentError where neither is known, or the one that it carries has another name.
    """
    system = problem.own_system()
    if system is None:
        return _named(problem)
    if not isinstance(system, System) or system.name != problem.system:
        argument = f"{type(problem).__name__}.own_system"
        got = system.name if isinstance(system, System) else system
        raise ArgumentError(argument, f"return the System of the name {problem.system!r}", got)
    return system


def _named(problem: Problem) -> System:
    try:
        return load_system(problem.system)
    except ArgumentError as error:
        argument = f"{type(problem).__name__}.system"
        remedy = f"{error.remedy} Or let {type(problem).__name__}.own_system return its System."
        raise ArgumentError(argument, error.must, error.got, remedy) from error
