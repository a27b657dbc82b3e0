"""Loops whose number of steps is known only when they run, without a host that waits at every one.

The host launches what a GPU runs. Before it enters the body of such a loop anew it must know whether to, and waits
until the GPU has computed that: longer than a light step takes. A loop whose length was compiled in needs no answer. So
a GPU takes many steps at a time in a loop of static length, and the host waits once for all of them. CPUs and TPUs,
which run a whole program themselves, keep the plain loop.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from sgdsim.ensemble.backend import host_drives_loops

AT_ONCE = 16
"""Steps of a loop of static length.

The host's answer takes as long as 4 kernels, and a step is 2 or more: after 16 of them little of it is left. What
remains at the end, up to 15 steps, is taken one by one. To run on and leave out what is too much would waste more: many
experiments save every 1 to 25 steps, of simulators whose steps take longer than an answer.
"""

Count = Int[Array, ""] | int
Body = Callable[[Int[Array, ""], Any], Any]


def steps_loop(begin: Count, end: Count, body: Body, carry: Any, at_once: int = AT_ONCE) -> Any:
    """body(i, carry) for i = begin, ..., end - 1, as `jax.lax.fori_loop` has it, where `end` is traced.

    Every step is that of the plain loop. Under vmap counts may differ: what has come to its end stays as it is.
    """
    if not host_drives_loops():
        return jax.lax.fori_loop(begin, end, body, carry)
    whole = jnp.maximum(end - begin, 0) // at_once

    def many(index: Int[Array, ""], carry: Any) -> Any:
        return _static(begin + index * at_once, at_once, body, carry)

    carry = jax.lax.fori_loop(0, whole, many, carry)
    return jax.lax.fori_loop(begin + whole * at_once, end, body, carry)


def steps_while(
    begin: Int[Array, ""], end: Count, going: Callable[[Any], Bool[Array, ""]], body: Body, carry: Any
) -> Any:
    """body(i, carry) for i = begin, begin + 1, ... while i < end and `going(carry)`.

    A GPU is asked for that after many steps only: the body must change nothing once it has become false.
    """

    def loop(start: tuple[Array, Any], end: Count, stride: int, advance: Body) -> tuple[Array, Any]:
        return jax.lax.while_loop(
            lambda now: (now[0] < end) & going(now[1]),
            lambda now: (now[0] + stride, advance(now[0], now[1])),
            start,
        )

    start = (begin, carry)
    if host_drives_loops():
        start = loop(start, end - (AT_ONCE - 1), AT_ONCE, lambda first, carry: _static(first, AT_ONCE, body, carry))
    return loop(start, end, 1, body)[1]


def _static(first: Count, length: int, body: Body, carry: Any) -> Any:
    """`length` steps from `first` on."""
    return jax.lax.fori_loop(0, length, lambda i, carry: body(first + i, carry), carry)
