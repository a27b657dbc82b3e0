"""The fused form of the chain on a GPU: where it can be had, and the check of its numbers at first use."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sgdsim.ensemble.backend import beside
from sgdsim.ensemble.lane_loop import LaneForm, xla_form
from sgdsim.ensemble.mosaic_device import why_not
from sgdsim.ensemble.mosaic_form import BLOCK, ROOM, MosaicForm
from sgdsim.ensemble.random import replica_keys
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.radius import SMALLEST
from sgdsim.rules.rule import Rule
from sgdsim.rules.state import ChainState

WIDEST = 8
"""Most vectors of either kind whose state and increments fit into the registers of a thread."""
WIDEST_OF_SMALL = 4
"""The same where chi^2 has fewer than 32 degrees of freedom: its 16 pairs of normals at a step take registers too."""
DEVIATION = 1e-6
"""Largest distance of the two forms after two segments, as a part of how far the state has moved: some roundings."""


@dataclass(frozen=True)
class LoopShape:
    """What the program of the chain's loop depends on.

    - `form`: the rule without its numbers. - `moving`, `fixed`: its vectors. - `small`: whether d - k - n < 32.
    - `example`: d -> a rule of this form in dimension d, whose steps are moderate there.
    """

    form: Hashable
    moving: int
    fixed: int
    small: bool
    example: Callable[[int], Rule] = field(compare=False)

    @classmethod
    def of(cls, rule: Rule, d: int, example: Callable[[int], Rule]) -> "LoopShape":
        """That of a rule in dimension d."""
        sizes = rule.sizes
        form = jax.tree.structure(rule), tuple(jnp.shape(leaf) for leaf in jax.tree.leaves(rule))
        return cls(form, sizes.moving, sizes.fixed, d - sizes.fixed - sizes.moving < SMALLEST, example)

    def kernel(self, form: LaneForm) -> RuleLanes:
        """The kernel of the example, with short segments."""
        d = self.fixed + self.moving + (SMALLEST // 2 if self.small else 8 * SMALLEST)
        return RuleLanes.of(self.example(d), d, 1.0, np.float32, BLOCK, form)

    def start(self) -> Overlaps:
        """Of vectors at random, as many as the rule is given at t = 0."""
        given = self.example(self.fixed + self.moving + SMALLEST).given
        rows = np.random.default_rng(1).normal(size=(self.fixed + given, 2 * (self.fixed + given)))
        return Overlaps.from_gram((rows @ rows.T / rows.shape[1])[None], self.fixed)


def why_no_mosaic(shape: LoopShape, dtype: Any) -> str | None:
    """What keeps a chain from its fused form on this GPU, in one clause; None where nothing does.

    The kernel is compiled, and its numbers are checked, once for each shape of the loop.
    """
    return why_unfit(shape, dtype) or disagreement(MosaicForm(), shape)


def why_unfit(shape: LoopShape, dtype: Any) -> str | None:
    """What keeps the chain of batch 1 from its fused form as far as it is known without compiling it."""
    if jnp.dtype(dtype) != np.float32:
        return "the registers of a thread hold its state in float32 only"
    widest = WIDEST_OF_SMALL if shape.small else WIDEST
    if max(shape.moving, shape.fixed) > widest:
        small = f" at d < k + p + {SMALLEST}" if shape.small else ""
        return (
            f"the fused form is for batch 1 and for p and k up to {widest}{small} "
            f"(here {shape.moving} vectors that move, {shape.fixed} that stay)"
        )
    loop = shape.kernel(xla_form).loop
    if (numbers := loop.whole + loop.constants) > ROOM:
        return f"a thread has registers for {ROOM} numbers of state and rule, not for {numbers}"
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
    keys = jnp.asarray(replica_keys(seed=0, cell=0, first=0, count=BLOCK))
    start, kernel = shape.start(), shape.kernel(form)

    @jax.jit
    def both(n_steps: Array) -> tuple[ChainState, ChainState]:
        state = kernel.init(start, keys)
        return state, kernel.advance(state, n_steps)

    begin, end = both(jnp.asarray(2 * kernel.segment))
    return _flat(begin), _flat(end)


def _flat(state: ChainState) -> np.ndarray:
    return np.concatenate([np.asarray(part).ravel() for part in (state.m, state.S, state.numbers)])
