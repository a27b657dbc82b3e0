"""Names of public classes: each stands for one thing in the whole package."""

from collections.abc import Mapping

from tests.house.source import Module, public_classes

OF_EVERY_SYSTEM = ("ProblemSection", "StartSection", "TheorySection", "SimulatorSection", "ExplicitStart")
"""One of a kind in each system: the package of the system tells them apart."""


def doubled(modules: Mapping[str, Module]) -> dict[str, list[str]]:
    """Classes of one name in several files that are not meant to share it: the files by the name."""
    found: dict[str, list[str]] = {}
    for module in modules.values():
        for name in public_classes(module):
            found.setdefault(name, []).append(module.name)
    return {name: files for name, files in found.items() if len(files) > 1 and name not in OF_EVERY_SYSTEM}
