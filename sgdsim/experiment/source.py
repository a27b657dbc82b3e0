"""An experiment file as it was read, with its quick variant and options on top, and where each key came from."""

import errno
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sgdsim.amounts import size_text
from sgdsim.bounds import LARGEST, OutOfBounds, check_bounds
from sgdsim.errors import ExperimentError
from sgdsim.experiment.locate import KeyPath, key_lines, split_key
from sgdsim.experiment.table import TABLE, plain_table, toml_text
from sgdsim.experiment.wording import join_path
from sgdsim.printable import shorten
from sgdsim.store.files import read_bytes

_SYNTAX = {
    r"Cannot (declare|overwrite|mutate|redefine|update|add).*": "this key or table is there already",
    r"Illegal character '\\n'": "a string must end on the line it begins on",
    r"Invalid value": "no value; strings need quotes",
}
"""Some of tomllib's messages, in plainer words."""

_NO_EXPERIMENT = {
    errno.EINVAL: "is no regular file; give the experiment's TOML file",
    errno.EFBIG: f"is larger than {size_text(LARGEST)}; no experiment is",
}
"""Why a file that could be read is none, by the error that it gives."""

FURTHER = ("rule", "data", "student")
"""The tables beside [problem] that say more of it, in systems that have them."""

FIXED = ("problem", *FURTHER)
"""The tables whose keys may be axes of the grid instead."""

LONGEST = 300
"""Characters of an option or a path in a message at most."""

QUICK = "quick"
"""The table of overrides that make an experiment short."""

_WORD = re.compile(r"[A-Za-z_][^\"'\[\]{}#\\\n]*")


@dataclass
class Source:
    """A TOML document whose every key knows its line, or the option that set it.

    `refused`: what is wrong with the keys of [quick], to be told with all the rest. `said`: how options are named.
    """

    name: str
    document: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    options: dict[KeyPath, str] = field(default_factory=dict)
    refused: dict[KeyPath, str] = field(default_factory=dict)
    said: str = "--set"

    def blame(self, path: KeyPath) -> tuple[tuple[bool, int], str]:
        """Where a key, or the nearest table around it, was set: an order to sort by, and "file:line" or "--set ..."."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.options:
                return (True, list(self.options).index(path[:end])), self._named(self.options[path[:end]])
            if path[:end] in self.lines:
                return (False, self.lines[path[:end]]), f"{self.name}:{self.lines[path[:end]]}"
        return (False, 0), self.name

    def override(self, option: str) -> None:
        """Applies `key=value` of the command line; the value is TOML, or a bare word for a string.

        A key of [problem] or a table beside it is either fixed or an axis of the grid, whichever the option says:
        `problem.d=100` replaces an axis d, and `grid.d=[100, 200]` a fixed d.

        **Raises:** ExperimentError where the option makes no sense.
        """
        key, equals, text = option.partition("=")
        try:
            _check_option(option)
            path = _option_key(key.strip() if equals else "")
            self._apply(path, _parse_value(text.strip()), option)
        except ValueError as error:
            raise ExperimentError([f"{self._named(option)}: {error}"]) from None

    def assign(self, key: str, value: Any) -> None:
        """The same for a key of Python and its value."""
        option = f"{key} = {value!r}"
        plain = plain_table({"value": value}, self._named(option))
        try:
            _check_option(key)
            if not plain:
                raise ValueError("must have a value")
            self._apply(_option_key(key), plain["value"], option)
        except ValueError as error:
            raise ExperimentError([f"{self._named(option)}: {error}"]) from None

    def _apply(self, path: tuple[str, ...], value: Any, option: str) -> None:
        self._put(path, value)
        self.options[path] = option

    def _named(self, option: str) -> str:
        """An option as messages name it."""
        return f"{self.said} {shorten(option, LONGEST)}"

    def quicken(self, wanted: bool) -> None:
        """Checks the keys of [quick] and, where `wanted`, applies them as overrides of the keys that they name.

        `"grid.d" = [100, 300]` does what `--set grid.d=[100,300]` does. What is wrong goes to `refused`, and a value
        that turns out wrong later is blamed on its line in [quick].
        """
        table = self.document.get(QUICK, {})
        if wanted and not table:
            example = '"ensemble.replicas" = 64'
            self.refused[(QUICK,)] = f"missing, so there is no quick variant; add a table [quick], e.g. {example}"
        if not isinstance(table, dict):  # the check of the document says so
            return
        for key, value in table.items():
            try:
                path = _quick_path(key, value)
                if wanted:
                    self._put(path, value)
            except ValueError as error:
                self.refused[QUICK, key] = str(error)
                continue
            if wanted:
                self._move_lines((QUICK, key), path)

    def _put(self, path: tuple[str, ...], value: Any) -> None:
        """Sets a key and makes the tables around it. **Raises:** ValueError where one of them is no table."""
        node = self.document
        for end, part in enumerate(path[:-1], start=1):
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise ValueError(f"{join_path(path[:end])} is no table, so it has no keys")
        if path[0] in (*FIXED, "grid") and len(path) == 2 and path != ("grid", "zip"):
            self._release(path[1])
        node[path[-1]] = value
        self._forget(path)

    def _move_lines(self, source: KeyPath, target: KeyPath) -> None:
        """Says that `target`, all below it, and tables around it that are new, stand on the lines of `source`."""
        n = len(source)
        below = {(*target, *path[n:]): line for path, line in self.lines.items() if path[:n] == source}
        self.lines |= below
        for end in range(1, len(target)):
            if target in below:
                self.lines.setdefault(target[:end], below[target])

    def _release(self, key: str) -> None:
        """Removes a key of a table in `FIXED` from [grid] and its zip groups, or from where it is fixed."""
        grid = self.document.get("grid")
        groups = grid.get("zip") if isinstance(grid, dict) else None
        fixed = [self.document.get(name) for name in FIXED]
        for table in (*fixed, grid, *(groups if isinstance(groups, list) else ())):
            if isinstance(table, dict):
                table.pop(key, None)

    def _forget(self, path: KeyPath) -> None:
        """Drops what was known of the places of a key and of everything below it."""
        for places in (self.lines, self.options):
            for known in [known for known in places if known[: len(path)] == path]:
                del places[known]


Given = Path | Mapping[str, Any]
"""An experiment: its file, or its tables as Python has them."""
Overrides = Sequence[str] | Mapping[str, Any]
"""Options on top of an experiment: "key=value" each, as the command line has them, or values by dotted keys."""


def read_source(experiment: Given, options: Overrides = (), quick: bool = False) -> Source:
    """Reads an experiment and applies its [quick] overrides, if asked for, and then options in order.

    **Raises:** ExperimentError where it cannot be read, is not TOML, or an option makes no sense.
    """
    source = _source_of_table(experiment) if isinstance(experiment, Mapping) else _source_of_file(experiment)
    source.quicken(quick)
    if isinstance(options, Mapping):
        source.said = "override"
        steps = [partial(source.assign, key, value) for key, value in options.items()]
    else:
        steps = [partial(source.override, option) for option in options]
    problems = []
    for step in steps:
        try:
            step()
        except ExperimentError as error:
            problems += error.problems
    if problems:
        raise ExperimentError(problems)
    return source


def _source_of_table(table: Mapping[str, Any]) -> Source:
    """Through its text, so that nothing is taken that no file could hold; its lines say nothing to anybody."""
    return Source(TABLE, _parsed(toml_text(plain_table(table, TABLE)), TABLE))


def _source_of_file(path: Path) -> Source:
    text = _read_text(path)
    return Source(str(path), _parsed(text, str(path)), key_lines(text))


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        check_bounds(text)
        return tomllib.loads(text)
    except OutOfBounds as error:
        raise ExperimentError([f"{name}:{error.line}: {error}; no experiment has"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError([_syntax_error(name, text, str(error))]) from None
    except ValueError:
        raise ExperimentError([f"{name}: not valid TOML: an integer is too long"]) from None


def _quick_path(key: str, value: object) -> tuple[str, ...]:
    """The key that a key of [quick] names. **Raises:** ValueError where it names none."""
    if isinstance(value, dict) and "." not in key:  # TOML makes a table of a dotted key without quotes
        inner = next(iter(value), "KEY")
        raise ValueError(f'must be a dotted key in quotes; write "{key}.{inner}" = ...')
    try:
        check_bounds(key)
        path = split_key(key)
    except ValueError:
        raise ValueError('must be a dotted key, e.g. "ensemble.replicas"') from None
    if path[0] == QUICK:
        raise ValueError("must not be about [quick] itself; write the key to override")
    return path


def _read_text(path: Path) -> str:
    try:
        data = read_bytes(path, LARGEST)
    except FileNotFoundError:
        problem = f"{path}: no such file; `sgdsim list` shows the experiments that come with sgdsim"
    except IsADirectoryError:
        problem = f"{path}: is a folder; give the experiment's TOML file"
    except OSError as error:
        why = _NO_EXPERIMENT.get(error.errno or 0, f"cannot be read ({error.strerror})")
        problem = f"{shorten(str(path), LONGEST)}: {why}"
    except ValueError as error:
        problem = f"{path}: {error}"
    else:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            problem = f"{path}:{line}: not UTF-8 text (byte 0x{data[error.start]:02x}); save the file as UTF-8"
    raise ExperimentError([problem])


def _syntax_error(path: str, text: str, message: str) -> str:
    """tomllib's "Unclosed array (at line 3, column 5)" as "file:3: not valid TOML: unclosed array (column 5)"."""
    cause, _, place = message.partition(" (at ")
    found = re.match(r"line (\d+), (column \d+)", place)
    line, detail = found.groups() if found else (len(text.splitlines()), "end of file")
    for pattern, words in _SYNTAX.items():
        cause = re.sub(pattern, words, cause)
    return f"{path}:{line}: not valid TOML: {cause[:1].lower()}{cause[1:]} ({detail})"


def _check_option(option: str) -> None:
    """**Raises:** ValueError for what no file can hold either."""
    try:
        option.encode()
        check_bounds(option)
    except OutOfBounds as error:
        raise ValueError(f"{error}; no experiment has") from None
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8 text") from None


def _option_key(text: str) -> tuple[str, ...]:
    """The key that an option sets. **Raises:** ValueError where it is none that can be set."""
    try:
        path = split_key(text)
    except ValueError:
        raise ValueError("must be KEY=VALUE, e.g. problem.noise=0.01") from None
    if path[0] == QUICK:
        raise ValueError("[quick] cannot be overridden; set the key itself")
    return path


def _parse_value(text: str) -> Any:
    """The value that an option sets. **Raises:** ValueError where it is none."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except ValueError:
        parsed = {}
    if parsed.keys() == {"value"}:
        return parsed["value"]
    if _WORD.fullmatch(text):
        return text
    raise ValueError(f"{shorten(repr(text))} is no TOML value; put a string in quotes, a list in [ ]")
