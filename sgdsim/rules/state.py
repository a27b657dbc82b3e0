"""The state of the exact chain: overlaps in a frame of the fixed vectors, and numbers."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Observables
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import Rule


class ChainState(eqx.Module):
    """State of a tile of the chain: float64, lanes last. `step` counts the steps made.

    `numbers` are theta, and then the count of steps where the rule is `timed`: whole numbers, of which a loop in
    float32 loses none, while a sum of times would drift.
    """

    m: Float[Array, "n k lanes"]
    S: Float[Array, "n n lanes"]
    numbers: Float[Array, "q lanes"]
    teacher_root: Float[Array, "k k lanes"]
    keys: UInt32[Array, "2 lanes"]
    step: Int[Array, ""]


def begun(rule: Rule, initial: Overlaps) -> tuple[Overlaps, Float[Array | np.ndarray, "*replicas q"]]:
    """Overlaps of all vectors, and theta with the count of steps behind it where the rule is `timed`, at t = 0."""
    overlaps, numbers = rule.begin(initial)
    if rule.timed:
        numbers = jnp.concatenate([jnp.asarray(numbers), jnp.zeros((*numbers.shape[:-1], 1))], axis=-1)
    return overlaps, numbers


def chain_state(rule: Rule, initial: Overlaps, keys: UInt32[Array, "2 lanes"]) -> ChainState:
    """The state of replicas that start at the given overlaps, with a replica axis in front (of length 1: all alike)."""
    start, numbers = begun(rule, initial)
    root = jnp.linalg.cholesky(jnp.asarray(start.P))
    m, S = start.schur()
    last = (jnp.moveaxis(jnp.asarray(part, jnp.float64), 0, -1) for part in (m, S, numbers, root))
    wide = [jnp.broadcast_to(part, (*part.shape[:-1], keys.shape[1])) for part in last]
    return ChainState(*wide, keys=keys, step=jnp.zeros((), jnp.int64))


def chain_observables(rule: Rule, state: ChainState) -> Observables:
    """What the rule observes at P, M = m L_P^T, Q = S + m m^T and its numbers, float64."""
    m, root = state.m, state.teacher_root
    P = jnp.einsum("irl,jrl->ijl", root, root)
    M = jnp.einsum("irl,jrl->ijl", m, root)
    Q = state.S + jnp.einsum("irl,jrl->ijl", m, m)
    return rule.observe(P, M, Q, state.numbers[: rule.sizes.numbers])
