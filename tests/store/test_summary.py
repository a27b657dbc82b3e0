"""summary.json: what is written is read again, other versions are refused, and the schema is that of the classes."""

import json
import math
from pathlib import Path

import pytest

from sgdsim.errors import ExperimentError
from sgdsim.laws.power import FittedPower
from sgdsim.store import summary
from sgdsim.store.summary import FORMAT, CellSummary, End, Summary, schema

SCHEMA = Path(__file__).parents[2] / "docs" / "summary.schema.json"
FIT = FittedPower(quantity="risk", against="d", slope=-0.5, slope_error=math.nan, points=[[20.0, 0.1, math.inf]])
CELL = CellSummary(cell=0, axes={"d": 20}, parameters={"d": 20, "noise": math.inf, "on": True}, final={"risk": End()})
SUMMARY = Summary(experiment="law", title="A law", system="toy", cells=[CELL], fits={"a": FIT})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text(SUMMARY.text())
    return path


def edit(path, change):
    """Changes the file's content, and its digest, as another version might have written it."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content | {"digest": summary._digest(content)}))


def test_what_is_written_is_read_again(path):
    """In the classes of the laws; what is not finite is None."""
    found = Summary.load(path)
    assert found.text() == SUMMARY.text() == path.read_text()
    assert type(found.fits["a"]) is FittedPower
    assert (found.fits["a"].slope_error, found.fits["a"].points) == (None, [[20.0, 0.1, None]])
    assert found.cells[0].parameters == {"d": 20, "noise": None, "on": True}
    assert json.loads(path.read_text())["format"] == FORMAT


@pytest.mark.parametrize("version", [None, 1, 2, 4])
def test_another_format_is_refused_with_the_remedy(path, version):
    edit(path, lambda content: content.pop("format") if version is None else content.update(format=version))
    with pytest.raises(ExperimentError) as caught:
        Summary.load(path)
    (line,) = caught.value.problems
    assert line == (
        f"{path}: is of format {version or 1}, and this version reads {FORMAT}; write it anew: sgdsim run {path.parent}"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content.update(sizes=3), "sizes: Extra inputs are not permitted"),
        (lambda content: content["fits"]["a"].update(law="powr"), "unknown law 'powr'"),
        (lambda content: content["fits"]["a"].update(slopes=1.0), "slopes"),
        (lambda content: content["cells"][0].pop("cell"), "cells.0.cell: Field required"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(path, change, told):
    edit(path, change)
    with pytest.raises(ExperimentError) as caught:
        Summary.load(path)
    (line,) = caught.value.problems
    assert "is damaged (" in line
    assert told in line
    assert "\n" not in line


def test_a_changed_digit_is_refused(path):
    path.write_text(path.read_text().replace('"slope": -0.5', '"slope": -0.6'))
    with pytest.raises(ExperimentError, match=r"is not as it was written .*; write it anew: sgdsim run "):
        Summary.load(path)


def test_no_json_is_damage_too(path):
    for text in ("{", "[]", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(ExperimentError, match="is damaged"):
            Summary.load(path)


def test_the_schema_in_the_documentation_is_that_of_the_classes():
    """After a change of the classes: python -m sgdsim.store.summary > docs/summary.schema.json."""
    assert json.loads(SCHEMA.read_text()) == schema()
