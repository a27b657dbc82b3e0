"""docs/architecture.md says what is so: the rooms, the links, and the journey of an experiment."""

import re
import traceback
from itertools import groupby
from pathlib import Path

import pytest

from sgdsim.cli import main
from sgdsim.rules.lanes import RuleLanes
from tests.house.source import ROOT, modules

DOCS = [ROOT / "docs" / "architecture.md", ROOT / "docs" / "glossary.md", ROOT / "CONTRIBUTING.md"]
TEXT = DOCS[0].read_text()
EXPERIMENT = """\
title = "Two cells of a tile"
system = "committee"

[problem]
k = 2
p0 = 2

[grid]
d = [50, 100]

[start]
kind = "overlap"
overlap = 0.5

[times]
final = 1.0
count = 2

[theory]
kind = "none"

[simulator]
kind = "chain"
kernel = "xla"

[ensemble]
replicas = 16

[report]
figures = []
"""


class Seen(BaseException):
    """What was to be seen has been: nothing is compiled for it."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """File and function of every call of ours, from the command on, when the kernel first advances."""
    folder = tmp_path_factory.mktemp("journey")
    (folder / "journey.toml").write_text(EXPERIMENT)
    frames = []

    def seen(self, state, n_steps):
        frames.extend((Path(frame.filename), frame.name) for frame in traceback.extract_stack())
        raise Seen

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RuleLanes, "advance", seen)
        with pytest.raises(Seen):
            main(["run", str(folder / "journey.toml"), "-o", str(folder / "run"), "-q"])
    package = ROOT / "sgdsim"
    ours = [(file.relative_to(package).as_posix(), name) for file, name in frames if file.is_relative_to(package)]
    return ours[ours.index(("cli/run.py", "run")) :]


def test_the_journey_is_as_drawn(stack):
    drawn = re.findall(r"^ ?(\d+) (\S+\.py) ", TEXT, re.MULTILINE)
    assert [int(number) for number, _ in drawn] == list(range(1, len(drawn) + 1))
    assert [file for _, file in drawn] == [file for file, _ in groupby(file for file, _ in stack)]


def test_its_stations_are_counted(stack):
    files = [file for file, _ in stack]
    assert len(list(groupby(files))) == len(set(files)) == 7
    assert "Seven stations down, each in a file of its own" in TEXT
    assert f"with {len(stack)} functions" in TEXT


def test_every_room_is_on_the_map():
    rows = re.findall(r"^\| (`[^|]*`) \|", TEXT.split("## Code map")[1].split("## The journey")[0], re.MULTILINE)
    named = {name.strip("/") for row in rows for name in re.findall(r"`([^`]+)`", row)}
    rooms = {module.room for module in modules().values() if not module.room.startswith("_")} - {"sgdsim"}
    assert named == rooms


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link
    for file in re.findall(r"`((?:sgdsim|tests|docs)/[\w/]+(?:\.py|/))`", text):
        assert (ROOT / file).exists(), file
