"""Lines of keys: for random documents against tomllib and a writer that knows them, and for every corner of TOML."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.experiment.locate import key_lines, split_key

EVERY_CORNER = '''\
# a comment with [brackets] and "quotes"
a = 1
b.c = "x # no comment" # a comment
"d.e" . 'f g' = 'y'
dates = 1979-05-27 07:32:00
long = """
[no.table]
k = 1 \\" """"
literal = \'\'\'
\\'\'\'\'
array = [ # a comment, with ] and a comma
    1, "]",
    [2,
     3], # another

    { p = 1, q.r = "}" },
]
inline = { x = [1, 2], y = { z = 3 } }
[ t . u ]
v = 1
[[t.list]]
w = 1
[[t.list]]
w.x = [
  "a"
]
[t.list.sub]
y = true
[t]
end = 0
'''
LINES = {
    "a": 2,
    "b": 3,
    "b.c": 3,
    "d.e|f g": 4,
    "dates": 5,
    "long": 6,
    "literal": 9,
    "array": 11,
    "array.0": 12,
    "array.1": 12,
    "array.2": 13,
    "array.2.0": 13,
    "array.2.1": 14,
    "array.3": 16,
    "array.3.p": 16,
    "array.3.q": 16,
    "array.3.q.r": 16,
    "inline": 18,
    "inline.x": 18,
    "inline.x.0": 18,
    "inline.x.1": 18,
    "inline.y": 18,
    "inline.y.z": 18,
    "t": 19,
    "t.u": 19,
    "t.u.v": 20,
    "t.list": 21,
    "t.list.0": 21,
    "t.list.0.w": 22,
    "t.list.1": 23,
    "t.list.1.w": 24,
    "t.list.1.w.x": 24,
    "t.list.1.w.x.0": 25,
    "t.list.1.sub": 27,
    "t.list.1.sub.y": 28,
    "t.end": 30,
}


def paths(value, path=()):
    """All paths into a parsed document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from paths(item, (*path, key))


def test_every_corner():
    found = key_lines(EVERY_CORNER)
    assert set(found) == set(paths(tomllib.loads(EVERY_CORNER)))
    named = {".".join(map(str, path)): line for path, line in found.items()}
    expected = {key.replace("|", "."): line for key, line in LINES.items()} | {"d.e": 4}
    assert named == expected


def test_windows_line_ends():
    assert key_lines("a = 1\r\n[b]\r\nc = [\r\n1,\r\n]\r\nd = 2\r\n") == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", 0): 4,
        ("b", "d"): 6,
    }


@pytest.mark.parametrize(("text", "parts"), [("a", ("a",)), ('a."b.c"', ("a", "b.c")), ("a . 'b'", ("a", "b"))])
def test_split_key(text, parts):
    assert split_key(text) == parts


@pytest.mark.parametrize("text", ["", ".", "a.", "a b", "a = 1", '"a', "a\n", "a.b = 1\nc"])
def test_what_is_no_key(text):
    with pytest.raises(ValueError, match="is no key"):
        split_key(text)


# Random documents are put together from pieces of text that know the lines of their keys: (text, [(path, line)]), with
# lines counted from 0. Names and strings are full of what is special in TOML; line breaks and comments stand wherever
# they may.

NAMES = st.text("ab.#=[]{}',\" \u00e9", max_size=4)
BREAKS = st.sampled_from(["", " ", "\n", " # ],}=\n", "\n\n  "])
SCALARS = st.one_of(
    st.integers(-99, 99).map(str),
    st.floats(-9, 9).map(repr),
    st.sampled_from(["true", "2024-01-02 03:04:05", "nan", "0x1F", "'#]'", "'''a'\n# b'''", '"""a\n\\""""""']),
    st.text("ab#=[]{},.' ", max_size=6).map(lambda text: f'"{text}\\""'),
)


def join(*parts):
    """Pieces one after the other; a piece may be given as (path, piece), below that path."""
    text, marks = "", []
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        path, (inner, inner_marks) = part
        line = text.count("\n")
        marks += [(path, line)] if path else []
        marks += [((*path, *below), line + offset) for below, offset in inner_marks]
        text += inner
    return text, marks


def array(items):
    parts = [part for index, (space, item) in enumerate(items) for part in (space, ((index,), item), space, ",")]
    return join("[", *parts, "\n]")


def pair(names, value):
    """`a."b" = value`."""
    text, marks = join(".".join(map(quoted, names)) + " = ", ((), value))
    above = [(tuple(names[:end]), 0) for end in range(1, len(names) + 1)]
    return text, above + [((*names, *path), line) for path, line in marks]


def inline_table(pairs):
    parts = [part for number, item in enumerate(distinct(pairs)) for part in (", " * bool(number), ((), item))]
    return join("{ ", *parts, " }")


def quoted(name):
    escaped = name.replace('"', '\\"')
    return name if name.isascii() and name.isalnum() else f'"{escaped}"'


def distinct(pairs):
    """The same pairs, with a number on the first part of each key."""
    return [pair([f"{names[0]}{number}", *names[1:]], value) for number, (names, value) in enumerate(pairs)]


def table(number, header, pairs):
    """A table, or an element of the array of tables, with a path of its own."""
    names, is_element, breaks = header
    names = [f"{names[0]}{number}", *names[1:]]
    path = (*names, 0) if is_element else tuple(names)
    dotted = " . ".join(map(quoted, names))
    above = [(path[:end], 0) for end in range(1, len(path) + 1)]
    body = join(*(part for item in distinct(pairs) for part in ("\n", (path, item))))
    marks = [(place, line) for place, line in body[1] if place != path]
    text = f"[[{dotted}]]" if is_element else f"[ {dotted} ]"
    return text + body[0] + "\n" + breaks + "\n", above + marks


VALUES = st.recursive(
    SCALARS.map(lambda text: (text, [])),
    lambda inner: (
        st.lists(st.tuples(BREAKS, inner), max_size=3).map(array)
        | st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=3), inner), max_size=3).map(inline_table)
    ),
    max_leaves=6,
)
PAIRS = st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=3), VALUES), max_size=3)
HEADERS = st.tuples(st.lists(NAMES, min_size=1, max_size=3), st.booleans(), BREAKS)
DOCUMENTS = st.lists(st.tuples(HEADERS, PAIRS), max_size=3).map(
    lambda tables: join(*(((), table(number, *parts)) for number, parts in enumerate(tables)))
)


@given(DOCUMENTS)
def test_random_documents(document):
    text, marks = document
    found = key_lines(text)
    assert set(found) == set(paths(tomllib.loads(text)))
    assert found == {path: line + 1 for path, line in reversed(marks)}
