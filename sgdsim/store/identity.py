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


def differing_keys(first: Table, second: Table) -> list[str]:
    """The keys in which two resolved experiments differ, e.g. ["problem.noise", "grid.d"].

    Keys that change no number and no file of a block are not compared: the title, fits, report, `ensemble.batch`, and
    those whose parameters say so (`Parameter.in_identity`).
    """
    flat_first, flat_second = _identity(first), _identity(second)
    keys = [*flat_first, *(key for key in flat_second if key not in flat_first)]
    return [key for key in keys if flat_first.get(key) != flat_second.get(key)]


def fingerprint(resolved: Table) -> str:
    """A short name for all experiments whose blocks fit together: those that differ in the number of replicas only.

    Every block carries it, so that no block of another experiment is ever merged.
    """
    keys = {key: value for key, value in _identity(resolved).items() if key != REPLICAS}
    text = json.dumps(keys, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _identity(resolved: Table) -> dict[str, Any]:
    """All keys that make an experiment what it is, e.g. "problem.noise", with their values."""
    return _flatten(resolved, _NO_IDENTITY | _beside(str(resolved.get("system"))))


def _beside(name: str) -> frozenset[str]:
    """The keys that a system's own parameters leave out, e.g. "simulator.kernel"; none of one that is not known."""
    # Not before it is asked for: a system takes the two seconds of JAX, without which a run can be looked at.
    from sgdsim.systems import is_known, load_system

    if not is_known(name):
        return frozenset()
    system = load_system(name)
    tables = {
        "problem": system.problem_section,
        "start": system.start_section,
        "theory": system.theory_section,
        "simulator": system.simulator_section,
    }
    return frozenset(f"{name}.{key}" for name, section in tables.items() for key in keys_beside_identity(section))


def _flatten(table: Table, without: Collection[str], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        key = prefix + name
        if isinstance(value, Mapping):
            flat |= _flatten(value, without, key + ".") if key not in without else {}
        elif key not in without:
            flat[key] = value
    return flat
