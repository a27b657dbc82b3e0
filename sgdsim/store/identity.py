"""What makes two experiments the same: every key that changes a number or a file of a block."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from sgdsim.ensemble.section import keys_beside_identity

Table = Mapping[str, Any]

_NO_IDENTITY = frozenset({"title", "fits", "report", "ensemble.batch"})
"""What may differ between two experiments that give the same blocks, whatever their system."""
REPLICAS = "ensemble.replicas"
"""What may differ between two experiments of which one is the other, extended."""


def told_apart(resolved: Table) -> dict[str, Any]:
    """All keys by which experiments are told apart, flat, e.g. "problem.noise", with values as JSON holds them.

    Some of them may still not matter, which only the system knows, see `differing_keys`.
    """
    return json.loads(json.dumps(_flatten(resolved, _NO_IDENTITY), default=str))


def differing_keys(first: Table, second: Table) -> list[str]:
    """The keys in which two resolved experiments differ, e.g. ["problem.noise", "grid.d"]; flat or in tables.

    Keys that change no number and no file of a block are not compared: the title, fits, report, `ensemble.batch`, and
    those whose parameters say so (`Parameter.in_identity`).
    """
    first, second = told_apart(first), told_apart(second)
    keys = [*first, *(key for key in second if key not in first)]
    # TOML has no value that is none, so that None can stand for a key that is not there.
    differing = [key for key in keys if first.get(key) != second.get(key)]
    # The system is asked where there is something to ask: it takes the two seconds of JAX, without which a run can be
    # looked at.
    beside = _beside(str(first.get("system"))) if differing else ()
    return [key for key in differing if key not in beside]


def fingerprint(resolved: Table) -> str:
    """A short name for all experiments whose blocks fit together: those that differ in the number of replicas only.

    Every block carries it, so that no block of another experiment is ever merged.
    """
    beside = {REPLICAS, *_beside(str(resolved.get("system")))}
    keys = {key: value for key, value in told_apart(resolved).items() if key not in beside}
    text = json.dumps(keys, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _beside(name: str) -> frozenset[str]:
    """The keys that a system's own parameters leave out, e.g. "simulator.kernel"; none of one that is not known."""
    from sgdsim.systems import is_known, load_system

    if not is_known(name):
        return frozenset()
    sections = load_system(name).sections
    return frozenset(f"{name}.{key}" for name, section in sections.items() for key in keys_beside_identity(section))


def _flatten(table: Table, without: Collection[str], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        key = prefix + name
        if isinstance(value, Mapping):
            flat |= _flatten(value, without, key + ".") if key not in without else {}
        elif key not in without:
            flat[key] = value
    return flat
