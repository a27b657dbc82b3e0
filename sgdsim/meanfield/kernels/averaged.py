"""Particles beside the running means of their trajectories (Polyak & Juditsky 1992; Ruppert 1988).

    V^k <- V^k + (W^k - V^k)/(n + 1) at step n, of the W before it: after n steps V is the mean of W_0, ..., W_(n-1)

The averaged network predicts N^(-a) sum_k F(V^k, x): it averages weights, not predictions.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.loops import steps_loop
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import fold
from sgdsim.meanfield.kernels.particle import DRIVEN, ParticleKernel, ParticleState
from sgdsim.meanfield.observables import AVERAGED, Positions, observe_particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given


class AveragedState(eqx.Module):
    """`system`: the particles; `average`: their running means."""

    system: ParticleState
    average: Positions


class AveragedKernel(Kernel):
    """One problem's particles and their running means on a tile of replicas."""

    kept: ClassVar[tuple[str, ...]] = (*ParticleKernel.kept, *AVERAGED)

    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    system: ParticleKernel

    @classmethod
    def of(cls, problem: MeanField, dtype: Any, lanes: int) -> "AveragedKernel":
        """The kernel of a problem."""
        return cls(lanes=lanes, segment=1, system=ParticleKernel.of(problem, dtype, lanes))

    def init(self, initial: Given, keys: UInt32[Array, "2 lanes"]) -> AveragedState:
        """Particles of the start, which are their own means."""
        system = self.system.init(initial, keys)
        return AveragedState(system, system.W)

    def advance(self, state: AveragedState, n_steps: Int[Array, ""]) -> AveragedState:
        """n_steps of the particles; each W counts once in its mean, before it moves."""
        keys, first = state.system.keys, state.system.step
        pin, key = Pin.of(n_steps, self.system.dtype), fold((keys[0], keys[1]), DRIVEN)

        def step(number: Array, carry: tuple[Positions, Positions]) -> tuple[Positions, Positions]:
            W, V = carry
            share = (1 / (number + 1).astype(jnp.float64)).astype(self.system.dtype)
            V = jax.tree.map(lambda w, v: v + (w - v) * share, W, V)
            return self.system.step(key, pin, number, W), V

        W, V = steps_loop(first, first + n_steps, step, (state.system.W, state.average))
        return AveragedState(ParticleState(W=W, keys=keys, step=first + n_steps), V)

    def observe(self, state: AveragedState) -> Observables:
        """What is observed of the particles, and of the network that has their means for weights."""
        nowhere: Float[Array, " edges"] = jnp.zeros(0)
        seen = observe_particles(self.system.model, state.average, self.system.scale, nowhere)
        averaged = {name: seen[name.removesuffix("_average")] for name in AVERAGED}
        return self.system.observe(state.system) | averaged
