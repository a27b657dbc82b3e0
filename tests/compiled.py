"""The steps of a kernel as compiled functions, shared by the tests: called one by one, each operation is compiled."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from sgdsim.ensemble.inputs import xla_inputs
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import fold

begin = jax.jit(lambda kernel, initial, keys: kernel.init(initial, keys))
advance = jax.jit(lambda kernel, state, n_steps: kernel.advance(state, n_steps))
observe = jax.jit(lambda kernel, state: kernel.observe(state))
ends = jax.jit(lambda kernel, state, n_steps: (kernel.observe(state), kernel.observe(kernel.advance(state, n_steps))))
folded = jax.jit(lambda keys, number: fold((keys[0], keys[1]), number))


@partial(jax.jit, static_argnums=(1, 2))
def inputs_of_one(state, steps, samples):
    """What one replica of full weights draws for its next steps: the key, inputs (samples, d), noise beside them."""
    key = fold((state.keys[0], state.keys[1]), state.step)
    drawn = xla_inputs(key, state.W, state.teacher, samples, Pin.of(jnp.asarray(steps), state.W.dtype))
    only = jnp.zeros((samples, 1, samples, state.W.shape[1]))
    only = only.at[np.arange(samples), 0, np.arange(samples), 0].set(1)
    return key, (jax.vmap(drawn.moved)(only) - state.W[None])[:, 0, 0], drawn.zeta
