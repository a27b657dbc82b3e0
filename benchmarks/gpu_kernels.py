"""The hot loops, ready to be compiled for a GPU: their optimised code shows how many kernels a step launches.

A kernel in the body of a loop is launched once per iteration, so kernels per iteration over steps per iteration is the
number to bring down. `cases()` yields (name, function, shapes of its arguments); the function need not be run. Loops
nest (segments, then steps; or blocks, then samples of a block, columns of a root): the name says what counts.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.forms import committee, particles
from benchmarks.textbook import vmapped_chain, vmapped_weights
from sgdsim.committee import Chain, OverlapStart, Weights
from sgdsim.committee.chain_lanes import ChainLanes
from sgdsim.ensemble.contracts import Kernel, Problem, Start
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.particles import Particles
from sgdsim.meanfield.starts import FromLaw
from sgdsim.recovery import Descent, ExactStart, Recovery
from sgdsim.recovery.dmft import advance
from sgdsim.recovery.dmft_step import Rates, begin

Case = tuple[str, Callable[..., Any], tuple[Any, ...]]

_TILES = 256
_WIDE = 2**17
_TEXTBOOK_STEPS = 16
_START = OverlapStart(0.5, 1)


def cases() -> Iterator[Case]:
    """Every form of all simulators, and the textbook versions that they are measured against."""
    for p in (4, 8):
        problem = committee(1000, p)
        lanes = ChainLanes.of(problem, np.float32, _WIDE)
        yield f"chain p={p}, one tile of {_WIDE} lanes (innermost loop: 1 step)", *_one_tile(lanes, problem, _START)
        tile = Chain().bind(problem, _WIDE, 1.0)
        yield f"chain p={p}, tiles of {tile.lanes} lanes (innermost loop: 1 step)", *_all_tiles(tile, problem)
    for simulator, p in ((Chain(), 32), (Weights(), 4), (Weights(), 32)):
        problem = committee(1000, p)
        tile = simulator.bind(problem, _WIDE, 1.0)
        yield f"{simulator.name} p={p}, all loops of one block: {tile.segment} steps", *_all_tiles(tile, problem)
    for stored in (True, False):
        problem = Recovery(alpha=2.5, eta=0.1, b=0.5, N=400)
        tile = Descent(stored=stored).bind(problem, 32, 1.0)
        name = f"descent N=400, data {'stored' if stored else 'drawn'}"
        name += " (outer loop: 1 step; inner: 1 block of its data)"
        yield name, *_all_tiles(tile, problem, ExactStart(), tiles=8)
    yield "mean-field theory, T = 1000 (loop: 1 step)", *_theory(1024)
    for dynamics in (Sgd(), Sde(), Sde("common")):
        problem = particles(10**4, dynamics)
        tile = Particles().bind(problem, 64, 5.0)
        noise = "common" if dynamics.common else "own"
        yield f"{dynamics.name}, {noise} noise, N=10^4 (loop: 1 step)", *_all_tiles(tile, problem, FromLaw(), tiles=4)
    for name, job in (("chain", vmapped_chain), ("weights", vmapped_weights)):
        for p in (4, 32):
            yield f"textbook {name} p={p} (loop: 1 step)", job(committee(1000, p), 1024, _TEXTBOOK_STEPS), ()


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
    rates = jax.eval_shape(lambda each: Rates(each, each, each, each), number)
    known = jax.eval_shape(jax.vmap(partial(begin, n=n)), rates, number, number)
    return partial(advance, tile=None), (rates, known, index, index)
