"""What a file of Python imports, as far as it is somebody's own: the helpers of a student, or of a system."""

import ast
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

_INSTALLED = {"site-packages", "dist-packages"}


def imported_by(path: Path, package: str) -> Iterator[str]:
    """Modules that a file imports and that this process has loaded, by name.

    - `package`: that its relative imports start from; empty where those are none of the caller's business.

    Left out are Python's own, those of installed packages, which are known by their version, and those of sgdsim.
    """
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = resolve_name("." * node.level + (node.module or ""), package)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from filter(_is_own, names)


def _is_own(name: str) -> bool:
    """Whether a module is loaded from a file that neither Python, nor pip, nor sgdsim has put where it is."""
    file = getattr(sys.modules.get(name), "__file__", None)
    installed = file is None or _INSTALLED & set(Path(file).parts)
    return not installed and name.split(".")[0] not in ("sgdsim", *sys.stdlib_module_names)
