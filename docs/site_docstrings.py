"""Docstrings as pages show them: a star in an equation is none of emphasis, and a parameter is told by its words."""

import ast
import re
from typing import Any

import griffe

BOUNDS = {"above": ">", "least": ">=", "below": "<", "most": "<="}
STAR = re.compile(r"(`[^`]*`)|(?<![*\\])\*(?!\*)")


class Shown(griffe.Extension):
    """Makes Markdown of docstrings that are plain text with equations, and docstrings of declared parameters."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrites the docstring of an object, and of a parameter its annotation too."""
        if obj.docstring is not None:
            lines = obj.docstring.value.split("\n")
            obj.docstring.value = "\n".join(line if line.startswith("    ") else escaped(line) for line in lines)
        elif isinstance(obj, griffe.Attribute) and (found := _declared(obj.annotation)):
            obj.annotation, words = found
            obj.docstring = griffe.Docstring(words, parent=obj)


def escaped(line: str) -> str:
    """A line whose single stars are stars, but for those within backquotes."""
    return STAR.sub(lambda found: found[1] or r"\*", line)


def _declared(annotation: Any) -> tuple[Any, str] | None:
    """The type of an Annotated[type, Parameter(symbol, words, ...)], and its words with the range."""
    parts: list[Any] = getattr(getattr(annotation, "slice", None), "elements", [])
    call = parts[-1] if parts else None
    if not isinstance(call, griffe.ExprCall) or str(call.function) != "Parameter":
        return None
    named = {one.name: str(one.value) for one in call.arguments if isinstance(one, griffe.ExprKeyword)}
    words = str(next(argument for argument in call.arguments[1:] if not isinstance(argument, griffe.ExprKeyword)))
    if words[:1] in "'\"":  # griffe takes a string that could be the name of a type for that name
        words = ast.literal_eval(words)
    allowed = " and ".join(f"{sign} {named[key]}" for key, sign in BOUNDS.items() if key in named)
    return parts[0], escaped(words) + (f" ({allowed})" if allowed else "")
