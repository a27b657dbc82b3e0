"""On which line of a TOML text each key stands, which tomllib does not tell."""

import re
import tomllib
from collections.abc import Iterator

KeyPath = tuple[str | int, ...]
"""The way to a value: names of tables and keys, and positions in arrays, e.g. ("grid", "zip", 0, "kappa")."""

_BASIC = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_PART = rf"""(?:[A-Za-z0-9_-]+|{_BASIC}|'[^'\n]*')"""
_KEY = re.compile(rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_BRACKETS = re.compile(r"[ \t]*\]{1,2}")
_BLANK = re.compile(r"\s*")
_COMMENT = re.compile(r"#[^\n]*")
_STRING = re.compile(
    r'''"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""(?:"{0,2})'''  # it may end in up to two quotes of its own
    r"""|'''.*?'''(?:'{0,2})"""
    rf"""|{_BASIC}|'[^'\n]*'""",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]+")  # numbers, dates (with a space inside), true and false


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line (from 1) of every key and array element of a valid TOML text.

    A table counts as standing where it is first named: `[a.b]` and `a.b = 1` name both `a` and `a.b`.
    """
    return _Scanner(text).scan()


def split_key(text: str) -> tuple[str, ...]:
    """The parts of a dotted key: 'a."b.c"' -> ("a", "b.c").

    **Raises:** ValueError where this is no TOML key.
    """
    if not _KEY.fullmatch(text):
        raise ValueError(f"{text!r} is no key")
    node, parts = tomllib.loads(f"{text} = 0"), []
    while isinstance(node, dict):
        ((part, node),) = node.items()
        parts.append(part)
    return tuple(parts)


class _Scanner:
    """Walks through a text that tomllib has accepted, so it checks nothing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.counted, self.line = 0, 1  # how far lines have been counted, and the line there
        self.lines: dict[KeyPath, int] = {}
        self.lengths: dict[KeyPath, int] = {}  # of the arrays of tables so far

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self.blank()
        while self.position < len(self.text):
            if self.at("["):
                table = self.header()
            else:
                self.pair(table)
            self.blank()
        return self.lines

    def at(self, start: str) -> bool:
        return self.text.startswith(start, self.position)

    def peek(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.position)
        assert match is not None
        return match[0]

    def take(self, pattern: re.Pattern[str]) -> None:
        self.position += len(self.peek(pattern))

    def blank(self) -> None:
        """Goes past blanks, ends of lines and comments, one by one: a pattern for all would note where each is."""
        self.take(_BLANK)
        while self.at("#"):
            self.take(_COMMENT)
            self.take(_BLANK)

    def mark(self, path: KeyPath) -> None:
        # From mark to mark, which come in order: a list of all ends of lines takes a hundred times the text.
        self.line += self.text.count("\n", self.counted, self.position)
        self.counted = self.position
        self.lines.setdefault(path, self.line)

    def header(self) -> KeyPath:
        """`[a.b]` or `[[a.b]]`: the path of the table that it opens."""
        is_element = self.at("[[")
        self.position += 2 if is_element else 1
        self.blank()
        *parents, last = split_key(self.peek(_KEY))
        path: KeyPath = ()
        for parent in parents:
            path = self.newest((*path, parent))
        path = (*path, last)
        if is_element:
            self.lengths[path] = self.lengths.get(path, 0) + 1
        path = self.newest(path)
        self.take(_KEY)
        self.take(_BRACKETS)
        return path

    def newest(self, path: KeyPath) -> KeyPath:
        """The path itself, or that of the last element where it is an array of tables."""
        self.mark(path)
        if path in self.lengths:
            path = (*path, self.lengths[path] - 1)
            self.mark(path)
        return path

    def pair(self, table: KeyPath) -> None:
        """`a.b = value`."""
        path = table
        for part in split_key(self.peek(_KEY)):
            path = (*path, part)
            self.mark(path)
        self.take(_KEY)
        self.take(_EQUALS)
        self.value(path)

    def value(self, path: KeyPath) -> None:
        if self.at("["):
            for index, _ in enumerate(self.items("]")):
                self.mark((*path, index))
                self.value((*path, index))
        elif self.at("{"):
            for _ in self.items("}"):
                self.pair(path)
        else:
            self.take(_STRING if self.at('"') or self.at("'") else _PLAIN)

    def items(self, closing: str) -> Iterator[None]:
        """Stops at each item of an array or inline table, and ends behind its closing bracket."""
        self.position += 1
        self.blank()
        while not self.at(closing):
            yield
            self.blank()
            if self.at(","):
                self.position += 1
                self.blank()
        self.position += 1
