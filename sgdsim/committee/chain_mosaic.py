"""The fused form of the chain on a GPU: where it can be had, and the check of its numbers at first use."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sgdsim.committee.activations import Activation
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import GaussianStart
from sgdsim.ensemble.backend import beside
from sgdsim.ensemble.lane_loop import LaneForm, xla_form
from sgdsim.ensemble.mosaic_device import why_not
from sgdsim.ensemble.mosaic_form import BLOCK, MosaicForm
from sgdsim.ensemble.random import replica_keys
from sgdsim.rules.radius import SMALLEST
from sgdsim.rules.state import ChainState

WIDEST = 8
"""Largest p and k whose state and increments fit into the registers of a thread."""
WIDEST_OF_SMALL = 4
"""The same where chi^2 has fewer than 32 degrees of freedom: its 16 pairs of normals at a step take registers too."""
DEVIATION = 1e-6
"""Largest distance of the two forms after two segments, as a part of how far the state has moved: some roundings."""


@dataclass(frozen=True)
class LoopShape:
    """What the program of the chain's loop depends on."""

    p: int
    k: int
    small: bool
    activation: Activation

    @classmethod
    def of(cls, problem: Committee) -> "LoopShape":
        """That of a problem."""
        return cls(problem.p, problem.k, problem.d - problem.k - problem.p < SMALLEST, problem.activation)

    @property
    def example(self) -> Committee:
        """A problem of this shape, of short segments, and of steps small enough for any activation."""
        freedom = SMALLEST // 2 if self.small else 8 * SMALLEST
        d = self.k + self.p + freedom
        return Committee(d=d, p=self.p, k=self.k, gamma=0.1, noise=0.01, activation=self.activation)


def why_no_mosaic(problem: Committee, dtype: Any) -> str | None:
    """What keeps the chain of a problem from its fused form on this GPU, in one clause; None where nothing does.

    The kernel is compiled, and its numbers are checked, once for each shape of the loop.
    """
    return why_unfit(problem, dtype) or disagreement(MosaicForm(), LoopShape.of(problem))


def why_unfit(problem: Committee, dtype: Any) -> str | None:
    """What keeps the chain from its fused form as far as it is known without compiling it."""
    if not problem.plain:
        return f"the fused form on a GPU is for the plain network, without {', '.join(problem.extras)}"
    if jnp.dtype(dtype) != np.float32:
        return "the registers of a thread hold its state in float32 only"
    shape = LoopShape.of(problem)
    widest = WIDEST_OF_SMALL if shape.small else WIDEST
    if problem.batch > 1 or max(problem.p, problem.k) > widest:
        small = f" at d < k + p + {SMALLEST}" if shape.small else ""
        return f"the fused form is for batch 1 and for p and k up to {widest}{small}"
    return why_not(jax.local_devices()[0])


@lru_cache(maxsize=256)
def disagreement(form: LaneForm, shape: LoopShape) -> str | None:
    """What is wrong with a form on this device; None if nothing.

    It is held against XLA's form on 128 lanes for two segments: that of the CPU beside, where the device's own would
    take 8 to 16 s to compile (measured on an H100).
    """
    try:
        begin, result = _begin_and_end(form, shape)
    # Pallas, and the compilers behind it, say in many kinds of exceptions what they cannot do.
    except Exception as error:
        return f"the kernel fails ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
    with beside():
        _, expected = _begin_and_end(xla_form, shape)
    moved, apart = np.abs(expected - begin).max(), np.abs(result - expected).max()
    if not apart <= DEVIATION * moved:
        return (
            f"the kernel differs from XLA's form by {apart / moved:.1e} of the motion, where {DEVIATION:.0e} is allowed"
        )
    return None


@lru_cache(maxsize=8)
def _begin_and_end(form: LaneForm, shape: LoopShape) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of the state at the start, and two segments later."""
    problem = shape.example
    start = GaussianStart(seed=1).draw(problem, np.random.default_rng(0), 1)
    keys = jnp.asarray(replica_keys(seed=0, cell=0, first=0, count=BLOCK))
    kernel = chain_lanes(problem, np.float32, BLOCK, form)

    @jax.jit
    def both(n_steps: Array) -> tuple[ChainState, ChainState]:
        state = kernel.init(start, keys)
        return state, kernel.advance(state, n_steps)

    begin, end = both(jnp.asarray(2 * kernel.segment))
    return _flat(begin), _flat(end)


def _flat(state: ChainState) -> np.ndarray:
    return np.concatenate([np.asarray(part).ravel() for part in (state.m, state.S)])
