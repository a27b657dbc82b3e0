"""Text as it may be shown: what a terminal would obey is escaped, whoever wrote it and whatever quotes it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.printable import printable, shorten

HOSTILE = "\x1b[31mred\x07\x00\r\n\t\x7f\x9b5m\u200f\u202e\u2066\u2028\ud800"
ESCAPED = r"\x1b[31mred\x07\x00\r\n\t\x7f\x9b5m\u200f\u202e\u2066\u2028\ud800"


def test_what_a_terminal_would_obey_is_escaped():
    assert printable(HOSTILE) == ESCAPED


@pytest.mark.parametrize("text", ["", "E|Ω| in units of √dt", "naïve\u00a0Straße", "日本語", r"C:\new"])
def test_what_can_be_seen_stays(text):
    assert printable(text) == text


@given(st.text(st.characters()))
def test_nothing_is_left_and_nothing_is_lost(text):
    shown = printable(text)
    assert not any(unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") for one in shown)
    assert printable(shown) == shown
    if "\\" not in text:
        assert shown.encode("latin-1", "backslashreplace").decode("unicode_escape") == text


def test_long_texts_are_shortened_in_the_middle():
    assert shorten("x" * 60) == "x" * 60
    assert shorten("a" * 50 + "b" * 50) == "a" * 40 + "..." + "b" * 10


def test_every_message_is_one_line_of_what_can_be_seen():
    error = ExperimentError([f"file.toml: {HOSTILE}", "two"])
    assert error.problems == [f"file.toml: {ESCAPED}", "two"]
    assert str(error) == f"file.toml: {ESCAPED}\ntwo"
    assert printable(str(ArgumentError("x", f"be {HOSTILE}", HOSTILE, HOSTILE))).count("\n") == 0


@pytest.mark.parametrize("got", [10**5000, "x" * 10**6, list(range(10**5))], ids=type)
def test_whatever_is_got_a_message_is_short(got):
    assert len(str(ArgumentError("seed", "be below 2**63", got))) < 1200
