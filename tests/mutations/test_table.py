"""The table of planted errors fits the code, its results fit both, and only an assertion catches an error."""

import sys
import textwrap

import pytest

from tests.mutations.planting import Field
from tests.mutations.record import Record
from tests.mutations.table import ROOT, Planted, definition_of, planted

ERRORS = planted()
LEAST = 120


def test_there_are_many_and_each_has_its_own_words():
    assert len({error.wrong for error in ERRORS}) == len(ERRORS) >= LEAST
    assert len({(error.file, error.old, error.new) for error in ERRORS}) == len(ERRORS)


def test_every_error_can_be_planted_once_and_leaves_python():
    for error in ERRORS:
        text = error.planted((ROOT / error.file).read_text())
        compile(text, error.file, "exec")
        assert error.old != error.new, error.wrong


def test_every_test_that_is_to_see_one_exists():
    for error in ERRORS:
        assert error.tests, error.wrong
        for name in error.tests:
            definition_of(name)


def test_every_error_was_caught_as_table_and_code_now_are():
    """A change of the definition that an error is in, or of the test that saw it, calls for `make mutate` again."""
    record = Record(ERRORS)
    stale = [error.wrong for error in ERRORS if not record.fresh(error)]
    assert not stale, f"`make mutate` has to be run again, it takes these alone: {stale}"


SOURCE = "def double(x):\n    return 2 * x\n"
TESTS = """
    import time

    import pytest

    from toy import double


    @pytest.mark.parametrize("x", [0, 3])
    def test_double(x):
        assert double(x) == x + x


    def test_nothing():
        pass


    def test_slow():
        time.sleep(double(0.1))
"""


@pytest.fixture
def toy(tmp_path):
    """A folder with a function, tests of it, and the process that runs them."""
    (tmp_path / "toy.py").write_text(SOURCE)
    (tmp_path / "test_toy.py").write_text(textwrap.dedent(TESTS))
    server = tmp_path / "tests" / "mutations" / "server.py"
    server.parent.mkdir(parents=True)
    server.write_text((ROOT / "tests" / "mutations" / "server.py").read_text())
    field = Field(tmp_path, warm=())
    yield field
    field.close()


@pytest.mark.slow
def test_what_becomes_of_an_error(toy):
    """Only an assertion that does not hold is a catch."""

    def outcome(new, test, seconds=60.0):
        error = Planted("toy", "wrong", "toy.py", "2 * x", new, (f"test_toy.py{test}",))
        found = toy.run_with(error, seconds)
        return found["outcome"], found["by"]

    assert toy.run(("test_toy.py",))["outcome"] == "survived"
    assert outcome("3 * x", "") == ("caught", "test_toy.py::test_double[3]")
    assert outcome("4 * x", "::test_double") == ("caught", "test_toy.py::test_double[3]")
    assert outcome("3 * x", "::test_nothing") == ("survived", "")
    assert outcome("2 * y", "::test_double")[0] == "error"  # NameError
    assert outcome("2 * (", "::test_double")[0] == "error"  # no Python
    assert outcome("2 * x", "::test_gone")[0] == "error"
    assert outcome("1e3", "::test_slow", 2.0) == ("timeout", "")
    assert (toy.folder / "toy.py").read_text() == SOURCE
    assert toy.run(("test_toy.py",))["outcome"] == "survived"


def test_an_outcome_holds_for_the_definitions_alone(tmp_path):
    (tmp_path / "test_toy.py").write_text(textwrap.dedent(TESTS))

    def code(source, new="3 * x", test="test_toy.py::test_double[3]"):
        (tmp_path / "toy.py").write_text(source)
        return Planted("toy", "wrong", "toy.py", "2 * x", new, ()).digest(test, tmp_path)

    same = code(SOURCE)
    assert code(f'"""Words."""\n\nimport math\n\n\n{SOURCE}\n\ndef other():\n    return math.pi\n') == same
    assert code('def double(x):\n    """Words."""\n    # A reason.\n    return 2 * x\n') == same
    assert code(SOURCE.replace("return", "x = abs(x)\n    return")) != same
    assert code(SOURCE, new="4 * x") != same
    assert code(SOURCE, test="test_toy.py::test_nothing") != same


def test_results_are_kept_and_go_stale(tmp_path):
    error, other = ERRORS[0], ERRORS[-1]
    record = Record([error, other], tmp_path / "results.toml")
    assert not record.fresh(error)
    record.add(error, {"outcome": "caught", "by": error.tests[0], "seconds": 1.5})
    record.add(other, {"outcome": "survived", "by": "", "seconds": 2.0})
    again = Record([error, other], tmp_path / "results.toml")
    assert again.outcomes == record.outcomes
    assert again.fresh(error)
    assert not again.fresh(other)
    assert sys.version.split()[0] in (tmp_path / "results.toml").read_text()
