"""Every kernel in the form that a GPU runs: the numbers of a CPU, divided anywhere, alone and side by side.

The form alone is exchanged; the hints to the CPU's compiler stay. Only the chain differs from the plain loop, in its
last digits: increments are added to the state after 16 steps, not at the end of a segment.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.classification import Classification, RandomStart
from sgdsim.classification.network import NetworkKernel
from sgdsim.committee import Committee, OverlapStart
from sgdsim.committee.chain_blocks import chain_blocks
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.committee.training import training_kernel
from sgdsim.committee.weights import weights_kernel
from sgdsim.ensemble import loops, segments, shuffle
from sgdsim.ensemble.random import replica_keys
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.kernels.linearised import LinearisedKernel
from sgdsim.meanfield.kernels.pair import PairKernel
from sgdsim.meanfield.kernels.particle import ParticleKernel
from sgdsim.meanfield.models import output_model, tanh_model
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import LawStart
from sgdsim.recovery import ExactStart, Recovery
from sgdsim.recovery.descent_kernel import DescentKernel
from sgdsim.recovery.dmft import advance as dmft_advance
from sgdsim.recovery.dmft_products import WholeProducts
from sgdsim.recovery.dmft_step import Rates
from sgdsim.recovery.dmft_step import begin as dmft_begin
from sgdsim.recovery.selection import Fresh
from sgdsim.training import Adam, FiniteData

COMMITTEE = Committee(d=40, p=2, k=1, gamma=0.4, noise=0.1)
BATCHES = Committee(d=40, p=2, k=1, gamma=0.5, noise=0.1, batch=2)
DATA = Committee(d=40, p=2, k=1, gamma=0.5, noise=0.1, batch=2, data=FiniteData(n=15), optimiser=Adam())
FRESH = Committee(d=40, p=2, k=1, gamma=0.5, noise=0.1, batch=2, optimiser=Adam())
OVERLAPS = OverlapStart(0.5, 1)
WIDE = MeanField(model=tanh_model(), N=6, gamma=0.1, beta=0.75, dynamics=Sde("common"))
RANDOM = MeanField(model=tanh_model(), N=6, gamma=0.1, beta=1.0, dynamics=Sgd())
LAZY = MeanField(model=output_model(), N=6, gamma=0.1, beta=0.5, a=0.75, dynamics=Sgd())
RECOVERY = Recovery(alpha=1.5, eta=0.1, b=0.5, N=12, waiting=(0.5,))
DIGITS = Classification(N=5, gamma=1.0, beta=0.75)

KERNELS = {
    "chain": (lambda: chain_lanes(COMMITTEE, "float64", 2), COMMITTEE, OVERLAPS),
    "chain in blocks": (lambda: chain_blocks(BATCHES, "float64", 2, 4), BATCHES, OVERLAPS),
    "weights": (lambda: weights_kernel(COMMITTEE, "float64", 2, 4), COMMITTEE, OVERLAPS),
    "training": (lambda: training_kernel(DATA, "float64", 2, 4, test_inputs=8), DATA, OVERLAPS),
    "training on fresh data": (lambda: training_kernel(FRESH, "float64", 2, 4, test_inputs=8), FRESH, OVERLAPS),
    "particles": (lambda: ParticleKernel.of(WIDE, "float64", 2), WIDE, LawStart()),
    "pair": (lambda: PairKernel.of(WIDE, "float64", 2, 5.0), WIDE, LawStart()),
    "pair, random limit": (lambda: PairKernel.of(RANDOM, "float64", 2, 5.0), RANDOM, LawStart()),
    "linearised": (lambda: LinearisedKernel.of(LAZY, "float64", 2), LAZY, LawStart()),
    "descent": (lambda: DescentKernel.of(RECOVERY, "float64", 2, True, True, rows=10), RECOVERY, ExactStart()),
    "network": (lambda: NetworkKernel.of(DIGITS, "float64", 2), DIGITS, RandomStart()),
}
STEPS = 75


@pytest.fixture
def static(monkeypatch):
    """The loops of a GPU, on a CPU."""
    for module in (loops, segments, shuffle):
        monkeypatch.setattr(module, "host_drives_loops", lambda: True)


def started(name):
    """A kernel and its state at step 0."""
    make, problem, start = KERNELS[name]
    kernel = make()
    initial = start.draw(problem, np.random.default_rng(0), kernel.lanes)
    return kernel, jax.jit(lambda kernel, keys: kernel.init(initial, keys))(kernel, replica_keys(1, 0, 0, kernel.lanes))


def job():
    """`advance`, compiled anew for the form of the moment."""
    return jax.jit(lambda kernel, state, n_steps: kernel.advance(state, n_steps))


def equal(left, right, rtol=0.0):
    for mine, theirs in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=rtol)


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
def test_the_numbers_are_those_of_a_cpu(name, request):
    kernel, state = started(name)
    plain = job()(kernel, state, STEPS)
    request.getfixturevalue("static")
    form = job()
    whole = form(kernel, state, STEPS)
    equal(whole, plain, 1e-13 if name == "chain" else 0)
    first = 40 // kernel.segment * kernel.segment  # where a run may be divided
    equal(form(kernel, form(kernel, state, first), STEPS - first), whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chain", "weights", "particles", "descent"])
def test_tiles_side_by_side_make_steps_of_their_own(name, static):
    """Counts of steps are per tile, as where cells are lanes. Products of several tiles are summed in another order."""
    kernel, state = started(name)
    form = job()
    states, counts = [state, form(kernel, state, 20), form(kernel, state, 5)], [37, 0, 60]
    tiles = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    together = jax.jit(jax.vmap(kernel.advance))(tiles, jnp.array(counts))
    for number, (state, count) in enumerate(zip(states, counts, strict=True)):
        equal(jax.tree.map(lambda leaf, number=number: leaf[number], together), form(kernel, state, count), 1e-12)


@pytest.mark.bits
def test_the_mean_field_theory(request):
    """Elements stop in a chunk, at its end, or go on until the last step, where the arrays end."""
    constants = ((2.5, 1.5, 1.5), (0.1, 0.2, 0.1), (0.5, 1.0, 1.0), (0.0, 0.0, 0.0), (0.9, 0.5, 0.0))
    rates = Rates(*(jnp.array(three) for three in constants))
    known = jax.vmap(partial(dmft_begin, n=24))(rates, jnp.array([0.4, 0.3, 0.1]), jnp.array([1.0, 0.8, 0.9]))

    def solved(ends):
        solve = jax.jit(lambda *arguments: dmft_advance.__wrapped__(*arguments, products=WholeProducts()))
        now, begin = known, 0
        for end in ends:
            now, begin = solve(rates, Fresh(), now, jnp.asarray(begin), jnp.asarray(end)), end
        return now

    plain = solved([23])
    assert plain.last.min() < 16 < plain.last.max() == 23
    request.getfixturevalue("static")
    equal(solved([23]), plain)
    equal(solved([3, 23]), plain)
