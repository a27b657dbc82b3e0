"""Parameters, each declared once: the page of them, and what a declaration asks of numbers in Python and in files."""

import dataclasses
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import ValidationError

from docs.reference import PAGE, page
from sgdsim.checks import check_fields
from sgdsim.ensemble.section import section_of
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter, declared, given
from sgdsim.systems import SYSTEMS, load_system


@dataclasses.dataclass
class Part:
    """One parameter of every kind."""

    low: Annotated[float, Parameter("l", "low", above=0, most=1, example=0.5)]
    count: Annotated[int, Parameter("n", "count", least=2, limit=9)] = 3
    few: Annotated[int, Parameter("", "few", least=1, most=5)] = 2
    share: Annotated[float, Parameter("", "share", least=0, below=1, must="be a share")] = 0.25
    size: Annotated[float, Parameter("", "size", limit=10)] = 0.0
    word: Annotated[Literal["a", "b"], Parameter("", "word", in_results=False)] = "a"
    hidden: Annotated[float | None, Parameter("", "hidden", least=0, in_files=False)] = None
    times: Annotated[tuple[float, ...], Parameter("", "times", written=list[float])] = ()
    plain: int = 7

    def __post_init__(self):
        check_fields(self)


def test_the_page_is_up_to_date():
    """`python docs/reference.py` writes it."""
    assert PAGE.read_text() == page()


def test_the_page_has_every_key_of_every_problem():
    text = page()
    for system in map(load_system, SYSTEMS):
        part = text.partition(f"## {system.name}\n")[2].partition("\n## ")[0]
        assert all(f"| `{key}` |" in part for key in system.problem_section.model_fields)
        assert "| which of the kinds |" not in part.partition("### [start]")[0]  # every key has words of its own


@pytest.mark.parametrize(
    ("change", "argument", "words"),
    [
        ({"low": 0.0}, "low", "must be > 0 and at most 1, but got 0.0."),
        ({"low": 1.1}, "low", "must be > 0 and at most 1, but got 1.1."),
        ({"low": float("nan")}, "low", "must be a number, not nan, but got nan. It must be > 0 and at most 1."),
        ({"low": "x"}, "low", "must be a number, but got 'x'."),
        ({"count": 1}, "count", "must be an integer >= 2, but got 1."),
        ({"few": 6}, "few", "must be from 1 to 5, but got 6."),
        ({"share": 1.0}, "share", "must be a share, but got 1.0."),
        ({"share": -0.1}, "share", "must be a share, but got -0.1."),
        ({"size": float("inf")}, "size", "must be finite, but got inf."),
        ({"word": "c"}, "word", 'must be "a" or "b", but got \'c\'.'),
        ({"hidden": -1.0}, "hidden", "must be finite and >= 0, but got -1.0."),
    ],
)
def test_python_refuses_what_is_out_of_range(change, argument, words):
    with pytest.raises(ArgumentError) as caught:
        Part(**{"low": 1.0} | change)
    assert caught.value.argument == argument
    assert str(caught.value) == f"Argument `{argument}` {words}"


def test_numbers_become_pythons_and_limits_are_of_files_only():
    part = Part(low=np.float32(1), count=np.int64(99), size=-50)
    assert (part.low, part.count, part.size) == (1.0, 99, -50.0)
    assert [type(value) for value in (part.low, part.count, part.size)] == [float, int, float]


def test_a_section_has_the_keys_of_its_class():
    section = section_of(Part)
    names = [one.name for one in declared(Part) if one.name != "hidden"]
    assert list(section.model_fields) == names == ["low", "count", "few", "share", "size", "word", "times"]
    built = section(low=0.5, times=[1.0]).build()
    assert (built.low, built.count, built.times, built.plain) == (0.5, 3, [1.0], 7)
    assert section.model_fields["low"].examples == [0.5]


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({}, "missing"),
        ({"low": 0.0}, "greater_than"),
        ({"low": 1.1}, "less_than_equal"),
        ({"count": 1}, "greater_than_equal"),
        ({"count": 10}, "less_than_equal"),
        ({"share": 1.0}, "less_than"),
        ({"size": 10.5}, "less_than_equal"),
        ({"size": -10.5}, "greater_than_equal"),
        ({"word": "c"}, "literal_error"),
        ({"hidden": 1.0}, "extra_forbidden"),
    ],
)
def test_a_file_is_refused_what_is_out_of_range(keys, kind):
    with pytest.raises(ValidationError) as caught:
        section_of(Part).model_validate(({"low": 0.5} if keys else {}) | keys)
    assert [mistake["type"] for mistake in caught.value.errors()] == [kind]


def test_optional_keys_and_their_order():
    section = section_of(Part, optional=("low", "count"), own={"kind": (Literal["x"], "x")}, order=("word", "kind"))
    assert list(section.model_fields) == ["word", "kind", "low", "count", "few", "share", "size", "times"]
    assert (section().low, section().count) == (None, None)
    assert section(low=0.5).of(Part) == {"low": 0.5, "few": 2, "share": 0.25, "size": 0.0, "word": "a", "times": []}


def test_results_have_numbers_and_words():
    assert given(Part(low=0.5)) == {"low": 0.5, "count": 3, "few": 2, "share": 0.25, "size": 0.0}


def test_the_range_in_words():
    ranges = {one.name: one.parameter.range for one in declared(Part)}
    assert ranges == {
        "low": "> 0 and <= 1",
        "count": ">= 2, in a file <= 9",
        "few": ">= 1 and <= 5",
        "share": ">= 0 and < 1",
        "size": "in a file up to 10 in size",
        "word": "",
        "hidden": ">= 0",
        "times": "",
    }
