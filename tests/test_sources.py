"""The papers an experiment uses, and that every list of papers is this one."""

import re
import tomllib
from pathlib import Path

import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.sources import _FIGURES, _SETTINGS, _VALUES, SOURCES, SYSTEMS, sources_of
from sgdsim.systems import SYSTEMS as KNOWN
from sgdsim.systems import load_system

ROOT = Path(__file__).parents[1]


def keys(experiment):
    return [paper.key for paper in sources_of(experiment)]


def test_what_an_experiment_uses():
    committee = {"system": "committee"}
    assert keys(committee) == ["veiga2022", "saad1995", "salmon2011"]
    assert keys(committee | {"rule": {"reuse": 1}, "quick": {"reuse": 2}}) == keys(committee)
    assert keys(committee | {"rule": {"reuse": 2}}) == ["veiga2022", "saad1995", "dandi2024", "salmon2011"]
    along = committee | {"grid": {"zip": [{"reuse": [1, 3], "mu": [0.0, 0.0]}], "mu": [0.5]}}
    assert keys(along) == ["veiga2022", "saad1995", "arnaboldi2024", "dandi2024", "salmon2011"]
    signs = committee | {"grid": {"optimiser": ["sgd", "sign"]}}
    assert keys(signs) == ["veiga2022", "saad1995", "xiao2024", "salmon2011"]
    assert keys(committee | {"rule": {"optimiser": "adam"}}) == keys(committee)
    drawn = {"system": "meanfield", "report": {"figures": ["radial", "risk"]}, "simulator": {"kind": "none"}}
    assert keys(drawn) == ["debortoli2020", "mei2018"]
    assert keys({"system": "of a package", "report": {"figures": 3}, "simulator": "no table"}) == ["salmon2011"]


def test_keys_of_another_system_count_for_nothing():
    assert keys({"system": "recovery", "problem": {"degree": 1}}) == ["kamali2023sgd", "kamali2023dmft", "salmon2011"]


def test_the_tables_name_what_there_is():
    assert set(SYSTEMS) == set(KNOWN)
    assert set(_FIGURES) <= set(FIGURES)
    for name, settings in _SETTINGS.items():
        system = load_system(name)
        known = {key: field for section in system.homes.values() for key, field in section.model_fields.items()}
        assert {key for key, _, _ in settings} <= set(known)
        for key, usual, _ in settings:
            # What a run writes out as a default is no use of it.
            assert known[key].default in (usual, None), key
    for name, settings in _VALUES.items():
        known = {key for section in load_system(name).homes.values() for key in section.model_fields}
        assert {key for key, _, _ in settings} <= known
    used = {key for table in (SYSTEMS, _FIGURES) for found in table.values() for key in found}
    used |= {source for table in (_SETTINGS, _VALUES) for found in table.values() for _, _, source in found}
    used |= {"salmon2011"}
    assert used == set(SOURCES)


@pytest.mark.parametrize("paper", SOURCES.values(), ids=SOURCES)
def test_an_entry_can_be_read(paper):
    """Braces that match, one entry a line, ASCII alone, and every author with both names."""
    lines = paper.bibtex.splitlines()
    assert lines[0] == f"@{paper.kind}{{{paper.key},"
    assert lines[-1] == "}"
    entries = dict(re.fullmatch(r"  (\w+) = \{(.*)\},", line).groups() for line in lines[1:-1])
    assert all(text.count("{") == text.count("}") for text in entries.values())
    assert paper.bibtex.isascii()
    assert not re.search(r"(?<!\\)&", paper.bibtex)
    assert entries["author"].count(", ") == entries["author"].count(" and ") + 1
    assert entries["year"] == str(paper.year) == paper.key[-4:] or paper.key.startswith("kamali2023")
    assert {"journal", "booktitle"} & set(entries)
    assert paper.url.startswith("https://") or paper.key == "benarous2021"


def test_the_line_of_a_paper():
    assert SOURCES["mei2018"].text == (
        "S. Mei, A. Montanari, P. M. Nguyen, A mean field view of the landscape of two-layer neural networks,"
        " Proceedings of the National Academy of Sciences 115 (2018), arXiv:1804.06561"
    )


def test_what_shipped_experiments_name_is_cited():
    """A file that speaks of a paper by its authors and year cites it."""
    for path in (ROOT / "configs").rglob("*.toml"):
        text = path.read_text(encoding="utf-8")
        found = keys(tomllib.loads(text))
        for author, year in re.findall(r"([A-Z]\w+) et al\.? \(?(\d{4})", text):
            assert f"{author.lower()}{year}" in found, path
