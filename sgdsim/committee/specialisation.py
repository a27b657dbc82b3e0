"""Specialisation: how far the units of a student have each found a teacher of their own, whichever it is."""

import math
from itertools import permutations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sgdsim.contracts import Observables

MOST_ASSIGNMENTS = 5040
"""Of units to teachers, which are all tried: 7 to 7, 8 to 4."""


def assignments(p: int, k: int) -> int:
    """In how many ways the narrower layer's units can each be given one of the wider, no one twice."""
    return math.perm(max(p, k), min(p, k))


def specialisation(
    P: Float[Array, "k k ..."], M: Float[Array, "p k *batch"], Q: Float[Array, "p p *batch"]
) -> Float[Array, "*batch"]:
    """The largest, over assignments of units to teachers, of the mean cosine of pairs less that of the other pairs.

        S = max_pi [mean_{(i, r) in pi} c_ir - mean_{(i, r) not in pi} c_ir],    c_ir = M_ir/sqrt(Q_ii P_rr)

    with each unit of the narrower layer in one pair of pi; P may be the same for all of the batch. S is 0 where all
    cosines are equal, as on the plateau before specialisation, and 1 where every unit is its teacher and teachers are
    orthogonal. It is 0 where there is no other pair.
    """
    p, k = M.shape[:2]
    own, others = jnp.einsum("ii...->i...", Q), jnp.einsum("rr...->r...", P)
    others = others.reshape(k, *others.shape[1:] or [1] * (M.ndim - 2))
    product = own[:, None] * others[None, :]
    cosine = jnp.where(product > 0, M / jnp.sqrt(jnp.where(product > 0, product, 1.0)), 0.0)
    count = min(p, k)
    if p * k == count:
        return jnp.zeros(M.shape[2:])
    units, teachers = _pairs(p, k)
    most = jnp.max(jnp.sum(cosine[units, teachers], axis=1), axis=0)
    return most / count - (jnp.sum(cosine, axis=(0, 1)) - most) / (p * k - count)


def with_specialisation(
    seen: Observables, P: Float[Array, "k k ..."], level: float | None, axis: int = 0
) -> Observables:
    """Observables with `specialisation`, and with `escaped`, 1 where that is above the level and 0 elsewhere.

    As they are without a level. `axis` is that of the times, if they come first in M and Q.
    """
    if level is None:
        return seen
    M, Q = (jnp.moveaxis(seen[name], 0, -1) if axis else seen[name] for name in ("M", "Q"))
    found = specialisation(P, M, Q)
    return seen | {"specialisation": found, "escaped": (found > level).astype(found.dtype)}


def _pairs(p: int, k: int) -> tuple[Int[np.ndarray, "assignments pairs"], Int[np.ndarray, "assignments pairs"]]:
    """Units and teachers of all pairs of every assignment."""
    wide = np.array(list(permutations(range(max(p, k)), min(p, k))))
    narrow = np.broadcast_to(np.arange(min(p, k)), wide.shape)
    return (wide, narrow) if p >= k else (narrow, wide)
