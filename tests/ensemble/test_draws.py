"""What a step draws is its own, in every simulator of every system.

A state is set to a step, makes one more, and is looked at: two steps that draw the same lead to the same state. Steps
are compared with those 2^j later, for all j up to 40, so that a counter of 32 bits, of a step or of a step times
something, is noticed; and replicas with others, of their tile, the next tile, another cell and another seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.classification import Classification, Network, RandomStart
from sgdsim.committee import Chain, Committee, OverlapStart, Weights
from sgdsim.committee.chain_blocks import chain_blocks
from sgdsim.contracts import Problem, Simulator, Start
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.meanfield import LawStart, Linearised, MeanField, Pair, Particles, Sde, Sgd
from sgdsim.meanfield.models import radial_model
from sgdsim.recovery import Descent, ExactStart, Recovery
from sgdsim.rules.blocks import RuleBlocks
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.weights import RuleWeights
from tests.meanfield.by_hand import MODEL
from tests.meanfield.test_reproducible import THREE


def of_chain(state):
    return jnp.moveaxis(jnp.concatenate([state.m, state.S], axis=1), -1, 0)


def of_descent(state):
    return state.x.T


def of_network(state):
    return state.W1


def of_particles(state):
    return jnp.stack(state.W).T


@dataclass(frozen=True)
class Case:
    """A simulator of a problem; `read` is what one step changes of a state, lanes first."""

    problem: Problem
    start: Start
    simulator: Simulator
    read: Callable[[Any], jax.Array]

    def ensemble(self, seed=0, cell=0):
        """Two tiles, of 16 replicas where a tile has so many."""
        whole = Ensemble(self.problem, self.start, self.simulator, None, np.array([self.problem.dt]), 32, seed, cell)
        return whole if whole.n_tiles > 1 else Ensemble(**vars_of(whole) | {"replicas": 2 * whole.lanes})


def vars_of(ensemble):
    names = ("problem", "start", "simulator", "theory", "times", "seed", "cell")
    return {name: getattr(ensemble, name) for name in names}


class BlockedChain(Chain):
    """The chain by matrix products, of four steps to a block."""

    def bind(self, problem, replicas, final):
        return chain_blocks(problem, jnp.dtype(self.precision), 16, 4)


def committee(**options):
    return Committee(**{"d": 100, "p": 2, "k": 2, "gamma": 1.0, "noise": 0.1} | options)


def particles(dynamics, simulator=None, model=MODEL, read=of_particles, **options):
    problem = MeanField(model=model, dynamics=dynamics, **{"N": 6, "gamma": 0.5, "beta": 1.0} | options)
    return Case(problem, LawStart(), simulator or Particles("float64"), read)


START = OverlapStart(0.5, 1)
RECOVERY = {"alpha": 2.0, "eta": 0.1, "b": 0.5, "N": 50}
CASES = {
    "chain": Case(committee(), START, Chain("float64"), of_chain),
    "chain, few degrees": Case(committee(d=20), START, Chain("float64"), of_chain),
    "blocked chain": Case(
        committee(), START, BlockedChain("float64"), lambda state: jnp.concatenate([state.m, state.S], axis=2)
    ),
    "blocked chain, few degrees": Case(committee(d=20, batch=2), START, BlockedChain("float64"), lambda state: state.S),
    "weights": Case(committee(d=9), START, Weights("float64", block=4), lambda state: state.W),
    "descent": Case(Recovery(**RECOVERY), ExactStart(), Descent("float64"), of_descent),
    "descent, data drawn anew": Case(Recovery(**RECOVERY), ExactStart(), Descent("float64", stored=False), of_descent),
    # Eight batches to an epoch, so that steps 2^j apart are at the same place of theirs.
    "network": Case(
        Classification(N=12, gamma=1.0, beta=0.75, batch=160), RandomStart(), Network("float64"), of_network
    ),
    "sgd": particles(Sgd(batch=2)),
    # So many that some move in every lane: those on a flat part of the feature stay, whatever is drawn.
    "sgd of a sampler": particles(Sgd(), model=radial_model(4), N=24),
    "own sgd": particles(Sgd("per_particle", batch=2)),
    "common sde": particles(Sde("common")),
    "own sde": particles(Sde(), model=THREE),
    "own scalar sde": particles(Sde()),
    "pair": particles(Sgd(), Pair("float64"), read=lambda state: jnp.concatenate([state.system.W[0], state.star[0]]).T),
    "linearised": particles(
        Sgd(), Linearised("float64"), a=0.75, read=lambda state: jnp.concatenate([state.system.W[0], state.m]).T
    ),
}


LONG = {
    "chain, few degrees",
    "blocked chain, few degrees",
    "descent, data drawn anew",
    "sgd of a sampler",
    "own scalar sde",
    "common sde",
    "linearised",
}
"""Seconds to compile, of what is much like a neighbour."""


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in CASES], scope="module"
)
def case(request):
    return CASES[request.param]


def steps_from(read, kernel, state, keys, steps):
    """What is read of the state after each of these steps, made from it under these keys."""
    return _steps_from(read, kernel, state, keys, jnp.asarray(steps, jnp.int64))


@eqx.filter_jit
def _steps_from(read, kernel, state, keys, steps):
    """The same of an array of steps: plain numbers would be static, and every list a compilation."""

    def moved(step):
        made = eqx.tree_at(lambda state: (core(state).keys, core(state).step), state, (keys, step))
        return read(kernel.advance(made, jnp.asarray(1)))

    return jax.lax.map(moved, steps)


def core(state):
    """The part of a state that has its keys and counts its steps."""
    return getattr(state, "system", state)


begin = jax.jit(lambda kernel, initial, keys: kernel.init(initial, keys))


def started(case, ensemble=None, tile=0):
    """Kernel, state and keys of a tile."""
    ensemble = ensemble or case.ensemble()
    batch = ensemble.begin(range(2))
    keys = jnp.asarray(batch.keys[tile])
    return ensemble.kernel, begin(ensemble.kernel, batch.initials, keys), keys


def apart(left, right):
    """Whether most lanes differ: finitely many data may be drawn twice in some."""
    differ = (np.asarray(left) != np.asarray(right)).reshape(len(left), -1).any(axis=1)
    return differ.mean() > 0.5


def test_no_step_draws_what_another_has_drawn(case):
    kernel, state, keys = started(case)
    for first in (0, 3):
        steps = [first, *(first + 2**j for j in range(41))]
        paths = np.asarray(steps_from(case.read, kernel, state, keys, steps))
        assert np.isfinite(paths).all()
        for j, path in enumerate(paths[1:]):
            assert apart(path, paths[0]), f"steps {first} and {first} + 2^{j} draw the same"


def test_no_replica_draws_what_another_has_drawn(case):
    """From one state under the keys of others: of the next lane, the next tile, another cell and another seed."""
    kernel, state, keys = started(case)
    steps = [5] * 42  # as many as above: one compilation
    here = steps_from(case.read, kernel, state, keys, steps)[0]
    cell = started(case, case.ensemble(cell=1))[2]
    np.testing.assert_array_equal(case.ensemble().begin(range(1, 2)).keys[0], started(case, tile=1)[2])
    others = {
        "lane": jnp.roll(keys, 1, axis=1),
        "tile": started(case, tile=1)[2],
        "seed": started(case, case.ensemble(seed=1))[2],
    } | ({} if case.simulator.paired else {"cell": cell})
    assert bool(case.simulator.paired) == np.array_equal(cell, keys)
    for name, other in others.items():
        if name != "lane" or keys.shape[1] > 1:
            assert apart(steps_from(case.read, kernel, state, other, steps)[0], here), name


def test_starts_are_shared_or_of_each_replica(case):
    ensembles = [case.ensemble(), case.ensemble(cell=1), case.ensemble(seed=1)]
    places = [(ensembles[0], 0), (ensembles[0], 1), *((ensemble, 0) for ensemble in ensembles[1:])]
    states = [np.asarray(case.read(started(case, *place)[1])) for place in places]
    rows = np.concatenate(states).reshape(sum(map(len, states)), -1)
    shared, paired = isinstance(case.start, OverlapStart), bool(case.simulator.paired)
    distinct = len(rows) - len(states[2]) * paired
    assert len(np.unique(rows, axis=0)) == (1 if shared else distinct)


@pytest.mark.parametrize(
    ("simulator", "form"),
    [
        (Chain("float64"), RuleLanes),
        (BlockedChain("float64"), RuleBlocks),
        (Weights("float64", block=4), RuleWeights),
    ],
)
def test_no_step_of_a_segment_draws_what_another_has_drawn(simulator, form):
    """At a learning rate that leaves the state where it is, increments of M are what the steps of a segment draw."""
    case = Case(committee(gamma=1e-6), START, simulator, lambda state: state)
    kernel, state, _ = started(case)
    assert isinstance(kernel, form)
    advance = jax.jit(lambda kernel, state, steps: kernel.observe(kernel.advance(state, steps))["M"])
    paths = np.stack([advance(kernel, state, jnp.asarray(n)) for n in range(13)])
    increments = np.diff(paths, axis=0).reshape(12, -1)
    correlations = np.corrcoef(increments)[~np.eye(12, dtype=bool)]
    assert abs(correlations).max() < 6 / increments.shape[1] ** 0.5


def test_gradient_descent_draws_its_data_once():
    """Without selection every step has the data of the step before; another replica has others."""
    case = Case(Recovery(**RECOVERY | {"b": 1.0}), ExactStart(), Descent("float64", stored=False), of_descent)
    kernel, state, keys = started(case)
    paths = np.asarray(steps_from(case.read, kernel, state, keys, [0, 1, 2**20]))
    np.testing.assert_array_equal(paths, paths[[0, 0, 0]])
    assert apart(steps_from(case.read, kernel, state, started(case, tile=1)[2], [0, 1, 2**20])[0], paths[0])
