"""The fused form of the chain on a GPU: where it can be had, and the check of its numbers at first use."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sgdsim.committee.activations import Activation
from sgdsim.committee.chain_lanes import ChainLanes
from sgdsim.committee.problem import Committee
from sgdsim.committee.radius import SMALLEST
from sgdsim.committee.starts import OverlapStart
from sgdsim.ensemble.lane_loop import LaneForm, xla_form
from sgdsim.ensemble.mosaic_device import why_not
from sgdsim.ensemble.mosaic_form import BLOCK, MosaicForm
from sgdsim.ensemble.random import replica_keys

WIDEST = 8
"""Largest p and k whose state and increments fit into the registers of a thread."""
DEVIATION = 1e-6
"""Largest distance of the two forms after two segments, as a part of how far the state has moved: some roundings."""


@dataclass(frozen=True)
class LoopShape:
    """What a program of the chain's loop depends on."""

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
        """A problem of this shape, of short segments and steps small enough for any activation."""
        freedom = SMALLEST // 2 if self.small else 8 * SMALLEST
        d = self.k + self.p + freedom
        return Committee(d=d, p=self.p, k=self.k, gamma=0.1, noise=0.01, activation=self.activation)


def why_no_mosaic(problem: Committee, precision: str, device: Any) -> str | None:
    """What keeps the chain of a problem from its fused form on a GPU, as the end of a sentence; None where nothing.

    The kernel is compiled and its numbers are checked once for each shape of the loop.
    """
    if precision != "float32":
        return "a thread's registers hold its state in float32 only"
    if problem.batch > 1 or max(problem.p, problem.k) > WIDEST:
        return f"it takes p and k up to {WIDEST} and batch 1"
    return why_not(device) or disagreement(MosaicForm(), LoopShape.of(problem))


@lru_cache(maxsize=256)
def disagreement(form: LaneForm, shape: LoopShape) -> str | None:
    """What is wrong with a form on this device, held against XLA's on 128 lanes for two segments; None if nothing."""
    try:
        moved, apart = _motion_and_distance(form, shape)
    # Pallas and its compilers say in many kinds of exceptions what they cannot do.
    except Exception as error:
        return f"its kernel does not compile ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
    if not apart <= DEVIATION * moved:
        return f"it differs from XLA's form by {apart / moved:.1e} of the motion where {DEVIATION:.0e} is allowed"
    return None


def _motion_and_distance(form: LaneForm, shape: LoopShape) -> tuple[float, float]:
    """Largest motion of a number of the state, and largest distance of the two forms from one another."""
    problem = shape.example
    start = OverlapStart(0.5, seed=1).draw(problem, np.random.default_rng(0), 1)
    keys = jnp.asarray(replica_keys(seed=0, cell=0, first=0, count=BLOCK))
    states = []
    for each in (xla_form, form):
        kernel = ChainLanes.of(problem, np.float32, BLOCK, each)
        begin = kernel.init(start, keys)
        advance = jax.jit(lambda state, n_steps, kernel=kernel: kernel.advance(state, n_steps))
        states.append(advance(begin, 2 * kernel.segment))
    whole = [np.concatenate([np.asarray(s.m).ravel(), np.asarray(s.S).ravel()]) for s in (begin, *states)]
    return float(np.abs(whole[1] - whole[0]).max()), float(np.abs(whole[2] - whole[1]).max())
