"""How large and how deep a TOML text may be: what is beyond takes a parser minutes, or all memory, and is a slip."""

import re
from typing import NoReturn

LARGEST = 4_000_000
"""Bytes: twice what the largest grid of one axis takes, written out."""
DEEPEST, MOST_KEYS, MOST_ENTRIES = 10, 10_000, 500_000
"""Brackets within brackets, and parts of a dotted key; keys and tables in all; entries of lists in all."""

_MARK = re.compile(r"""#[^\n]*|"{3}|'{3}|["'.,=\[\]{}]""")
LONGEST = 1000
"""Characters of a number, or of a key without quotes: a pattern for numbers, as tomllib has, notes every digit."""
_LONG = re.compile(rf"\S{{{LONGEST + 1}}}")
_STOP = {'"': re.compile(r'["\\\n]'), "'": re.compile(r"['\n]")}
"""Where to look twice within a string of such quotes: in ' ' a backslash is a character as others are."""
_QUOTES = re.compile(r"""["']{1,5}""")


class OutOfBounds(ValueError):
    """A text that is nested too deeply, or has too many keys or parts of one: what, and on which line, from 1."""

    def __init__(self, line: int, what: str) -> None:
        self.line = line
        super().__init__(what)


def check_bounds(text: str) -> None:
    """Walks through a text, be it TOML or not, in a time that grows as its length, and without a memory of it.

    **Raises:** OutOfBounds where it has more of something than `DEEPEST`, `MOST_KEYS` and `MOST_ENTRIES` say.
    """
    depth, parts, keys, entries, seen = 0, 1, 0, 0, 0
    while found := _MARK.search(text, seen):
        mark, begin, here = found[0], found.start(), found.end()
        if begin - seen >= LONGEST:
            _check_length(text, seen, begin)
        # Dots are counted as long as nothing but parts of a key is between them.
        if mark == ".":
            parts = (1 if "\n" in text[seen:begin] else parts) + 1
        elif mark in ",=[]{}":
            parts = 1
            entries += mark == ","
            keys += mark == "=" or (mark == "[" and depth == 0)
            depth = max(0, depth + (mark in "[{") - (mark in "]}"))
        elif mark[0] == "#":
            parts = 1
        else:
            parts = 1 if "\n" in text[seen:begin] else parts
            here = _end_of_string(text, here, mark)
        if depth > DEEPEST or parts > DEEPEST or keys > MOST_KEYS or entries > MOST_ENTRIES:
            _complain(text, here, depth, parts, keys)
        seen = here
    _check_length(text, seen, len(text))


def _complain(text: str, here: int, depth: int, parts: int, keys: int) -> NoReturn:
    """**Raises:** OutOfBounds for the first of the counts that is too large."""
    what = f"{MOST_ENTRIES} entries of lists"
    if depth > DEEPEST:
        what = f"{DEEPEST} levels of brackets"
    elif parts > DEEPEST:
        what = f"{DEEPEST} parts of a key"
    elif keys > MOST_KEYS:
        what = f"{MOST_KEYS} keys"
    raise OutOfBounds(text.count("\n", 0, here) + 1, f"more than {what}")


def _check_length(text: str, begin: int, end: int) -> None:
    if found := _LONG.search(text, begin, end):
        line = text.count("\n", 0, found.start()) + 1
        raise OutOfBounds(line, f"more than {LONGEST} characters without quotes or a blank")


def _end_of_string(text: str, position: int, quotes: str) -> int:
    """Where a string ends that began with these quotes; one that is not closed, with its line or with the text.

    A loop, as a pattern with a choice in it keeps a note of every character.
    """
    long = len(quotes) == 3
    while found := _STOP[quotes[0]].search(text, position):
        position = found.end()
        if found[0] == "\\":
            position += 1
        elif found[0] == "\n" and not long:
            return position - 1
        elif found[0] == quotes:
            return position
        elif text.startswith(quotes, found.start()):
            # A long string may end in up to two quotes of its own.
            closing = _QUOTES.match(text, found.start())
            return position if closing is None else closing.end()
    return len(text)
