"""The steps of a kernel as compiled functions, shared by the tests: called one by one, each operation is compiled."""

import jax

from sgdsim.ensemble.random import fold

begin = jax.jit(lambda kernel, initial, keys: kernel.init(initial, keys))
advance = jax.jit(lambda kernel, state, n_steps: kernel.advance(state, n_steps))
observe = jax.jit(lambda kernel, state: kernel.observe(state))
folded = jax.jit(lambda keys, number: fold((keys[0], keys[1]), number))
