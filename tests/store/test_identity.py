"""Which experiments are the same: by the keys of every system, and by what each system's parameters say of theirs."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest

from sgdsim.committee.system import SYSTEM
from sgdsim.ensemble.section import section_of_kinds
from sgdsim.parameters import Parameter
from sgdsim.store.identity import differing_keys, fingerprint

TABLE = {
    "title": "a",
    "system": "committee",
    "problem": {"d": 100, "p": 2, "gamma": 1.0},
    "theory": {"kind": "exact", "fluctuations": False},
    "simulator": {"kind": "chain", "precision": "float32", "kernel": "auto"},
    "ensemble": {"replicas": 8, "seed": 0, "batch": 4},
}


def changed(section, **keys):
    return TABLE | {section: TABLE[section] | keys}


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("theory", {"fluctuations": True}),
        ("simulator", {"kernel": "fused"}),
        ("ensemble", {"batch": 2}),
        ("ensemble", {"replicas": 16}),
    ],
)
def test_the_name_of_an_experiment_is_that_of_its_blocks(section, keys):
    """The number is that of version 0.1.0, so that its runs can be taken up."""
    assert fingerprint(changed(section, **keys)) == fingerprint(TABLE) == "81a9a1ea59da613ba72ebda80c173dcc"


@pytest.mark.parametrize(
    ("section", "keys", "told"),
    [
        ("problem", {"gamma": 2.0}, ["problem.gamma"]),
        ("theory", {"kind": "limit", "fluctuations": True}, ["theory.kind"]),
        ("simulator", {"precision": "float64", "kernel": "xla"}, ["simulator.precision"]),
        ("ensemble", {"replicas": 16}, ["ensemble.replicas"]),
    ],
)
def test_what_changes_a_number_is_told(section, keys, told):
    assert differing_keys(TABLE, changed(section, **keys)) == told


@dataclass(frozen=True)
class Svm:
    """A simulator of somebody else, whose kernel is no form of a loop."""

    name: ClassVar[str] = "svm"
    kernel: Annotated[str, Parameter("", "kernel of the support vectors")] = "rbf"
    threads: Annotated[int, Parameter("", "threads of a process", in_identity=False)] = 1


def test_a_key_is_what_its_own_system_says_it_is(monkeypatch):
    theirs = dataclasses.replace(SYSTEM, name="svm", simulator_section=section_of_kinds({"svm": Svm}))
    monkeypatch.setattr("sgdsim.systems.is_known", lambda name: name == "svm")
    monkeypatch.setattr("sgdsim.systems.load_system", lambda name: theirs)
    one = {"system": "svm", "simulator": {"kind": "svm", "kernel": "rbf", "threads": 1}}
    other = {"system": "svm", "simulator": {"kind": "svm", "kernel": "linear", "threads": 8}}
    assert differing_keys(one, other) == ["simulator.kernel"]


def test_of_a_system_that_is_not_known_every_key_counts():
    one, other = ({"system": "nobody's", "theory": {"fluctuations": asked}} for asked in (True, False))
    assert differing_keys(one, other) == ["theory.fluctuations"]
