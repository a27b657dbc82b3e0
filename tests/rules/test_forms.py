"""The forms of the unrolled chain agree for all that a rule can do: C++, bit for bit over divisions, and Pallas."""

import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.lane_loop import xla_form
from sgdsim.ensemble.mosaic_form import ROOM, MosaicForm
from sgdsim.ensemble.random import replica_keys
from sgdsim.native.build import find_compiler
from sgdsim.native.form import NativeForm
from sgdsim.rules import mosaic
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.momentum import Momentum
from sgdsim.rules.mosaic import LoopShape, disagreement
from sgdsim.rules.wrapped import Decay, Reused, Spherical
from tests.compiled import advance, begin
from tests.rules.nets import OUTPUTS, START, Clipped, Net, Slowing, cluster_net, net

d, LANES = 300, 24
RULES = {
    "numbers, visits, limits, lengths": Spherical(Reused(Decay(Clipped(net()), 0.01), 2)),
    "velocities, time": Momentum(Slowing(net()), 0.3),
    "clusters": cluster_net(),
}


def begun(rule, form):
    kernel = RuleLanes.of(rule, d, 1 / d, "float32", LANES, form)
    return kernel, begin(kernel, START, jnp.asarray(replica_keys(3, 0, 0, LANES)))


def numbers(state):
    return np.concatenate([np.asarray(part).ravel() for part in (state.m, state.S, state.numbers)])


@pytest.mark.skipif(find_compiler() is None, reason="needs a C++ compiler")
@pytest.mark.parametrize("name", RULES)
def test_the_form_in_cpp_agrees_with_xla_and_with_itself(name):
    kernel, state = begun(RULES[name], NativeForm(required=True))
    steps, segment = 75, int(kernel.segment)
    once = advance(kernel, state, jnp.asarray(steps))
    half = advance(kernel, state, jnp.asarray(2 * segment))
    np.testing.assert_array_equal(numbers(once), numbers(advance(kernel, half, jnp.asarray(steps - 2 * segment))))
    expected = numbers(advance(*begun(RULES[name], xla_form), jnp.asarray(steps)))
    moved = np.abs(expected - numbers(state)).max()
    assert np.abs(numbers(once) - expected).max() < 3e-6 * moved


def shape_of(rule):
    return LoopShape.of(rule, d, lambda d: rule)


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_the_form_of_pallas_agrees_with_xla(name):
    assert disagreement(MosaicForm(interpret=True), shape_of(RULES[name])) is None


def test_a_form_is_checked_once_for_all_rules_of_it():
    """Another rate or other outputs are the same program; another function, or rule around it, is not."""
    other = Net(0.5, np.array([0.1, 0.2]))
    assert shape_of(net()) == shape_of(other)
    assert hash(shape_of(net())) == hash(shape_of(other))
    assert len({shape_of(rule) for rule in (net(), Decay(net(), 0.1), Spherical(net()), *RULES.values())}) == 6
    assert shape_of(net()) != LoopShape.of(net(), 30, lambda d: net())


class Many(Net):
    """More numbers than a thread has registers for."""

    @property
    def sizes(self):
        return super().sizes._replace(numbers=ROOM)


@pytest.mark.slow
def test_a_rule_whose_vectors_or_numbers_do_not_fit_is_told(monkeypatch):
    monkeypatch.setattr(mosaic, "why_not", lambda device: None)
    assert mosaic.why_unfit(shape_of(net()), np.float32) is None
    wide = Momentum(Momentum(net(), 0.5), 0.5)
    said = "the fused form is for batch 1 and for p and k up to 8 (here 12 vectors that move, 2 that stay)"
    assert mosaic.why_unfit(shape_of(wide), np.float32) == said
    many = Many(0.02, OUTPUTS)
    assert (mosaic.why_unfit(shape_of(many), np.float32) or "").startswith(f"a thread has registers for {ROOM} numbers")
