"""The network of finite width beside its linearisation about the start, driven by the same noise (a < 1, lazy).

    f_lin = f_0 + N^(-a) sum_k grad F(W_0^k, .) . (W^k - W_0^k)

moves in the space of predictions alone, by the tangent kernel K_ij = (1/N) sum_k grad F_i . grad F_j at W_0:

    m_lin <- m_lin - K q,   q_j = eps l'(m_lin_j, y_j) for the data drawn, or (c_j dt + sqrt(eps) zeta_j) for the SDE.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.loops import steps_loop
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import Key, fold
from sgdsim.meanfield.features import dot
from sgdsim.meanfield.kernels.particle import DRIVEN, ParticleKernel, ParticleState
from sgdsim.meanfield.limits.drives import CommonSde, SharedSgd, atoms_of, minus, pull
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.observables import Positions, predictions
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given


class LinearisedState(eqx.Module):
    """`system`: the particles; `start`: W_0; `m`: of the linearised network; `K`: its kernel."""

    system: ParticleState
    start: Positions
    m: Float[Array, "J lanes"]
    K: Float[Array, "J J lanes"]


class LinearisedKernel(Kernel):
    """One problem's particles and the linearised network on a tile of replicas."""

    kept: ClassVar[tuple[str, ...]] = ("excess_risk", "mean", "variance", "gap", "displacement")

    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    system: ParticleKernel

    @classmethod
    def of(cls, problem: MeanField, dtype: Any, lanes: int) -> "LinearisedKernel":
        """The kernel of a problem."""
        return cls(lanes=lanes, segment=1, system=ParticleKernel.of(problem, dtype, lanes))

    def init(self, initial: Given, keys: UInt32[Array, "2 lanes"]) -> LinearisedState:
        """Both networks at the start, where they agree."""
        system, model = self.system.init(initial, keys), self.system.model
        m = predictions(model, system.W, self.system.scale, atoms_of(model).points)
        return LinearisedState(system, start=system.W, m=m, K=tangent_kernel(model, system.W))

    def advance(self, state: LinearisedState, n_steps: Int[Array, ""]) -> LinearisedState:
        """n_steps of both networks."""
        keys, first, system = state.system.keys, state.system.step, self.system
        pin, key = Pin.of(n_steps, system.dtype), fold((keys[0], keys[1]), DRIVEN)
        drive, model = system.drive, system.model

        def step(number: Array, carry: tuple[Positions, Array]) -> tuple[Positions, Array]:
            W, m = carry
            drawn = drive.draw(model, key, number, system.N, system.dtype, pin)
            W = drive.move(model, W, drive.outputs(model, W, system.scale, drawn), drawn)
            return W, m - jnp.sum(state.K * self._pushes(m, key, number, drawn)[None], axis=1)

        # K stays that of the start: this is what linearised means, and why it is no part of the carry.
        W, m = steps_loop(first, first + n_steps, step, (state.system.W, state.m))
        return LinearisedState(ParticleState(W=W, keys=keys, step=first + n_steps), state.start, m, state.K)

    def _pushes(self, m: Float[Array, "J lanes"], key: Key, step: Array, drawn: Any) -> Float[Array, "J lanes"]:
        """q_j of one step."""
        drive, atoms = self.system.drive, atoms_of(self.system.model)
        if isinstance(drive, CommonSde):
            return drive.pushes(self.system.model, m, drawn) / jnp.asarray(drive.scale, m.dtype)
        assert isinstance(drive, SharedSgd)
        total = jnp.zeros_like(m)
        for index in drive.draw_atoms(self.system.model, key, step):
            _, y = atoms.atom(index, m.dtype)
            # A mask in place of a scatter: it is elementwise, and adds in the same order on every device.
            seen = jnp.arange(len(m))[:, None] == (index // atoms.labels.shape[1])[None]
            total = total + jnp.where(seen, self.system.model.loss.slope(m, y[None]), 0)
        return total * jnp.asarray(drive.dt / drive.batch, m.dtype)

    def observe(self, state: LinearisedState) -> Observables:
        """What is observed of the particles, of the linearised network, and how far they are apart."""
        seen, m = self.system.observe(state.system), state.m.astype(jnp.float64)
        moved = minus(*(tuple(w.astype(jnp.float64) for w in W) for W in (state.system.W, state.start)))
        return seen | {
            "m_linear": m,
            "gap": jnp.max(jnp.abs(seen["m"] - m), axis=0),
            "displacement": jnp.mean(dot(moved, moved), axis=0),
        }


def tangent_kernel(model: Model, W: Positions) -> Float[Array, "J J lanes"]:
    """K_ij = (1/N) sum_k grad F(W^k, x_i) . grad F(W^k, x_j), a pair of atoms at a time."""
    points = atoms_of(model).points.astype(W[0].dtype)
    one = jnp.ones((), W[0].dtype)

    def entry(x: Float[Array, " inputs"], y: Float[Array, " inputs"]) -> Float[Array, " lanes"]:
        return jnp.mean(dot(pull(model, W, tuple(x), one), pull(model, W, tuple(y), one)), axis=0)

    def row(x: Float[Array, " inputs"]) -> Float[Array, "J lanes"]:
        return jax.lax.map(lambda y: entry(x, y), points)

    # A pair of points at a time: all gradients at once would be J dim N numbers in every lane.
    return jax.lax.map(row, points)
