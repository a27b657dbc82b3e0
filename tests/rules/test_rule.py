"""A rule's chain, blocks, full weights, mean step and closed forms tell the same story, and what does not is told."""

import pytest

from sgdsim.rules import blocks, lanes
from sgdsim.rules.average import Average
from sgdsim.rules.laws import RuleTrial, broken_laws
from sgdsim.rules.mean_step import MeanStep
from sgdsim.rules.momentum import Momentum
from sgdsim.rules.rule import KickMoments
from sgdsim.rules.schedule import Cosine, PowerSchedule, Timed
from sgdsim.rules.wrapped import Clipped, Decay, Normalised, Reused, Spherical
from sgdsim.testing import BrokenContractError, check_rule
from tests.rules.nets import START, Line, cluster_net, line, net

d = 40
RULES = {
    "net": net(),
    "line": line(),
    "momentum": Momentum(Decay(net(), 0.03), 0.3),
    "timed": Timed(Normalised(Decay(net(), 0.03), 0.12), PowerSchedule(0.1, 1.0), Cosine(0.2, 0.3)),
    "average": Average(Momentum(Spherical(Clipped(net(), 0.12)), 0.4), 3, 3, ("Q", "a")),
    "reused": Reused(Decay(net(), 0.03), 2),
    "clusters": Momentum(Spherical(cluster_net()), 0.3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_the_laws_of_a_rule(name):
    check_rule(RULES[name], d, START)


class Planted(Line):
    """Another class, which is traced anew: what is wrong is wrong in it alone."""


def found(rule, batch=1):
    """The laws that do not hold, by name."""
    lines = broken_laws(RuleTrial(rule, d, START, batch, 2**15, 0))
    return {line.split(":")[0] for line in lines}


WRONG = [(name, 1.02) for name in KickMoments._fields]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "factor"), [*WRONG, ("squares", -1.0)])
def test_a_wrong_closed_form_is_noticed(name, factor):
    class Wrong(Line):
        def moments(self, P, M, Q, numbers, time):
            right = super().moments(P, M, Q, numbers, time)
            return right._replace(**{name: factor * getattr(right, name)})

    with pytest.raises(BrokenContractError, match=f"^moments: `moments` gives {name} that are"):
        check_rule(line(Wrong), d, START, batch=1)


@pytest.mark.slow
def test_a_wrong_length_in_the_unrolled_chain_is_noticed(monkeypatch):
    right = lanes.chi_square
    monkeypatch.setattr(lanes, "chi_square", lambda *of: 1.1 * right(*of))
    assert found(line(Planted)) == {"lanes"}


@pytest.mark.slow
def test_a_wrong_gram_matrix_in_the_chain_by_products_is_noticed(monkeypatch):
    class Wide(Line):
        """Another one."""

    right = blocks.gram
    monkeypatch.setattr(blocks, "gram", lambda rows: 1.1 * right(rows))
    assert "blocks" in found(line(Wide))


@pytest.mark.slow
def test_a_wrong_drift_in_the_mean_step_is_noticed(monkeypatch):
    right = MeanStep.drift
    monkeypatch.setattr(MeanStep, "drift", lambda self, point: 1.1 * right(self, point))
    assert found(Decay(line(), 0.03)) == {"step"}
