"""The planted errors: one file of `errors/` for each room, one table of it for each error."""

import ast
import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
KEYS = ("wrong", "file", "old", "new", "tests")


@dataclass(frozen=True)
class Planted:
    """An error in `file`, in place of what is right there: `old`, which is there once.

    - `wrong`: what is wrong, in words; no two errors share them.
    - `tests`: those that must see it, by their pytest names.
    """

    room: str
    wrong: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def planted(self, text: str) -> str:
        """The text of the file with the error in it."""
        if text.count(self.old) != 1:
            found = f"{self.file} has {text.count(self.old)} times what it replaces"
            raise ValueError(f"{self.wrong!r} must be planted at one place, but {found}.")
        return text.replace(self.old, self.new)

    def digest(self, test: str = "", root: Path = ROOT) -> str:
        """Of the error, of the definition that it is in, and of the test that saw it: an outcome holds for these.

        Comments, docstrings, and everything else in these files may change under it.
        """
        text = (root / self.file).read_text()
        line = text[: text.index(self.old)].count("\n") + 1
        parts = [self.file, self.old, self.new, _definition(text, line)]
        if test:
            parts += [test, definition_of(test, root)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def names(self, test: str) -> bool:
        """Whether a test is one of its tests, or in a file or function of them."""
        return any(re.match(re.escape(name) + r"(::|\[|$)", test) for name in self.tests)


def planted(folder: Path = FOLDER / "errors") -> list[Planted]:
    """All of them, in the order of the files and within them."""
    return [error for path in sorted(folder.glob("*.toml")) for error in _read(path)]


def _read(path: Path) -> Iterator[Planted]:
    for entry in tomllib.loads(path.read_text())["error"]:
        if tuple(entry) != KEYS:
            raise ValueError(f"Every error of {path.name} must have {', '.join(KEYS)}, but one has {', '.join(entry)}.")
        yield Planted(path.stem, **entry | {"tests": tuple(entry["tests"])})


def definition_of(test: str, root: Path = ROOT) -> str:
    """The code of the test `path::function[case]`.

    **Raises:** ValueError where there is none.
    """
    path, function = test.partition("[")[0].split("::")
    text = (root / path).read_text()
    found = re.search(rf"^def {re.escape(function)}\(", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{path} must have a test {function}, but has not.")
    return _definition(text, text[: found.start()].count("\n") + 1)


def _definition(text: str, line: int) -> str:
    """The code of the outermost function or the method that the line is in; of the statement where it is in neither."""
    node = _innermost(_tree(text), line)
    lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
        docstring = node.body[0]
        lines[docstring.lineno - node.lineno : docstring.end_lineno - node.lineno + 1] = []
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _innermost(tree: ast.Module | ast.ClassDef, line: int) -> ast.stmt:
    """Classes are looked into, functions are not."""
    node = next(node for node in tree.body if _begin(node) <= line <= node.end_lineno)
    return _innermost(node, line) if isinstance(node, ast.ClassDef) and line >= node.body[0].lineno else node


def _begin(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


@cache
def _tree(text: str) -> ast.Module:
    return ast.parse(text)
