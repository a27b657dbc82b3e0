"""What a user hands over by mistake: one ArgumentError each, which names the argument and what to write instead."""

from pathlib import Path

import numpy as np
import pytest

import sgdsim
from sgdsim.errors import ArgumentError, CautionWarning
from sgdsim.meanfield.dynamics import Sgd
from sgdsim.meanfield.starts import LawStart
from sgdsim.meanfield.theory import MeanFieldLimit
from tests.helpers import printed_by
from tests.meanfield.wrong_parts import REFUSED, TAKEN, model, problem


@pytest.fixture(scope="module")
def tried():
    """What became of everything, in a process without the checks of types that tests have."""
    return printed_by(Path(__file__).with_name("wrong_parts.py"))


@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_a_wrong_part_is_told(tried, index):
    _, blamed, words = REFUSED[index]
    kind, argument, message = tried[index]
    assert (kind, argument) == ("ArgumentError", blamed), message
    assert message.startswith(f"Argument `{blamed}` must ")
    assert words in message


@pytest.mark.parametrize("index", range(len(TAKEN)))
def test_numbers_of_numpy_lists_and_parts_of_ones_own_are_taken(tried, index):
    assert tried[len(REFUSED) + index][0] == "True"


def test_the_least_risk_of_a_model_of_ones_own():
    """Labels 2 and 1 with equal chance cost 1/8, at half of the inputs; the others are sure."""
    assert model().least_risk == pytest.approx(0.5 * 0.125)


def test_sgd_at_beta_1_is_simulated_without_the_theory_that_does_not_exist():
    """The headline case of docs/meanfield.md: the default theory is left out, and said so; one asked for is refused."""
    sgd = problem(beta=1.0, dynamics=Sgd())
    with pytest.warns(CautionWarning) as told:
        found = sgdsim.simulate(sgd, LawStart(), np.array([0.5]), replicas=2)
    assert sum("no theory 'limit'" in str(one.message) for one in told) == 1
    assert "m" in found
    assert not [name for name in found if str(name).endswith("_theory")]
    with pytest.raises(ArgumentError, match="random"):
        sgdsim.simulate(sgd, LawStart(), np.array([0.5]), replicas=2, theory=MeanFieldLimit())
    with pytest.raises(ArgumentError, match="random"):
        sgdsim.solve(sgd, LawStart(), np.array([0.5]))


def test_a_step_that_is_rounded_to_nothing_is_refused():
    with pytest.raises(ArgumentError, match=r"`gamma` must give a step eps = gamma N\^\(beta - 1\) > 0, but got 0.0"):
        problem(gamma=5e-324)
