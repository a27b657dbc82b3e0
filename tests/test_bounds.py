"""Texts that would take a parser all memory are found before it sees them, and no other text is."""

import time
import tomllib
from contextlib import suppress

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.bounds import DEEPEST, LARGEST, OutOfBounds, check_bounds

KEYS = st.text(st.sampled_from("ab.#\"'[]{}=,\n\\ é"), max_size=4)
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(
        st.integers() | st.floats() | KEYS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(isinstance(value, dict | list)) + max(map(depth, inner), default=0)


@given(DOCUMENTS.filter(lambda document: depth(document) <= DEEPEST))
def test_every_sane_document_passes(document):
    check_bounds(tomli_w.dumps(document))


@given(st.text(st.sampled_from("a.#\"'[]{}=,\n\\ "), max_size=60))
def test_any_text_is_walked_through_to_its_end(text):
    with suppress(OutOfBounds):
        check_bounds(text)


DEEP = [
    ("[" * 11, "levels"),
    ("[ \n" * 11 + "1", "levels"),
    ("{a=" * 11, "levels"),
    ("[{a=[" * 4, "levels"),
    ("a = 1\n" * 10_000, "keys"),
    ("[a]\n" * 10_000, "keys"),
    (f"[{'1,' * 500_001}", "entries"),
    ("a = " + "1" * 1001, "characters"),
    ("a" * 1001 + " = 1", "characters"),
    (".".join("a" * 11) + "=1", "parts"),
    (" . ".join(["'.'", '"a=\\"[b"'] * 6) + "=1", "parts"),
    ('"""[[[[[[[[[[[[""" = [' + '"""\\"""", ' + "[" * 10, "levels"),
    ("'''[[[[[[[[[[[[\\'''''" + "[" * 11, "levels"),
    ("# [[[[[[[[[[[[\n" + "[" * 11, "levels"),
    ("'\\'" + "[" * 11, "levels"),
    ("'not closed\n" + "[" * 11, "levels"),
]


@pytest.mark.parametrize(("text", "what"), DEEP)
def test_what_is_too_deep_is_told_with_its_line(text, what):
    with pytest.raises(OutOfBounds, match=f"more than [0-9]+ {what}") as caught:
        check_bounds("x = 1\n\n" + text)
    assert caught.value.line == 3 + text.rstrip("\n1 ").count("\n")


@pytest.mark.parametrize(
    "text",
    [
        f"x = {'[' * 10}1{']' * 10}\n{'.'.join('abcdefghij')} = 1",
        'x = \'[[[[[[[[[[[\'\ny = """[[[[[["[[[[[[\\""""""\nz = 1 # [[[[[[[[[[[[[[',
        f"x = [{', '.join(['1.5'] * 40)}]",
        f"x = [{'[1], ' * 40}]",
        "\n".join(f"a{i}.b = 1.0" for i in range(40)),
        "x = 'a.b.c.d.e.f.g.h.i.j.k.l'",
        f"x = 1.5\n{'.'.join('abcdefghij')} = 1.5\ny = 1.5 # a.b.c.d.e.f.g.h.i.j\n'z'.b = 1",
        f"x = {'1' * 1000}\n# {'x' * 2000}\ny = '{'z' * 2000}'\n{'a' * 1000} = 1",
    ],
)
def test_what_is_not_too_deep_passes(text):
    check_bounds(text)
    tomllib.loads(text)


HEAVY = {
    "newlines": "\n",
    "comments": "#\n",
    "escapes": '\\"',
    "floats": "0.5,\n",
    "lists": "[],",
    "keys": "a.b=1\n",
    "quotes": "'",
}


@pytest.mark.parametrize("piece", HEAVY.values(), ids=HEAVY)
def test_the_largest_text_takes_hardly_any_time(piece):
    text = ('x = """' if piece == '\\"' else "") + piece * (LARGEST // len(piece) // 4)
    began = time.process_time()
    with suppress(OutOfBounds):
        check_bounds(text)
    assert time.process_time() - began < 2.5
