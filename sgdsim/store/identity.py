"""What makes two experiments the same: every key that changes a number or a file of a block."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]

_NO_IDENTITY = ("title", "fits", "report", "ensemble.batch", "theory.fluctuations", "simulator.kernel")
"""What may differ between two experiments that give the same blocks."""
REPLICAS = "ensemble.replicas"
"""What may differ between two experiments of which one is the other, extended."""


def differing_keys(first: Table, second: Table) -> list[str]:
    """The keys in which two resolved experiments differ, e.g. ["problem.noise", "grid.d"].

    Keys that change no number and no file of a block are not compared: the title, fits, report, and `ensemble.batch`.
    Nor is `simulator.kernel`, which changes numbers as another kind of processor does: by rounding.
    """
    flat_first, flat_second = _flatten(first), _flatten(second)
    keys = [*flat_first, *(key for key in flat_second if key not in flat_first)]
    return [key for key in keys if flat_first.get(key) != flat_second.get(key)]


def fingerprint(resolved: Table) -> str:
    """A short name for all experiments whose blocks fit together: those that differ in the number of replicas only.

    Every block carries it, so that no block of another experiment is ever merged.
    """
    keys = {key: value for key, value in _flatten(resolved).items() if key != REPLICAS}
    text = json.dumps(keys, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _flatten(table: Table, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        key = prefix + name
        if isinstance(value, Mapping):
            flat |= _flatten(value, key + ".") if key not in _NO_IDENTITY else {}
        elif key not in _NO_IDENTITY:
            flat[key] = value
    return flat
