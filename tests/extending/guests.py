"""Packages as pip installs them, made in a folder of a test."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def example(monkeypatch, name: str) -> ModuleType:
    """A module of docs/examples, without a package around it."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module(name)


def install(monkeypatch, folder: Path, groups: Mapping[str, Mapping[str, str]], package: str = "guest") -> None:
    """A package with these entry points on the path of this process, beside the modules of docs/examples."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()), ""]
    (info / "entry_points.txt").write_text("\n".join(lines))
    for path in (EXAMPLES, folder):
        monkeypatch.syspath_prepend(str(path))
