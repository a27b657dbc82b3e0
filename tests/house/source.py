"""The package's files as Python reads them, without importing one."""

import ast
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """One file; `name` with dots, that of a package for its `__init__`."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        """The folder under the package, or the file where it stands in none; `sgdsim` for the package's `__init__`."""
        return self.name.split(".")[1] if "." in self.name else self.name


def modules(root: Path = ROOT) -> dict[str, Module]:
    """All files of the package in a checkout, by name."""
    found = {}
    for path in sorted((root / "sgdsim").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path)
    return found


def public_classes(module: Module) -> list[str]:
    """The classes that a file defines for others."""
    return [node.name for node in module.tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


@dataclass(frozen=True)
class Import:
    """One name that a file imports; `at_start` where the import of the file itself does it."""

    target: str
    line: int
    at_start: bool


@cache
def imports(module: Module) -> tuple[Import, ...]:
    """Every import of a file, also those within functions and those for a type checker alone."""
    found = []
    late = {id(node) for part in ast.walk(module.tree) if _runs_later(part) for node in ast.walk(part)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found += [Import(target, node.lineno, id(node) not in late) for target in targets]
    return tuple(found)


def _runs_later(node: ast.AST) -> bool:
    """Whether what stands in it is not run when the file is imported."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
