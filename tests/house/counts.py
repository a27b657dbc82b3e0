"""The house in numbers: how long, how well explained, and whether imports run downward."""

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tests.house.rules import violations
from tests.house.source import Module

LONG_BODY = 60
SHORT_DOCSTRING = 3
_PRAGMAS = ("# noqa", "# type:", "# pyright:")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def counts(modules: Mapping[str, Module]) -> dict[str, str]:
    """Name and value of every number, in the order in which they are printed."""
    files = [len(module.text.splitlines()) for module in modules.values()]
    functions = [node for module in modules.values() for node in ast.walk(module.tree) if isinstance(node, Function)]
    lengths = [node.end_lineno - node.lineno + 1 for node in functions]
    bodies = [_body_lines(node) for node in functions]
    lines = sum(bool(line.strip()) for module in modules.values() for line in module.text.splitlines())
    comments = sum(_comments(module.text) for module in modules.values())
    public = [node for module in modules.values() for node in _public(module.tree)]
    texts = [ast.get_docstring(node) for node in public]
    short = sum(text is not None and len(text.split()) <= SHORT_DOCSTRING for text in texts)
    return {
        "files; lines median / p90 / max": f"{len(files)}; {_spread(files)}",
        "functions; lines median / p90 / max": f"{len(functions)}; {_spread(lengths)}",
        "longest body without its docstring": f"{max(bodies)}",
        f"bodies over {LONG_BODY} lines": f"{sum(body > LONG_BODY for body in bodies)}",
        "comments per 100 lines that are not blank": f"{100 * comments / lines:.1f}",
        "public docstrings missing": f"{texts.count(None)} of {len(texts)}",
        f"docstrings of {SHORT_DOCSTRING} words or fewer": f"{short}",
        "import violations": f"{len(violations(modules))}",
    }


def _spread(numbers: Sequence[int]) -> str:
    """Median, nine tenths and largest."""
    return " / ".join(f"{number:.0f}" for number in np.quantile(numbers, (0.5, 0.9, 1.0)))


def _body_lines(node: Function) -> int:
    """Lines from the first statement that is no docstring to the last."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return node.end_lineno - body[0].lineno + 1 if body else 0


def _comments(text: str) -> int:
    """Comments, those beside code too, but not what only speaks to a tool."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.COMMENT and not token.string.startswith(_PRAGMAS) for token in tokens)


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[ast.AST]:
    """A file, its public classes and functions, and the public methods of these."""
    if isinstance(tree, ast.Module):
        yield tree
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)
