"""The hot loops, ready to be compiled for a device that is not there: their cost is counted in the optimised code.

A kernel in the body of a loop is launched once per iteration. Loops nest: `steps` says how many steps of a trajectory
one iteration of the outermost one makes, see `benchmarks.hlo`. No function here need be run.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.forms import committee, particles
from benchmarks.textbook import vmapped_chain, vmapped_weights
from sgdsim.classification import Classification, Network, RandomStart
from sgdsim.committee import Chain, OverlapStart, Weights
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.contracts import Kernel, Problem, Start
from sgdsim.ensemble.loops import AT_ONCE
from sgdsim.ensemble.segments import BLOCKS_AT_ONCE, blocks_at_once
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.models import output_model
from sgdsim.meanfield.particles import Linearised, Pair, Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import LawStart
from sgdsim.recovery import Descent, ExactStart, Recovery
from sgdsim.recovery.descent_kernel import DescentKernel
from sgdsim.recovery.dmft import advance
from sgdsim.recovery.dmft_products import WholeProducts
from sgdsim.recovery.dmft_step import Rates, begin
from sgdsim.recovery.selection import Fresh
from sgdsim.rules.lanes import RuleLanes

_TILES = 256
_WIDE = 2**17
_TEXTBOOK_STEPS = 16
_START = OverlapStart(0.5, 1)


@dataclass(frozen=True)
class Case:
    """One form: a function, the shapes of its arguments, and the steps of one iteration of its outermost loop."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    steps: float

    def __iter__(self) -> Iterator[Any]:
        """Name, function and arguments."""
        return iter((self.name, self.function, self.arguments))


def cases() -> Iterator[Case]:
    """Every form of all simulators, and the textbook versions that they are measured against."""
    yield from _chains()
    yield from _blocks()
    yield from _descents()
    yield Case("mean-field theory of signal recovery, T = 1000", *_theory(1024), AT_ONCE)
    yield from _wide_networks()
    problem = Classification(N=1000, gamma=0.5, beta=0.75)
    tile = Network().bind(problem, 8, 1.0)
    yield Case("network, N = 1000, digits", *_all_tiles(tile, problem, RandomStart(), 4), AT_ONCE)
    for name, job in (("chain", vmapped_chain), ("weights", vmapped_weights)):
        for p in (4, 32):
            yield Case(f"textbook {name}, p = {p}", job(committee(1000, p), 1024, _TEXTBOOK_STEPS), (), 1)


def _chains() -> Iterator[Case]:
    """The chain for small p."""
    for p in (4, 8):
        problem = committee(1000, p)
        tile = Chain().bind(problem, _WIDE, 1.0)
        assert isinstance(tile, RuleLanes)
        # The last part of a segment is partly idle.
        steps = BLOCKS_AT_ONCE * tile.segment / -(-tile.segment // AT_ONCE)
        one = chain_lanes(problem, np.float32, _WIDE)
        yield Case(f"chain, p = {p}, one tile of {_WIDE} lanes", *_one_tile(one, problem, _START), steps)
        yield Case(f"chain, p = {p}, {_TILES} tiles of {tile.lanes} lanes", *_all_tiles(tile, problem), steps)


def _blocks() -> Iterator[Case]:
    """What takes its steps in blocks."""
    for simulator, p in ((Chain(), 32), (Weights(), 4), (Weights(), 32)):
        problem = committee(1000, p)
        tile = simulator.bind(problem, _WIDE, 1.0)
        name = f"{simulator.name}, p = {p}, blocks of {tile.segment} steps"
        yield Case(name, *_all_tiles(tile, problem), blocks_at_once(tile.segment) * tile.segment)


def _descents() -> Iterator[Case]:
    """Signal recovery at finite N."""
    problem = Recovery(alpha=2.5, eta=0.1, b=0.5, N=400)
    for stored in (True, False):
        tile = Descent(stored=stored).bind(problem, 32, 1.0)
        assert isinstance(tile, DescentKernel)  # not one of restarts
        name = f"descent, N = 400, data {'stored' if stored else 'drawn'}, in {-(-tile.data // tile.rows)} blocks"
        yield Case(name, *_all_tiles(tile, problem, ExactStart(), 8), AT_ONCE)


def _wide_networks() -> Iterator[Case]:
    """Particles, alone and beside their limits or their linearisation."""
    drives = (("SGD", Sgd()), ("SDE, own noise", Sde()), ("SDE, common noise", Sde("common")))
    wide = [(Particles(), name, particles(10**4, dynamics)) for name, dynamics in drives]
    wide += [(Pair(), name, particles(10**4, dynamics)) for name, dynamics in drives]
    lazy = MeanField(model=output_model(), N=10**4, gamma=0.1, beta=0.75, a=0.75)
    for simulator, name, problem in (*wide, (Linearised(), "SGD", lazy)):
        tile = simulator.bind(problem, 64, 5.0)
        yield Case(f"{simulator.name}, {name}, N = 10^4", *_all_tiles(tile, problem, LawStart(), 4), AT_ONCE)


def _one_tile(kernel: Kernel, problem: Problem, start: Start) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """`advance`, and the shapes of a kernel, the state of one tile and a number of steps."""
    keys = jax.ShapeDtypeStruct((2, kernel.lanes), jnp.uint32)
    initial = start.draw(problem, np.random.default_rng(0), kernel.lanes)
    state = jax.eval_shape(kernel.init, initial, keys)
    # Parameters are traced, as in a run: one compilation serves every problem of the same shapes.
    traced = jax.tree.map(np.asarray, kernel)
    return lambda kernel, state, n_steps: kernel.advance(state, n_steps), (traced, state, np.int64(1000))


def _all_tiles(
    kernel: Kernel, problem: Problem, start: Start = _START, tiles: int = _TILES
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The same over many tiles at once, as an accelerator takes them."""
    advance, (traced, state, n_steps) = _one_tile(kernel, problem, start)
    many = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((tiles, *leaf.shape), leaf.dtype), state)
    return jax.vmap(advance, in_axes=(None, 0, None)), (traced, many, n_steps)


def _theory(n: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Steps of the mean-field theory in arrays of size n, with whole products as an accelerator takes them."""
    number, index = jax.ShapeDtypeStruct((1,), jnp.float64), jax.ShapeDtypeStruct((), jnp.int64)
    rates = jax.eval_shape(lambda each: Rates(each, each, each, each, each), number)
    known = jax.eval_shape(jax.vmap(partial(begin, n=n)), rates, number, number)
    return partial(advance, products=WholeProducts()), (rates, Fresh(), known, index, index)
