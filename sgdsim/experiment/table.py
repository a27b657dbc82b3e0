"""An experiment given by Python: the tables of a TOML file as dicts, with NumPy's numbers and arrays in them."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import tomli_w

from sgdsim.errors import ExperimentError
from sgdsim.experiment.locate import KeyPath
from sgdsim.experiment.wording import join_path, show

TABLE = "experiment"
"""What messages call an experiment that is in no file."""
_DEEPEST = 10
"""Tables and lists within one another: as in a file."""
_VALUE = "must be a number, a string, true or false, or a list or a table of such"


def plain_table(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The table as a TOML file would give it; a key whose value is None is left out.

    - `name`: what messages call it.

    **Raises:** ExperimentError with a line for each value that no file could hold.
    """
    problems: list[str] = []
    found = _plain(table, (), problems)
    if problems:
        raise ExperimentError([f"{name}: {problem}" for problem in problems])
    return found


def toml_text(table: Mapping[str, Any]) -> str:
    """A plain table as the text of a file."""
    return tomli_w.dumps(table)


def _plain(value: Any, path: KeyPath, problems: list[str]) -> Any:
    """The value with Python's own types; what cannot be had so is told in `problems`."""
    if len(path) > _DEEPEST:
        problems.append(f"{join_path(path[:1])}: has tables or lists nested more than {_DEEPEST} deep")
        return 0
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return _plain_entries(value, path, problems)
    if isinstance(value, list | tuple | range):
        return [_plain(entry, (*path, index), problems) for index, entry in enumerate(value)]
    if isinstance(value, PurePath):
        return str(value)
    if not isinstance(value, bool | int | float | str):
        problems.append(f"{join_path(path)}: {_VALUE} (got {show(value)})")
    return value


def _plain_entries(table: Mapping[Any, Any], path: KeyPath, problems: list[str]) -> dict[str, Any]:
    """The table's entries, those that are None left out."""
    found = {}
    for key, value in table.items():
        if not isinstance(key, str):
            problems.append(f"{join_path((*path, show(key)))}: must be a string, as every key")
        elif value is not None:
            found[key] = _plain(value, (*path, key), problems)
    return found
