"""Options of the command line: keys, values, and whom to blame."""

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from sgdsim.errors import ExperimentError
from sgdsim.experiment.source import Source, read_source
from sgdsim.printable import printable

VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
)


@given(VALUES)
def test_values_are_toml(value):
    source = Source("file.toml", {})
    source.override("a.'b.c' = " + tomli_w.dumps({"x": value}).removeprefix("x = ").strip())
    assert source.document == {"a": {"b.c": value}}


@given(st.from_regex(r"[a-z_][\w ./+-]{0,9}[a-z]", fullmatch=True).filter(lambda word: word not in ("true", "false")))
def test_bare_words_are_strings(word):
    source = Source("file.toml", {})
    try:
        source.override(f"a={word}")
    except ExperimentError:
        assert word in ("inf", "nan")
    assert source.document["a"] == word or word in ("inf", "nan")


@given(st.text(max_size=12))
def test_any_option_is_applied_or_refused(option):
    source = Source("file.toml", {})
    try:
        source.override(option)
    except ExperimentError as error:
        (line,) = error.problems
        assert line.startswith(f"--set {printable(option)}: ")
        assert source.options == {}
    else:
        assert list(source.options.values()) == [option]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "file.toml"
    path.write_text("[a]\nb = 1\n\n[a.c]\nd = [\n  1,\n]\n")
    return lambda *options: read_source(path, options)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("a",), "1"),
        (("a", "b"), "2"),
        (("a", "c", "d"), "5"),
        (("a", "c", "d", 0), "6"),
        (("a", "c", "missing"), "4"),
        (("missing",), None),
    ],
)
def test_the_file_is_blamed_by_line(source, path, place):
    whom = source().blame(path)[1]
    assert whom.endswith("file.toml" + (f":{place}" if place else ""))


@pytest.mark.parametrize(
    ("option", "blamed", "path"),
    [
        ("a.b=2", True, ("a", "b")),
        ("a.b=2", False, ("a", "c")),
        ("a.c.d=[2, 3]", True, ("a", "c", "d", 1)),
        ("a.c={ d = 3 }", True, ("a", "c", "d")),
        ("a.e.f=1", True, ("a", "e", "f")),
        ("a.e.f=1", False, ("a", "e", "g")),
    ],
)
def test_an_option_is_blamed_for_its_key_and_below(source, option, blamed, path):
    assert (source(option).blame(path)[1] == f"--set {option}") is blamed


def test_all_bad_options_are_told(source):
    with pytest.raises(ExperimentError) as caught:
        source("a.b", "a.b.c=1", "a.b=2")
    assert len(caught.value.problems) == 2
