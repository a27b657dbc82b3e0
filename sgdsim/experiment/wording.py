"""How mistakes in an experiment file are told: the house's short grammar, and nothing of a library's own."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sgdsim.experiment.locate import KeyPath
from sgdsim.printable import shorten

_MUST = {
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "finite_number": "must be finite",
    "float_type": "must be a number",
    "greater_than": "must be > {gt:g}",
    "greater_than_equal": "must be >= {ge:g}",
    "int_type": "must be an integer",
    "less_than": "must be < {lt:g}",
    "less_than_equal": "must be <= {le:g}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "model_type": "must be a table",
    "string_type": "must be a string",
    "too_short": "must not be empty",
}
"""pydantic's types of error about values, in our words."""


def must(kind: str, context: Mapping[str, Any]) -> str:
    """What a value had to be, for one of pydantic's types of error."""
    return _MUST.get(kind, "must be a value of another type").format_map(context).replace("'", '"')


def remedy(kind: str, context: Mapping[str, Any], value: object) -> str:
    """What to write instead, where that can be guessed, else ""."""
    if kind == "int_type" and isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return f"write {value:.0f}"
    if kind in ("int_type", "float_type") and isinstance(value, str) and _is_number(value):
        return "remove the quotes"
    if kind == "list_type" and isinstance(value, str | int | float):
        return f"write [{show(value)}]"
    if kind == "literal_error" and isinstance(value, str):
        close = closest(value, re.findall(r"'([^']*)'", context["expected"]))
        return f'did you mean "{close}"?' if close else ""
    return ""


def unknown(what: str, word: str, known: Iterable[str], hint: str = "") -> str:
    """That a key (or another `what`) is unknown, with a hint, or the one that was probably meant, or all there are."""
    known = list(known)
    if hint:
        return f"unknown {what}; {hint}"
    close = closest(word, known)
    if close:
        return f"unknown {what}; did you mean `{close}`?"
    return f"unknown {what}; known: {', '.join(known)}"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that this one is most likely a slip of."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[close[0]] if close else None


def show(value: object) -> str:
    """A value as it would stand in a TOML file; long ones by what they are."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return shorten(json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping):
        return (
            f"{{ {', '.join(f'{key} = {show(item)}' for key, item in value.items())} }}"
            if len(value) < 2
            else "a table"
        )
    if isinstance(value, list) and len(_written(value)) > 40:
        return f"a list of {len(value)}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" if value.ndim else show(value.item())
    if isinstance(value, np.generic):
        return show(value.item())
    return shorten(_written(value))


def _written(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes out no integer of more than some thousand digits
        return "a number of very many digits"


def join_path(path: KeyPath) -> str:
    """("grid", "zip", 0, "kappa") -> "grid.zip[0].kappa"."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += "." * bool(text) + (
                shorten(part, 100)
                if re.fullmatch(r"[\w-]+", part)
                else shorten(json.dumps(part, ensure_ascii=False), 100)
            )
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
