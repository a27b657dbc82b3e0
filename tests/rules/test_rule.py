"""A rule's chain, blocks, full weights and mean step tell the same story."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.random import replica_keys
from sgdsim.rules.average import Average
from sgdsim.rules.blocks import RuleBlocks
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.mean_step import MeanStep
from sgdsim.rules.momentum import Momentum
from sgdsim.rules.schedule import Cosine, Power, Timed
from sgdsim.rules.weights import RuleWeights
from sgdsim.rules.wrapped import Clipped, Decay, Normalised, Reused, Spherical
from tests.rules.nets import START, net

d, LANES, STEPS = 40, 2**14, 12
RULES = {
    "net": net(),
    "momentum": Momentum(Decay(net(), 0.03), 0.3),
    "timed": Timed(Normalised(Decay(net(), 0.03), 0.12), Power(0.1, 1.0), Cosine(0.2, 0.3)),
    "average": Average(Momentum(Spherical(Clipped(net(), 0.12)), 0.4), 3, 3, ("Q", "a")),
    "reused": Reused(Decay(net(), 0.03), 2),
}

advance = jax.jit(lambda kernel, state, steps: kernel.advance(state, steps))


def simulated(kernel, seed):
    keys = jnp.asarray(replica_keys(seed, 0, 0, LANES))
    state = advance(kernel, kernel.init(START, keys), jnp.asarray(STEPS))
    return {name: np.asarray(value).reshape(-1, LANES) for name, value in kernel.observe(state).items()}


def agree(one, other):
    for name in one:
        a, b = one[name], other[name]
        error = np.sqrt((a.var(1) + b.var(1)) / LANES) + 1e-6
        assert np.abs((a.mean(1) - b.mean(1)) / error).max() < 4.5, name
        spread = np.sqrt((((a - a.mean(1)[:, None]) ** 2).var(1) + ((b - b.mean(1)[:, None]) ** 2).var(1)) / LANES)
        assert np.abs((a.var(1) - b.var(1)) / (spread + 1e-6)).max() < 4.5, name


@pytest.mark.parametrize("name", RULES)
def test_chain_and_full_weights_have_one_law(name):
    rule = RULES[name]
    weights = simulated(RuleWeights.of(rule, d, 1, "float32", LANES, 4), 1)
    agree(weights, simulated(RuleLanes.of(rule, d, rule.rate, "float32", LANES), 2))
    agree(weights, simulated(RuleBlocks.of(rule, d, 1, "float32", LANES, 4), 3))


@pytest.mark.parametrize("name", RULES)
def test_batches_of_chain_and_full_weights_have_one_law(name):
    rule = RULES[name]
    weights = simulated(RuleWeights.of(rule, d, 3, "float32", LANES, 2), 1)
    agree(weights, simulated(RuleBlocks.of(rule, d, 3, "float32", LANES, 2), 3))


# Of a batch whose length is limited as a whole the mean step knows nothing.
ONE_STEP = [(rule, batch, d) for rule in RULES.values() for batch in (1, 3) if batch == 1 or not rule.limits]
ONE_STEP[-1] = (Reused(Decay(net(4e-4), 0.03), 2), 3, 2000)  # the ODE leaves out a part 1/d where batches are reused


@pytest.mark.parametrize(("rule", "batch", "d"), ONE_STEP)
def test_one_step_has_the_mean_of_the_ode(rule, batch, d):
    kernel = RuleBlocks.of(rule, d, batch, "float64", LANES, 1)
    keys = jnp.asarray(replica_keys(4, 0, 0, LANES))
    state = kernel.init(START, keys)
    begun, after = kernel.observe(state), kernel.observe(advance(kernel, state, jnp.asarray(1)))
    curve = MeanStep.of(rule, d, 1.0, batch, 1e-8, 1e-10, 14)
    P, point = curve.begin(jax.tree.map(lambda part: part[0], START))
    step = curve.step(P, point)
    here = rule.observe(*map(jnp.asarray, (P, point.M, point.Q, point.numbers)))
    there = rule.observe(P, point.M + step.M, point.Q + step.Q, point.numbers + step.numbers)
    for key in after:
        moved = np.asarray(after[key] - begun[key]).reshape(-1, LANES)
        error = moved.std(1) / LANES**0.5 + 1e-6
        expected = np.asarray(there[key] - here[key]).ravel()
        assert np.abs((moved.mean(1) - expected) / error).max() < 4.5, key
