"""Arguments from Python: what is wrong is told before anything is compiled, and NumPy's numbers are numbers."""

import warnings
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import sgdsim
from sgdsim.checks import choice, integer, interval, number, row
from sgdsim.classification import Classification
from sgdsim.committee import Chain, Committee, OverlapStart
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.times import linear_times, log_times
from sgdsim.errors import ArgumentError, CautionWarning
from sgdsim.recovery import Descent, ExactStart, Recovery, integrate
from tests.helpers import printed_by
from tests.wrong_arguments import cases, taken

PROBLEM = Committee(d=20, p=2, k=2, gamma=2.0)


@pytest.fixture(scope="module")
def tried():
    """What became of every wrong argument, in a process without the checks of types that tests have."""
    return {name: rest for name, *rest in printed_by(Path(__file__).with_name("wrong_arguments.py"))}


@pytest.mark.parametrize("name", cases())
def test_a_wrong_argument_is_told(tried, name):
    _, blamed, words = cases()[name]
    kind, argument, message, compiled = tried[name]
    assert (kind, argument) == ("ArgumentError", blamed), message
    assert message.startswith(f"Argument `{blamed}` must ")
    assert words in message
    assert compiled == 0


@pytest.mark.parametrize("value", [3, np.int32(3), np.uint8(3), np.array(3), jnp.asarray(3)])
def test_integers_of_any_library_are_integers(value):
    assert integer("n", value, 3) == 3
    assert type(integer("n", value)) is int


@pytest.mark.parametrize("value", [True, np.True_, 3.0, np.float64(3), "3", None, np.array([3])])
def test_what_is_no_integer(value):
    with pytest.raises(ArgumentError, match="`n` must be an integer, but got"):
        integer("n", value)


def test_integers_are_of_64_bits():
    assert integer("n", 2**63 - 1) == 2**63 - 1
    with pytest.raises(ArgumentError, match=r"`n` must be below 2\*\*63, but got 9223372036854775808"):
        integer("n", 2**63)


@pytest.mark.parametrize("value", [2, 2.0, np.int64(2), np.float32(2), np.array(2.0), jnp.asarray(2.0)])
def test_numbers_of_any_library_are_numbers(value):
    assert number("x", value) == 2.0
    assert type(number("x", value)) is float


@pytest.mark.parametrize("value", [True, "2", None, 2j, [2.0], np.array([2.0]), [[1.0], [1.0, 2.0]], 10**400])
def test_what_is_no_number(value):
    with pytest.raises(ArgumentError, match="`x` must be a number, but got"):
        number("x", value)


def test_rows_intervals_and_choices():
    np.testing.assert_array_equal(row("t", [1, 2.5]), [1.0, 2.5])
    assert row("t", []).dtype == row("t", jnp.asarray([1])).dtype == np.float64
    assert interval("window", np.array([1, 2])) == (1.0, 2.0)
    for wrong in ([2.0, 1.0], [1.0, 1.0], [0.0, np.inf], [1.0]):
        with pytest.raises(ArgumentError, match="two increasing numbers"):
            interval("window", wrong)
    choice("kind", np.str_("a"), ("a", "b"))
    for wrong in ("c", None, 1):
        with pytest.raises(ArgumentError, match='`kind` must be "a", "b" or True, but got'):
            choice("kind", wrong, ("a", "b", True))


def test_problems_take_numbers_of_numpy():
    problem = Committee(d=np.int64(20), p=np.int32(2), k=np.uint8(2), gamma=np.float32(2), noise=np.int64(0))
    assert problem == PROBLEM
    assert Committee.from_scaling(d=np.int64(100), k=np.int8(2), p0=np.int64(3)).p == 3
    plain = Recovery(alpha=2.0, eta=0.5, N=10, waiting=[1.0])
    assert Recovery(alpha=np.int64(2), eta=np.float32(0.5), N=np.int64(10), waiting=np.array([1])) == plain
    images = Classification(N=np.int64(5), gamma=1, beta=np.float32(0.5), batch=np.int64(7), window=np.array([0, 1]))
    assert (images.N, images.batch, images.window) == (5, 7, (0.0, 1.0))


@pytest.mark.parametrize("name", taken())
def test_parts_take_numbers_of_numpy(tried, name):
    assert tried[name][0] == "taken"


def test_functions_take_numbers_of_numpy():
    solved = integrate(np.int64(2), 0.1, np.float32(1), 0, 1, np.int64(3), tolerance=0)
    assert solved.m.shape == (4,)
    np.testing.assert_array_equal(linear_times(np.int64(2), np.int64(2)), [1.0, 2.0])
    assert log_times(10, np.int32(3), 1)[0] == 1.0


def test_a_run_takes_lists_and_numbers_of_numpy():
    plain = sgdsim.simulate(PROBLEM, OverlapStart(), np.array([0.1, 0.2]), replicas=8, seed=3, compare=False)
    same = sgdsim.simulate(
        PROBLEM, OverlapStart(), [0.1, 0.2], replicas=np.int64(8), seed=np.uint8(3), batch=np.int16(8), compare=False
    )
    assert plain.assign_attrs(wall_seconds=0).identical(same.assign_attrs(wall_seconds=0))
    assert sgdsim.solve(PROBLEM, OverlapStart(), [0.1, 0.2]).identical(
        sgdsim.solve(PROBLEM, OverlapStart(), np.array([0.1, 0.2]))
    )


def test_an_ensemble_asks_the_same_of_its_parts():
    with pytest.raises(ArgumentError, match=r"`start` must be a start of sgdsim.committee.Committee"):
        Ensemble(PROBLEM, ExactStart(), Chain(), None, np.array([0.1]), 8, 0)
    with pytest.raises(ArgumentError, match=r"`simulator` must be a simulator of sgdsim.committee.Committee"):
        Ensemble(PROBLEM, OverlapStart(), Descent(), None, np.array([0.1]), 8, 0)


def test_cautions_are_warned_of(monkeypatch):
    """Once each, at the caller's line, and before the simulation; nothing is said of a problem without any."""
    monkeypatch.setattr(Committee, "cautions", lambda problem: ["mind the step", "mind the noise"])
    monkeypatch.setattr(Ensemble, "run", lambda *args, **options: pytest.fail("simulated before the warning"))
    with pytest.raises(CautionWarning, match="mind the step"):  # warnings are errors here
        sgdsim.simulate(PROBLEM, OverlapStart(), [0.1], replicas=8, compare=False)
    monkeypatch.undo()
    monkeypatch.setattr(Committee, "cautions", lambda problem: ["mind the step", "mind the noise"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sgdsim.simulate(PROBLEM, OverlapStart(), [0.1, 0.2], replicas=8, compare=False)
    assert [str(warning.message) for warning in caught] == ["mind the step", "mind the noise"]
    assert {warning.category for warning in caught} == {sgdsim.CautionWarning}


def test_doubts_are_warned_of(monkeypatch):
    """Once it has run, from the means of all scalars."""
    monkeypatch.setattr(Committee, "doubts", lambda problem, final: [", ".join(sorted(final))])
    with pytest.warns(CautionWarning, match=r"^excess_risk$"):
        sgdsim.simulate(PROBLEM, OverlapStart(), [0.1, 0.2], replicas=8, compare=False)
