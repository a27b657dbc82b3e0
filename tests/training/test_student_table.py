"""The table [student] of an experiment file: functions by name, their parameters as keys and axes, and their code."""

import re
import sys

import numpy as np
import pytest
import tomli_w

from sgdsim.committee import ModuleStudent, TeacherStart
from sgdsim.errors import ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.run.opened import OpenRun, open_run
from sgdsim.store.code import _READ
from sgdsim.store.directory import RunDirectory
from sgdsim.store.identity import fingerprint
from tests.extending.guests import install
from tests.helpers import make_blocks

TEXT = """
system = "committee"
problem = { d = 12, k = 1, p = 2, gamma = 0.5 }
student = { module = "three_layers" }
start = { kind = "teacher" }
theory = { kind = "none" }
simulator = { kind = "weights" }
times = { final = 1.0, count = 2 }
ensemble = { replicas = 4 }
"""
PLAIN = TEXT.replace('student = { module = "three_layers" }\n', "").replace("teacher", "gaussian")
PERCEPTRON = "student.module=tests.training.nets:perceptron"
GUEST = """
import equinox as eqx
import jax

SCALE = {scale}

def student(d, *, key, p: int, length: float = 1.0):
    return eqx.nn.MLP(d, "scalar", p, 1, key=key)
"""


@pytest.fixture
def load(tmp_path):
    def load_text(*options, text=TEXT):
        (tmp_path / "test.toml").write_text(text)
        return load_experiment(tmp_path / "test.toml", options)

    return load_text


@pytest.fixture
def guest(monkeypatch, tmp_path):
    """A package with a student, as pip installs it."""
    folder = tmp_path / "site"
    install(monkeypatch, folder, {"sgdsim.students": {"theirs": "guest_students:student"}}, package="guest")
    (folder / "guest_students.py").write_text(GUEST.format(scale=1))
    yield folder / "guest_students.py"
    sys.modules.pop("guest_students", None)


def test_a_student_is_named_in_a_table_of_its_own(load):
    (cell,) = load().cells
    assert cell.problem.student == ModuleStudent("three_layers")
    assert isinstance(cell.start, TeacherStart)
    assert cell.problem.parameters()["student"] == "three_layers"
    named = load("student.p2=3").cells[0].problem
    assert (named.student, named.parameters()["p2"]) == (ModuleStudent("three_layers", p2=3), 3)
    from_path = load("student.module=sgdsim.students:three_layers").cells[0].problem.student
    assert from_path.function is cell.problem.student.function


def test_parameters_are_axes_and_what_is_resolved_is_read_again(load):
    """Of two functions, and of functions that are an axis themselves."""
    axis = load("grid.p2=[2,5]", "grid.p=[1,3]")
    assert [(cell.problem.p, dict(cell.problem.student.parameters)["p2"]) for cell in axis.cells] == [
        *((1, 2), (3, 2), (1, 5), (3, 5))
    ]
    assert load(text=tomli_w.dumps(axis.resolved)).resolved == axis.resolved
    both = load('grid.module=["two_layers", "attention"]')
    assert [cell.problem.student.name for cell in both.cells] == ["two_layers", "attention"]
    assert load(text=tomli_w.dumps(both.resolved)).resolved == both.resolved
    linear = load(PERCEPTRON, "problem.p=1", "student.width=3", "student.depth=1").cells[0].problem.student
    assert dict(linear.parameters) == {"depth": 1, "width": 3}


def test_parameters_are_told_apart(load):
    """Those of a function are part of an experiment's identity, and no key stands in one without a student."""
    assert len({fingerprint(load(*options).resolved) for options in ((), ("student.p2=2",), ("student.p2=3",))}) == 3
    assert "student" not in load(text=PLAIN).resolved


def test_a_widths_law_is_that_of_the_committee(load):
    """p = p0 d^kappa is what the function is given."""
    scaled = TEXT.replace("p = 2, gamma = 0.5", "p0 = 1.0, kappa = 0.5")
    assert load("grid.d=[16,100]", text=scaled).cells[1].problem.p == 10


MISTAKES = {
    "student.module: must be one of two_layers, .*did you mean .three_layers": ["student.module=three_layer"],
    "student.module: must name a package that can be imported, nowhere .*No module": ["student.module=nowhere:f"],
    "student.module: must name a function that is in tests.training.nets .*did you mean": [PERCEPTRON + "s"],
    "student.module: must be written package:function": ["student.module=tests.training.nets:"],
    "student.module: missing": ["student={p2=2}"],
    "student.p3: unknown key; known: module, p2": ["student.p3=2"],
    "student.tokns: unknown key; did you mean .tokens": ["student.module=attention", "student.tokns=2"],
    "student.p2: .*integer": ["student.p2=2.5"],
    "grid.depth: unknown key": ["grid.depth=[1,2]"],
    "student.p: unknown key; it is a key of .problem": ["student.p=2"],
    "tokens: must divide d = 12": ["student.module=attention", "student.tokens=5"],
    "start.kind: .*must say nothing of the student": ["start.kind=gaussian"],
    "simulator.kind: .*must be left out for the simulator .chain": ["simulator.kind=chain"],
    "theory.*must be none beside student": ["theory.kind=exact"],
    "student.module: must have no parameter that is a key of another table, noise": [
        "student.module=tests.training.nets:noisy"
    ],
    "gamma_a: must be left out beside student": ["problem.gamma_a=1.0"],
    "problem.p: must be 1 beside the student": [PERCEPTRON],
}


@pytest.mark.parametrize(("said", "options"), MISTAKES.items())
def test_mistakes_are_told(load, said, options):
    with pytest.raises(ExperimentError) as caught:
        load(*options)
    assert any(re.search(said, line) for line in caught.value.problems), caught.value.problems


def test_a_package_adds_a_student(load, guest):
    """By a word, or by its path; nothing is imported before it is named."""
    assert "guest_students" not in sys.modules
    (cell,) = load("student.module=theirs", "student.length=2").cells
    assert cell.problem.student.function.__name__ == "student"
    assert load("student.module=guest_students:student").cells[0].problem.student.name == "guest_students:student"
    assert "guest_students.py" in code_files(load("student.module=theirs"), guest)


def code_files(experiment, folder):
    return {name.rpartition("/")[2] for name in OpenRun.of(experiment, RunDirectory(folder)).code.files}


@pytest.mark.slow
def test_a_run_that_lost_some_of_its_blocks_makes_the_same_again(load, tmp_path):
    """Of a module, finite data and Adam: what is made later, with others missing, has the bits that it had."""
    data = ("data.n=9", "problem.batch=3", "rule.optimiser=adam")
    experiment = load(*data, "ensemble.replicas=250", "ensemble.block=64")
    make_blocks(experiment, tmp_path / "run")
    files = sorted((tmp_path / "run").glob("blocks/*/*.npz"))
    assert len(files) > 3
    made = {file: dict(np.load(file)) for file in files}
    for file in files[1::2]:
        file.unlink()
    make_blocks(experiment, tmp_path / "run")
    for file, arrays in made.items():
        again = dict(np.load(file))
        assert again.keys() == arrays.keys()
        for name, values in arrays.items():
            if values.dtype.kind == "f":  # beside them stands how long it took
                np.testing.assert_array_equal(again[name], values)


def test_changed_code_of_a_student_is_not_resumed(load, guest, tmp_path):
    """The file of the function, and those of the classes that it makes modules of."""
    experiment = load("student.module=theirs", "ensemble.block=2")
    opened = open_run(experiment, tmp_path / "run")
    before = opened.code
    assert open_run(experiment, tmp_path / "run").code == before
    guest.write_text(GUEST.format(scale=2))
    with pytest.raises(ExperimentError, match=r"guest_students.py: was changed after this process had loaded it"):
        open_run(experiment, tmp_path / "run")
    _READ.clear()  # as a new process has it
    with pytest.raises(ExperimentError, match=r"was simulated by other code \(differing: .*guest_students"):
        open_run(experiment, tmp_path / "run")
    assert "nets.py" in code_files(load(PERCEPTRON, "problem.p=1"), tmp_path)
    assert not {"layers.py", "nets.py"} & code_files(load(text=PLAIN), tmp_path)
    assert "layers.py" in code_files(load(), tmp_path)
